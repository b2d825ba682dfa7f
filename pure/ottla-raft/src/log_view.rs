//! What the machine knows of its log. It never holds a record.
//!
//! start ≤ end, durable ≤ end; epochs ascend, and so do the offsets they begin at.

use crate::offset::OffsetAndEpoch;

/// See the module's first line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogView {
    /// The first offset that can be read; above 0 only if `snapshot` stands for what is gone.
    pub start: i64,
    /// The offset the next record gets.
    pub end: i64,
    /// Everything below is on this node's stable storage.
    pub durable: i64,
    /// (epoch, offset of its first record), oldest first.
    pub epochs: Vec<(i32, i64)>,
    /// The earliest snapshot kept: the one that ends where the log starts.
    pub earliest_snapshot: Option<OffsetAndEpoch>,
    /// The latest snapshot kept.
    pub latest_snapshot: Option<OffsetAndEpoch>,
}

/// What a leader makes of the place a follower wants to fetch from (KIP-595, KIP-630).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetchable {
    /// The logs agree up to there.
    Valid,
    /// They do not: the follower cuts its log to what it has of this epoch, at most to this end.
    Diverging(OffsetAndEpoch),
    /// What it wants is gone: this snapshot stands for it.
    Snapshot(OffsetAndEpoch),
}

impl LogView {
    /// The end of the log with the epoch of its last record.
    pub fn end_and_epoch(&self) -> OffsetAndEpoch {
        OffsetAndEpoch::new(self.end, self.last_epoch())
    }

    /// The epoch of the last record, or of the snapshot before an empty log; 0 at the very beginning.
    pub fn last_epoch(&self) -> i32 {
        let snapshot = self.latest_snapshot.filter(|snapshot| snapshot.offset >= self.end);
        let written = self.epochs.last().map_or(0, |(epoch, _)| *epoch);
        snapshot.map_or(written, |snapshot| snapshot.epoch.max(written))
    }

    /// The greatest epoch at or below `epoch` that the log has, with the end of its records.
    pub fn end_offset_for(&self, epoch: i32) -> OffsetAndEpoch {
        let after = self.epochs.partition_point(|(known, _)| *known <= epoch);
        let end = self.epochs.get(after).map_or(self.end, |(_, start)| *start);
        match after.checked_sub(1) {
            Some(at) => OffsetAndEpoch::new(end, self.epochs[at].0),
            None => self.before_all_epochs(),
        }
    }

    /// What stands before the first epoch of the log: the snapshot it starts with, or nothing.
    fn before_all_epochs(&self) -> OffsetAndEpoch {
        self.earliest_snapshot.unwrap_or(OffsetAndEpoch::new(self.start, 0))
    }

    /// A follower has the log up to `at`: may it be served from there?
    pub fn fetchable(&self, at: OffsetAndEpoch) -> Fetchable {
        if at.offset == 0
            && let Some(latest) = self.latest_snapshot
        {
            // With an empty log a snapshot is always the shorter way.
            return Fetchable::Snapshot(latest);
        }
        if self.start == 0 && at.offset == 0 {
            return Fetchable::Valid;
        }
        if let (Some(earliest), Some(latest)) = (self.earliest_snapshot, self.latest_snapshot) {
            let before = at.offset < self.start
                || (at.offset == self.start && at.epoch != earliest.epoch)
                || at.epoch < earliest.epoch;
            if before {
                return Fetchable::Snapshot(latest);
            }
            if at == earliest {
                return Fetchable::Valid;
            }
        }
        let ours = self.end_offset_for(at.epoch);
        if ours.epoch != at.epoch || ours.offset < at.offset {
            return Fetchable::Diverging(ours);
        }
        Fetchable::Valid
    }

    /// Where to cut this log after a leader said that the logs diverge.
    pub fn truncation(&self, diverging: OffsetAndEpoch) -> i64 {
        if diverging.epoch == 0 {
            return diverging.offset.min(self.end);
        }
        let ours = self.end_offset_for(diverging.epoch);
        if ours.epoch == diverging.epoch { ours.offset.min(diverging.offset) } else { ours.offset }
    }

    /// `count` records of `epoch` stand at the end now.
    pub fn append(&mut self, epoch: i32, count: i64) {
        assert!(count > 0 && epoch >= self.last_epoch(), "epochs never fall along a log");
        if self.epochs.last().is_none_or(|(last, _)| *last < epoch) {
            self.epochs.push((epoch, self.end));
        }
        self.end += count;
    }

    /// The log ends at `to` now.
    pub fn truncate(&mut self, to: i64) {
        assert!((self.start..=self.end).contains(&to), "a log is cut within itself");
        self.end = to;
        self.durable = self.durable.min(to);
        self.epochs.retain(|(_, start)| *start < to);
    }

    /// Whether this very log runs through `at`: an offset and its epoch name one history.
    pub fn contains(&self, at: OffsetAndEpoch) -> bool {
        let ours = self.end_offset_for(at.epoch);
        at.offset <= self.start || (ours.epoch == at.epoch && at.offset <= ours.offset)
    }

    /// A snapshot of what is below `snapshot` was taken, and the log begins at `log_start` now.
    pub fn take_snapshot(&mut self, snapshot: OffsetAndEpoch, log_start: i64) {
        assert!(log_start <= snapshot.offset && snapshot.offset <= self.end, "of what is there");
        if log_start > self.start {
            self.start = log_start;
            let kept = self.epochs.partition_point(|(_, from)| *from <= log_start).max(1) - 1;
            self.epochs.drain(..kept);
            if let Some(first) = self.epochs.first_mut() {
                first.1 = first.1.max(log_start);
            }
        }
        let before = self.latest_snapshot.filter(|before| before.offset == self.start);
        self.earliest_snapshot = match self.earliest_snapshot {
            _ if self.start == snapshot.offset => Some(snapshot),
            Some(earliest) if earliest.offset >= self.start => Some(earliest),
            _ => before.or(Some(snapshot)),
        };
        self.latest_snapshot = Some(snapshot);
    }

    /// The log is empty and begins where `snapshot` ends.
    pub fn restart_at(&mut self, snapshot: OffsetAndEpoch) {
        *self = Self {
            start: snapshot.offset,
            end: snapshot.offset,
            durable: snapshot.offset,
            epochs: Vec::new(),
            earliest_snapshot: Some(snapshot),
            latest_snapshot: Some(snapshot),
        };
    }
}

#[cfg(test)]
mod tests;
