//! One follower as its leader sees it: how far it is, since when, and in which life of its broker.

/// A broker epoch that nobody told.
pub(crate) const NO_BROKER_EPOCH: i64 = -1;
/// The position of a follower that has not fetched in this epoch.
pub(crate) const UNKNOWN: i64 = -1;

/// One follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) id: i32,
    /// Of the life of the broker that fetched last.
    pub(crate) broker_epoch: i64,
    /// Everything below is on its stable storage; [`UNKNOWN`] before its first fetch.
    pub(crate) end: i64,
    pub(crate) log_start: i64,
    /// The last moment at which it had all that the leader had.
    pub(crate) caught_up_ms: i64,
    /// Whether the cluster lets this life of its broker into an ISR.
    pub(crate) is_eligible: bool,
    /// When it fetched last, and where the leader's log ended then.
    fetched_ms: i64,
    leader_end_then: i64,
}

impl Progress {
    /// One that has not fetched yet. A member of the ISR is given the full time to show up.
    pub(crate) fn new(id: i32, in_isr: bool, now_ms: i64) -> Progress {
        Progress {
            id,
            broker_epoch: NO_BROKER_EPOCH,
            end: UNKNOWN,
            log_start: UNKNOWN,
            caught_up_ms: if in_isr { now_ms } else { i64::MIN / 2 },
            is_eligible: in_isr,
            fetched_ms: i64::MIN / 2,
            leader_end_then: i64::MAX,
        }
    }

    /// Takes note of a fetch from `end` on while the leader's log ended at `leader_end`. One that
    /// has now what the leader had at the fetch before was caught up at that time.
    pub(crate) fn note(&mut self, end: i64, log_start: i64, leader_end: i64, now_ms: i64) {
        if end >= leader_end {
            self.caught_up_ms = self.caught_up_ms.max(now_ms);
        } else if end >= self.leader_end_then {
            self.caught_up_ms = self.caught_up_ms.max(self.fetched_ms);
        }
        (self.end, self.log_start) = (end, log_start);
        (self.leader_end_then, self.fetched_ms) = (leader_end, now_ms);
    }

    /// Whether it has everything, or had it recently.
    pub(crate) fn is_caught_up(&self, leader_end: i64, now_ms: i64, lag_max_ms: i64) -> bool {
        self.end == leader_end || now_ms.saturating_sub(self.caught_up_ms) <= lag_max_ms
    }
}
