//! A replica's disk: the election state, the log, one snapshot. What was not synced may be gone after a crash.

use bytes::Bytes;
use ottla_raft::message::Batch;
use ottla_raft::{ElectionState, LogView, OffsetAndEpoch};

/// Values from here on stand for a set of voters; the world knows which.
pub(crate) const SETS: u64 = 1 << 62;
/// Values that stand for nothing: the first records of an epoch.
pub(crate) const MARK: u64 = SETS - 1;

/// One record: who wrote it, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) epoch: i32,
    pub(crate) value: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    pub(crate) election: ElectionState,
    /// Stands for everything below `start`.
    pub(crate) snapshot: Option<(OffsetAndEpoch, Vec<Entry>)>,
    /// A snapshot on its way here.
    pub(crate) copy: Vec<u8>,
    pub(crate) start: i64,
    pub(crate) entries: Vec<Entry>,
    /// Entries below are on stable storage.
    pub(crate) synced: i64,
}

impl Disk {
    pub(crate) fn end(&self) -> i64 {
        self.start + self.entries.len() as i64
    }

    pub(crate) fn epoch_before(&self, end: i64) -> i32 {
        match usize::try_from(end - self.start - 1) {
            Ok(at) => self.entries[at].epoch,
            Err(_) => self.snapshot.as_ref().map_or(0, |(at, _)| at.epoch),
        }
    }

    pub(crate) fn append(&mut self, base: i64, entries: &[Entry]) {
        assert_eq!(base, self.end(), "appended where the log ends");
        self.entries.extend_from_slice(entries);
    }

    pub(crate) fn truncate(&mut self, to: i64) {
        self.entries.truncate(usize::try_from(to - self.start).expect("cut within the log"));
        self.synced = self.synced.min(to);
    }

    /// The power goes: an unsynced tail survives as far as chance wants.
    pub(crate) fn crash(&mut self, survives: i64) {
        let kept = (self.synced + survives).clamp(self.synced, self.end());
        self.truncate(kept);
        self.synced = kept;
        self.copy.clear();
    }

    /// All there ever was, up to the end of the log.
    pub(crate) fn history(&self) -> Vec<Entry> {
        let mut all = self.snapshot.as_ref().map_or(Vec::new(), |(_, entries)| entries.clone());
        all.truncate(usize::try_from(self.start).unwrap());
        all.extend_from_slice(&self.entries);
        all
    }

    pub(crate) fn view(&self) -> LogView {
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

    /// Whole batches from `offset` on, one an epoch, a set of voters alone in its own, at most `limit` entries.
    pub(crate) fn read(&self, offset: i64, limit: usize) -> Vec<Batch> {
        let from = usize::try_from(offset - self.start).expect("read within the log");
        let entries = self.entries[from..].iter().take(limit);
        let mut batches: Vec<Batch> = Vec::new();
        for (at, entry) in (offset..).zip(entries) {
            let goes_on = |batch: &&mut Batch| {
                let first = u64::from_be_bytes(batch.bytes[..8].try_into().unwrap());
                batch.epoch == entry.epoch && first < SETS && entry.value < SETS
            };
            match batches.last_mut().filter(goes_on) {
                Some(batch) => {
                    batch.last_offset = at;
                    let mut bytes = batch.bytes.to_vec();
                    bytes.extend_from_slice(&entry.value.to_be_bytes());
                    batch.bytes = bytes.into();
                }
                None => batches.push(Batch {
                    base_offset: at,
                    last_offset: at,
                    epoch: entry.epoch,
                    voters: None,
                    bytes: Bytes::copy_from_slice(&entry.value.to_be_bytes()),
                }),
            }
        }
        batches
    }

    /// Takes a snapshot of everything below `end` and drops that part of the log.
    pub(crate) fn take_snapshot(&mut self, end: i64) -> OffsetAndEpoch {
        let at = OffsetAndEpoch::new(end, self.epoch_before(end));
        let mut all = self.history();
        all.truncate(usize::try_from(end).unwrap());
        self.entries.drain(..usize::try_from(end - self.start).unwrap());
        self.start = end;
        self.synced = self.synced.max(end);
        self.snapshot = Some((at, all));
        at
    }

    pub(crate) fn snapshot_bytes(&self) -> Vec<u8> {
        let entries = &self.snapshot.as_ref().expect("served from a snapshot").1;
        let bytes =
            |entry: &Entry| [entry.epoch as u64, entry.value].map(u64::to_be_bytes).concat();
        entries.iter().flat_map(bytes).collect()
    }

    pub(crate) fn install(&mut self, at: OffsetAndEpoch) {
        let entry = |bytes: &[u8]| Entry {
            epoch: u64::from_be_bytes(bytes[..8].try_into().unwrap()) as i32,
            value: u64::from_be_bytes(bytes[8..].try_into().unwrap()),
        };
        let entries = std::mem::take(&mut self.copy).chunks(16).map(entry).collect();
        self.snapshot = Some((at, entries));
        self.entries.clear();
        self.start = at.offset;
        self.synced = at.offset;
    }
}
