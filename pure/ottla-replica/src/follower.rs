//! A follower of one partition in one leader epoch: where it fetches from, and what an answer makes of
//! its log.
//!
//! It fetches from its log end, and only once all of it is on stable storage: the offset it asks for is
//! what the leader counts on. An answer is taken for what it is only if it belongs to this epoch and to
//! the log as it stands; a delayed one is void (KAFKA-18991). Where the logs diverge the follower cuts its
//! own before it learns anything else (KIP-101, KIP-279, KAFKA-14704).

use ottla_plant::{Plant, planted};

/// Where a fetch begins, and what the follower is when it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchPoint {
    pub leader_epoch: i32,
    pub offset: i64,
    /// The epoch of the last record below `offset`; -1 where there is none.
    pub last_fetched_epoch: i32,
}

/// Where the follower's log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    pub log_start: i64,
    pub high_watermark: i64,
    pub durable_end: i64,
    pub log_end: i64,
    /// The newest leader epoch in it; -1 where there is none.
    pub last_epoch: i32,
}

/// An epoch and the offset after its last record; -1 and -1 where nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    pub epoch: i32,
    pub end_offset: i64,
}

/// What the leader answered to a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Records that follow what we have, or none yet.
    Records { high_watermark: i64, log_start: i64, is_empty: bool },
    /// The logs are not the same up to the point: the newest epoch up to ours that the leader knows,
    /// and where our own log ends that epoch, or the newest before it.
    Diverging { leaders: EpochEnd, own: EpochEnd },
    /// The point lies outside the leader's log.
    OutOfRange,
    /// It does not answer for this partition, or not now.
    Refused,
}

/// What happens to a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Answered {
        point: FetchPoint,
        answer: Answer,
    },
    /// Where the leader's log begins and ends, asked in this epoch.
    Bounds {
        leader_epoch: i32,
        log_start: i64,
        log_end: i64,
    },
    /// What was asked of the log is done, in part or not at all: it stands as the bounds say.
    Done,
    /// The leader cannot be reached, or said nothing of use.
    Unreachable,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The records of this answer.
    Append,
    /// Drop what reaches `to` or lies beyond; the leader has something else there.
    Truncate {
        to: i64,
        below_high_watermark: bool,
    },
    /// Drop everything; the log goes on at this offset.
    Restart {
        at: i64,
    },
    RaiseHighWatermark(i64),
    RaiseLogStart(i64),
    /// Ask the leader where its log begins and ends.
    AskBounds,
}

/// What a follower is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Fetching,
    /// The log is being changed.
    Busy,
    /// The leader was asked for its bounds.
    Asking,
    Pausing {
        until_ms: i64,
    },
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    leader: i32,
    leader_epoch: i32,
    phase: Phase,
    /// `replica.fetch.backoff.ms`: the longest pause.
    backoff_ms: i64,
    /// Pauses since the last answer: the first is short, for leader and follower may have learned of
    /// the epoch one just before the other.
    pauses: u32,
}

/// The first pause; each is twice the one before.
const PAUSE_MIN_MS: i64 = 20;

impl Follower {
    /// A follower at the beginning of an epoch.
    pub fn new(leader: i32, leader_epoch: i32, backoff_ms: i64) -> Follower {
        Follower { leader, leader_epoch, phase: Phase::Fetching, backoff_ms, pauses: 0 }
    }

    /// Whom it follows; below zero nobody.
    pub fn leader(&self) -> i32 {
        self.leader
    }

    /// The epoch it follows in.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Where to fetch from, if that is what there is to do now.
    pub fn fetch_point(&self, now_ms: i64, log: &LogBounds) -> Option<FetchPoint> {
        let is_due = match self.phase {
            Phase::Fetching => true,
            Phase::Pausing { until_ms } => until_ms <= now_ms,
            Phase::Busy | Phase::Asking => false,
        };
        let is_durable = log.durable_end == log.log_end || planted(Plant::FollowerTellsUnsynced);
        (is_due && is_durable && self.leader >= 0).then_some(self.point(log))
    }

    /// Whether the leader is to be asked for its bounds now.
    pub fn asks_for_bounds(&self) -> bool {
        self.phase == Phase::Asking
    }

    /// When a pause ends.
    pub fn deadline_ms(&self) -> Option<i64> {
        match self.phase {
            Phase::Pausing { until_ms } => Some(until_ms),
            _ => None,
        }
    }

    /// The only way in.
    pub fn handle(&mut self, now_ms: i64, log: &LogBounds, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Answered { point, answer }
                if point == self.point(log) || planted(Plant::OldRecordsTaken) =>
            {
                self.answered(now_ms, log, answer, out);
            }
            // Delayed: it was asked in another epoch, or the log has changed since.
            Event::Answered { .. } => {}
            Event::Bounds { leader_epoch, log_start, log_end } => {
                if leader_epoch == self.leader_epoch && self.phase == Phase::Asking {
                    self.phase = Phase::Busy;
                    go_within(log, log_start, log_end, out);
                    if out.is_empty() {
                        self.pause(now_ms);
                    }
                }
            }
            Event::Done => {
                if self.phase == Phase::Busy {
                    self.phase = Phase::Fetching;
                }
            }
            Event::Unreachable => self.pause(now_ms),
        }
    }

    fn answered(&mut self, now_ms: i64, log: &LogBounds, answer: Answer, out: &mut Vec<Action>) {
        match answer {
            Answer::Records { high_watermark, log_start, is_empty } => {
                (self.phase, self.pauses) = (Phase::Fetching, 0);
                if !is_empty {
                    self.phase = Phase::Busy;
                    out.push(Action::Append);
                }
                if high_watermark > log.high_watermark {
                    out.push(Action::RaiseHighWatermark(high_watermark));
                }
                if log_start > log.log_start {
                    out.push(Action::RaiseLogStart(log_start));
                }
            }
            Answer::Diverging { leaders, own } => {
                self.phase = Phase::Busy;
                out.push(cut(log, leaders, own));
            }
            Answer::OutOfRange => {
                self.phase = Phase::Asking;
                out.push(Action::AskBounds);
            }
            Answer::Refused => self.pause(now_ms),
        }
    }

    fn pause(&mut self, now_ms: i64) {
        let pause_ms = (PAUSE_MIN_MS << self.pauses.min(16)).min(self.backoff_ms);
        self.pauses += 1;
        self.phase = Phase::Pausing { until_ms: now_ms.saturating_add(pause_ms) };
    }

    fn point(&self, log: &LogBounds) -> FetchPoint {
        FetchPoint {
            leader_epoch: self.leader_epoch,
            offset: log.log_end,
            last_fetched_epoch: log.last_epoch,
        }
    }
}

/// Where a log that diverges is cut. Below its own high watermark only if the leader shows what it has
/// there instead, which is so after an unclean election and never else.
fn cut(log: &LogBounds, leaders: EpochEnd, own: EpochEnd) -> Action {
    let to = if leaders.epoch < 0 || leaders.end_offset < 0 {
        // The leader knows of no epoch up to ours: it shows nothing.
        log.high_watermark
    } else if own.epoch < 0 {
        leaders.end_offset
    } else if own.epoch == leaders.epoch {
        leaders.end_offset.min(own.end_offset)
    } else {
        // The leader's epoch is none of ours: what we have above an older one goes, and the next
        // fetch asks about that.
        own.end_offset
    };
    let to = if planted(Plant::ReplicaCutToHighWatermark) { log.high_watermark } else { to };
    let to = to.min(log.log_end);
    if to < log.log_start {
        // Nothing of ours is the leader's: what it has, from the first record on.
        return Action::Restart { at: 0 };
    }
    Action::Truncate { to, below_high_watermark: to < log.high_watermark }
}

/// Brings a log whose end lies outside the leader's within it.
fn go_within(log: &LogBounds, log_start: i64, log_end: i64, out: &mut Vec<Action>) {
    if log_end < log.log_start || log_start > log.log_end {
        out.push(Action::Restart { at: log_start });
    } else if log_end < log.log_end {
        let below_high_watermark = log_end < log.high_watermark;
        out.push(Action::Truncate { to: log_end, below_high_watermark });
    }
}

#[cfg(test)]
mod tests;
