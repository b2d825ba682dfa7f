//! Where the reading of one partition stands.

use ottla_env::MonoTime;

use super::decode::Fetched;
use crate::offsets::OffsetSpec;

/// One assigned partition.
pub(super) struct Place {
    /// The offset after the last record handed out; `None` until it is found.
    pub(super) position: Option<i64>,
    /// How to find it, where that is not by the group's offsets and the consumer's setting.
    pub(super) spec: Option<OffsetSpec>,
    pub(super) fetched: Option<Fetched>,
    pub(super) paused: bool,
    /// Asked for in a fetch on its way.
    pub(super) in_flight: bool,
    /// Nothing is asked before, after a failure.
    pub(super) not_before: MonoTime,
    pub(super) high_watermark: i64,
    pub(super) last_stable_offset: i64,
    /// Of the last record handed out.
    pub(super) leader_epoch: i32,
    pub(super) committed: Option<i64>,
}

impl Place {
    pub(super) fn new() -> Place {
        Place {
            position: None,
            spec: None,
            fetched: None,
            paused: false,
            in_flight: false,
            not_before: MonoTime::default(),
            high_watermark: -1,
            last_stable_offset: -1,
            leader_epoch: -1,
            committed: None,
        }
    }

    /// Goes on from an offset; what was fetched elsewhere is dropped.
    pub(super) fn seek(&mut self, offset: i64) {
        self.position = Some(offset);
        self.spec = None;
        self.fetched = None;
    }

    /// The position is to be found anew.
    pub(super) fn reset(&mut self, spec: OffsetSpec) {
        self.position = None;
        self.spec = Some(spec);
        self.fetched = None;
    }

    /// The offset to fetch from, if it is time.
    pub(super) fn wants(&self, now: MonoTime) -> Option<i64> {
        let idle = !self.in_flight && !self.paused && self.fetched.is_none();
        self.position.filter(|_| idle && self.not_before <= now)
    }
}
