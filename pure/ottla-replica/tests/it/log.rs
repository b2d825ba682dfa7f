//! A replica's log: in memory, and as much of it as a crash leaves. The leader epochs are kept by the
//! real log's cache of them.

use ottla_log::epochs::EpochCache;
use ottla_replica::LogBounds;
use ottla_replica::follower::EpochEnd;
use ottla_replica::leader::OwnLog;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) epoch: i32,
    pub(crate) value: u64,
}

/// What of a log is written as one.
#[derive(Debug, Clone, Default)]
struct Content {
    /// From offset 0 on; those below the start are gone, and kept here to be compared.
    records: Vec<Record>,
    start: usize,
    epochs: EpochCache,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    content: Content,
    /// What the log was after each write since the last sync: a crash leaves any of them.
    unsynced: Vec<Content>,
    synced: Content,
    pub(crate) durable: usize,
    pub(crate) high_watermark: usize,
    /// The high watermark that a crash leaves.
    pub(crate) checkpointed: usize,
}

impl Log {
    pub(crate) fn end(&self) -> usize {
        self.content.records.len()
    }

    pub(crate) fn start(&self) -> usize {
        self.content.start
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.content.records
    }

    pub(crate) fn append(&mut self, record: Record) {
        self.content.epochs.assign(record.epoch, self.end() as i64);
        self.content.records.push(record);
        self.written();
    }

    /// A leader's first act.
    pub(crate) fn begin_epoch(&mut self, epoch: i32) {
        self.content.epochs.assign(epoch, self.end() as i64);
        self.written();
    }

    pub(crate) fn truncate(&mut self, to: usize) {
        assert!(to >= self.content.start);
        self.content.records.truncate(to);
        self.content.epochs.truncate_from_end(to as i64);
        self.durable = self.durable.min(to);
        self.high_watermark = self.high_watermark.min(to);
        self.checkpointed = self.checkpointed.min(to);
        self.written();
    }

    /// Everything goes; what is below `at` is taken from `truth`, to be compared later.
    pub(crate) fn restart(&mut self, at: usize, truth: &[Record]) {
        self.content.records = truth[..at].to_vec();
        self.content.start = at;
        self.content.epochs.clear();
        (self.durable, self.high_watermark, self.checkpointed) = (at, at, at);
        self.written();
    }

    pub(crate) fn raise_start(&mut self, to: usize) {
        let to = to.min(self.high_watermark);
        if to > self.content.start {
            self.content.start = to;
            self.content.epochs.truncate_from_start(to as i64);
            self.written();
        }
    }

    pub(crate) fn sync(&mut self) {
        self.synced = self.content.clone();
        self.unsynced.clear();
        self.durable = self.end();
    }

    /// A power cut: what was synced, and of what came after any part that was written in order.
    pub(crate) fn crash(&mut self, choice: usize) {
        let left = choice % (self.unsynced.len() + 1);
        if left > 0 {
            self.synced = self.unsynced.swap_remove(left - 1);
        }
        self.unsynced.clear();
        self.content = self.synced.clone();
        self.durable = self.end();
        self.high_watermark = self.checkpointed.clamp(self.start(), self.end());
    }

    pub(crate) fn own(&self) -> OwnLog {
        OwnLog {
            high_watermark: self.high_watermark as i64,
            durable_end: self.durable as i64,
            log_end: self.end() as i64,
            epoch_start: self.end() as i64,
        }
    }

    pub(crate) fn bounds(&self) -> LogBounds {
        LogBounds {
            log_start: self.start() as i64,
            high_watermark: self.high_watermark as i64,
            durable_end: self.durable as i64,
            log_end: self.end() as i64,
            last_epoch: self.content.epochs.latest().map_or(-1, |latest| latest.epoch),
        }
    }

    pub(crate) fn end_of(&self, epoch: i32) -> EpochEnd {
        let (epoch, end_offset) = self.content.epochs.end_offset_for(epoch, self.end() as i64);
        EpochEnd { epoch, end_offset }
    }

    /// What a power cut leaves for certain.
    pub(crate) fn stable(&self) -> &[Record] {
        &self.synced.records
    }

    pub(crate) fn is_synced(&self) -> bool {
        self.unsynced.is_empty()
    }

    /// Writes since the last sync.
    pub(crate) fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    fn written(&mut self) {
        self.unsynced.push(self.content.clone());
    }
}
