//! Which leader epoch wrote which offsets: Kafka's leader epoch cache.
//!
//! Entries are (epoch, first offset), both strictly increasing. Pure: the file they are kept in is
//! `kafka_dir::epoch_checkpoint`'s or the checkpoint's business. Never guesses: an epoch it cannot
//! place answers with [`UNDEFINED`].

use smallvec::SmallVec;

/// An epoch's first offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EpochEntry {
    pub epoch: i32,
    pub start_offset: i64,
}

/// The answer for an epoch that the log knows nothing of: epoch -1, offset -1.
pub const UNDEFINED: (i32, i64) = (-1, -1);

/// The leader epochs of one log, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EpochCache {
    /// Nearly always one, which has no memory of its own.
    entries: SmallVec<[EpochEntry; 1]>,
}

impl EpochCache {
    /// A cache of no epochs.
    pub fn new() -> EpochCache {
        EpochCache { entries: SmallVec::new() }
    }

    /// A cache of entries read from a file; `None` if they are not strictly increasing.
    pub fn from_entries(entries: Vec<EpochEntry>) -> Option<EpochCache> {
        let sorted = entries.windows(2).all(|pair| {
            pair[0].epoch < pair[1].epoch && pair[0].start_offset < pair[1].start_offset
        });
        let positive =
            entries.first().is_none_or(|first| first.epoch >= 0 && first.start_offset >= 0);
        (sorted && positive).then(|| EpochCache { entries: entries.into_iter().collect() })
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// Notes that `epoch` begins at `start_offset`; says whether anything changed. Entries that this
    /// contradicts (a higher epoch, or a start at or past this one) are dropped, as Kafka does:
    /// the log itself is the truth and it has just been written.
    pub fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        if epoch < 0 || start_offset < 0 {
            return false;
        }
        let known = self
            .latest()
            .is_some_and(|latest| latest.epoch == epoch && start_offset >= latest.start_offset);
        if known {
            return false;
        }
        while self.latest().is_some_and(|e| e.epoch >= epoch || e.start_offset >= start_offset) {
            self.entries.pop();
        }
        self.entries.push(EpochEntry { epoch, start_offset });
        true
    }

    /// The epoch at or below `epoch` that the log knows and the offset after its last record, as
    /// OffsetForLeaderEpoch answers it.
    pub fn end_offset_for(&self, epoch: i32, log_end_offset: i64) -> (i32, i64) {
        let Some(latest) = self.latest() else { return UNDEFINED };
        if epoch < 0 {
            return UNDEFINED;
        }
        if epoch == latest.epoch {
            return (epoch, log_end_offset);
        }
        let higher = self.entries.partition_point(|entry| entry.epoch <= epoch);
        match (self.entries.get(higher), higher.checked_sub(1)) {
            (None, _) => UNDEFINED,
            // Older than all that is left: the first known epoch's start is where it ended.
            (Some(next), None) => (epoch, next.start_offset),
            (Some(next), Some(floor)) => (self.entries[floor].epoch, next.start_offset),
        }
    }

    /// The epoch that wrote `offset`.
    pub fn epoch_for_offset(&self, offset: i64) -> Option<i32> {
        let after = self.entries.partition_point(|entry| entry.start_offset <= offset);
        after.checked_sub(1).map(|index| self.entries[index].epoch)
    }

    /// Forgets epochs that begin at or past `end_offset`, which was cut off.
    pub fn truncate_from_end(&mut self, end_offset: i64) {
        let keep = self.entries.partition_point(|entry| entry.start_offset < end_offset);
        self.entries.truncate(keep);
    }

    /// Forgets epochs that end at or before `start_offset`; the one that holds it now begins there.
    pub fn truncate_from_start(&mut self, start_offset: i64) {
        let before = self.entries.partition_point(|entry| entry.start_offset <= start_offset);
        if before == 0 {
            return;
        }
        self.entries.drain(..before - 1);
        self.entries[0].start_offset = start_offset;
    }

    /// Forgets everything, as when the log starts anew at an offset.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests;
