//! A replica's log. What was not synced may be gone after a crash; the high watermark that is written down lags.

use ottla_judge::watch::Entry;
use ottla_replica::LogBounds;
use ottla_replica::follower::EpochEnd;

/// See the module's first line.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    pub(super) entries: Vec<Entry>,
    /// Entries below are on stable storage.
    pub(super) synced: i64,
    pub(super) high_watermark: i64,
    /// The high watermark a restart finds.
    pub(super) written_mark: i64,
}

impl Disk {
    pub(super) fn end(&self) -> i64 {
        self.entries.len() as i64
    }

    pub(super) fn bounds(&self) -> LogBounds {
        LogBounds {
            log_start: 0,
            high_watermark: self.high_watermark,
            durable_end: self.synced,
            log_end: self.end(),
            last_epoch: self.entries.last().map_or(-1, |entry| entry.epoch),
        }
    }

    /// The newest epoch up to `epoch`, and the offset after its last record. One older than all there
    /// is ended where they begin, as the epoch cache of a log says.
    pub(super) fn end_of(&self, epoch: i32) -> EpochEnd {
        if self.entries.is_empty() {
            return EpochEnd { epoch: -1, end_offset: -1 };
        }
        let after = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let epoch = after.checked_sub(1).map_or(epoch, |last| self.entries[last].epoch);
        EpochEnd { epoch, end_offset: after as i64 }
    }

    pub(super) fn raise(&mut self, mark: i64) {
        self.high_watermark = self.high_watermark.max(mark.min(self.end()));
    }

    pub(super) fn truncate(&mut self, to: i64) {
        let to = to.clamp(0, self.end());
        self.entries.truncate(usize::try_from(to).unwrap_or(0));
        self.synced = self.synced.min(to);
        self.high_watermark = self.high_watermark.min(to);
        self.written_mark = self.written_mark.min(to);
    }

    /// The power goes: an unsynced tail survives as far as chance wants.
    pub(super) fn crash(&mut self, survives: i64) {
        let kept = (self.synced + survives).clamp(self.synced, self.end());
        self.truncate(kept);
        self.synced = kept;
        self.high_watermark = self.written_mark;
    }

    /// The process dies and the machine lives: what was written is synced by now.
    pub(super) fn kill(&mut self) {
        self.synced = self.end();
        self.high_watermark = self.written_mark;
    }
}
