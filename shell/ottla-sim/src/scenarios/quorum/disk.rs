//! A replica's disk: the election state, the log, one snapshot. What was not synced may be gone after a crash.

use bytes::Bytes;
use ottla_judge::watch::Entry;
use ottla_raft::message::Batch;
use ottla_raft::{ElectionState, LogView, OffsetAndEpoch};

/// See the module's first line.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    pub(super) election: ElectionState,
    /// Stands for everything below `start`.
    snapshot: Option<(OffsetAndEpoch, Vec<Entry>)>,
    /// A snapshot on its way here.
    copy: Vec<u8>,
    pub(super) start: i64,
    entries: Vec<Entry>,
    /// Entries below are on stable storage.
    pub(super) synced: i64,
}

/// What a batch's bytes hold of an entry.
const VALUE_BYTES: usize = 8;
/// What a snapshot's bytes hold of one.
const ENTRY_BYTES: usize = 16;

impl Disk {
    pub(super) fn end(&self) -> i64 {
        self.start + self.entries.len() as i64
    }

    fn index(&self, offset: i64) -> usize {
        usize::try_from(offset - self.start).expect("within the log")
    }

    pub(super) fn epoch_before(&self, end: i64) -> i32 {
        if end > self.start {
            return self.entries[self.index(end) - 1].epoch;
        }
        self.snapshot.as_ref().map_or(0, |(at, _)| at.epoch)
    }

    pub(super) fn append(&mut self, base: i64, entries: &[Entry]) {
        assert_eq!(base, self.end(), "appended where the log ends");
        self.entries.extend_from_slice(entries);
    }

    pub(super) fn truncate(&mut self, to: i64) {
        self.entries.truncate(self.index(to));
        self.synced = self.synced.min(to);
    }

    /// The power goes: an unsynced tail survives as far as chance wants.
    pub(super) fn crash(&mut self, survives: i64) {
        let kept = (self.synced + survives).clamp(self.synced, self.end());
        self.truncate(kept);
        self.synced = kept;
        self.copy.clear();
    }

    /// All there ever was, up to the end of the log.
    pub(super) fn history(&self) -> Vec<Entry> {
        let mut all = self.snapshot.as_ref().map_or(Vec::new(), |(_, entries)| entries.clone());
        all.truncate(usize::try_from(self.start).unwrap_or(0));
        all.extend_from_slice(&self.entries);
        all
    }

    /// The entries of `from..to`, also those a snapshot stands for.
    pub(super) fn range(&self, from: i64, to: i64) -> Vec<Entry> {
        let at = |offset: i64| {
            if offset >= self.start {
                return self.entries.get(self.index(offset)).copied();
            }
            let (_, entries) = self.snapshot.as_ref()?;
            entries.get(usize::try_from(offset).ok()?).copied()
        };
        (from..to).map_while(at).collect()
    }

    pub(super) fn view(&self) -> LogView {
        let snapshot = self.snapshot.as_ref().map(|(at, _)| *at);
        let mut view = LogView {
            start: self.start,
            end: self.start,
            durable: self.start,
            epochs: Vec::new(),
            earliest_snapshot: snapshot,
            latest_snapshot: snapshot,
        };
        for entry in &self.entries {
            view.append(entry.epoch, 1);
        }
        view.durable = self.synced;
        view
    }

    /// Whole batches from `offset` on, one an epoch, at most `limit` entries.
    pub(super) fn read(&self, offset: i64, limit: usize) -> Vec<Batch> {
        let entries = self.entries[self.index(offset)..].iter().take(limit);
        let mut batches: Vec<(i64, i32, Vec<u8>)> = Vec::new();
        for (at, entry) in (offset..).zip(entries) {
            let bytes = entry.value.to_be_bytes();
            match batches.last_mut().filter(|(_, epoch, _)| *epoch == entry.epoch) {
                Some((.., all)) => all.extend_from_slice(&bytes),
                None => batches.push((at, entry.epoch, bytes.to_vec())),
            }
        }
        let batch = |(base_offset, epoch, bytes): (i64, i32, Vec<u8>)| Batch {
            base_offset,
            last_offset: base_offset + (bytes.len() / VALUE_BYTES) as i64 - 1,
            epoch,
            voters: None,
            bytes: bytes.into(),
        };
        batches.into_iter().map(batch).collect()
    }

    /// Takes in a batch that was read elsewhere.
    pub(super) fn take(&mut self, batch: &Batch) {
        let value = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
        let values = batch.bytes.chunks_exact(VALUE_BYTES).map(value);
        let entries: Vec<Entry> = values.map(|value| Entry { epoch: batch.epoch, value }).collect();
        self.append(batch.base_offset, &entries);
    }

    /// Takes a snapshot of everything below `end` and drops that part of the log.
    pub(super) fn take_snapshot(&mut self, end: i64) -> OffsetAndEpoch {
        let at = OffsetAndEpoch::new(end, self.epoch_before(end));
        let mut all = self.history();
        all.truncate(usize::try_from(end).unwrap_or(0));
        self.entries.drain(..self.index(end));
        self.start = end;
        self.synced = self.synced.max(end);
        self.snapshot = Some((at, all));
        at
    }

    /// A piece of the snapshot, and the size of the whole.
    pub(super) fn snapshot_piece(&self, position: i64, most: usize) -> (i64, Bytes) {
        let entries = self.snapshot.as_ref().map_or(&[][..], |(_, entries)| entries);
        let bytes = |entry: &Entry| {
            [u64::from(entry.epoch.unsigned_abs()), entry.value].map(u64::to_be_bytes).concat()
        };
        let whole: Vec<u8> = entries.iter().flat_map(bytes).collect();
        let from = usize::try_from(position).unwrap_or(0).min(whole.len());
        let to = whole.len().min(from + most);
        (whole.len() as i64, Bytes::copy_from_slice(&whole[from..to]))
    }

    pub(super) fn write_copy(&mut self, position: i64, bytes: &[u8]) {
        self.copy.truncate(usize::try_from(position).unwrap_or(0));
        self.copy.extend_from_slice(bytes);
    }

    /// The copy takes the log's place.
    pub(super) fn install(&mut self, at: OffsetAndEpoch) {
        let word = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
        let entry =
            |bytes: &[u8]| Entry { epoch: word(&bytes[..8]) as i32, value: word(&bytes[8..]) };
        let entries = std::mem::take(&mut self.copy).chunks_exact(ENTRY_BYTES).map(entry).collect();
        self.snapshot = Some((at, entries));
        self.entries.clear();
        self.start = at.offset;
        self.synced = at.offset;
    }
}
