//! What a follower's answer from its leader makes of its log. What may take long (cutting the log) is
//! left to the fetcher, which does it off the network workers and says when it is done.

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_replica::follower::{Action, Answer, EpochEnd, Event};
use ottla_replica::{FetchPoint, Follower, LogBounds};

use super::hosted::Partition;
use super::replica::Role;
use crate::log::{AppendError, AppendOptions, LogError, Origin};

/// No epoch.
const NO_EPOCH: i32 = -1;

/// A leader's answer for one partition, as it stands in a response.
pub(crate) enum Found {
    Records {
        records: Bytes,
        high_watermark: i64,
        log_start: i64,
    },
    /// The newest epoch up to the follower's that the leader knows, and where it ends.
    Diverging(EpochEnd),
    OutOfRange,
    Refused,
}

/// What is left to do after an answer.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// What was appended is durable once the log is, up to here.
    pub(crate) lsn: Option<u64>,
    pub(crate) cut: Option<Cut>,
    /// The leader is to be asked where its log begins and ends.
    pub(crate) asks_for_bounds: bool,
}

/// A change of the log that reads or removes files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Truncate { to: i64, below_high_watermark: bool },
    Restart { at: i64 },
    LogStart(i64),
}

impl<E: Env> Partition<E> {
    /// Where to fetch from, if this node follows and there is nothing else to do.
    pub(crate) fn fetch_point(&self, now_ms: i64) -> Option<FetchPoint> {
        match &*self.replica.role.lock() {
            Role::Follower(follower) => follower.fetch_point(now_ms, &self.bounds()),
            _ => None,
        }
    }

    /// When a pause of the follower ends.
    pub(crate) fn pauses_until(&self) -> Option<i64> {
        match &*self.replica.role.lock() {
            Role::Follower(follower) => follower.deadline_ms(),
            _ => None,
        }
    }

    /// Takes in the answer to a fetch from `point`. On [`AppendError::Busy`] nothing has happened: to
    /// be tried again once the log has room.
    pub(crate) fn take_in(
        &self,
        point: FetchPoint,
        found: &Found,
        now_ms: i64,
    ) -> Result<Taken, AppendError> {
        let mut role = self.replica.role.lock();
        let Role::Follower(follower) = &mut *role else { return Ok(Taken::default()) };
        let before = follower.clone();
        let mut actions = Vec::new();
        let event = Event::Answered { point, answer: self.answer(found) };
        follower.handle(now_ms, &self.bounds(), event, &mut actions);
        let mut taken = Taken::default();
        for action in actions {
            if let Err(error) = self.carry_out_follower(action, found, follower, &mut taken) {
                *follower = before;
                if !matches!(error, AppendError::Busy) {
                    follower.handle(now_ms, &self.bounds(), Event::Unreachable, &mut Vec::new());
                }
                return Err(error);
            }
        }
        Ok(taken)
    }

    /// Where the leader's log begins and ends, asked after [`Taken::asks_for_bounds`].
    pub(crate) fn take_bounds(
        &self,
        leader_epoch: i32,
        log_start: i64,
        log_end: i64,
        now_ms: i64,
    ) -> Option<Cut> {
        let mut role = self.replica.role.lock();
        let Role::Follower(follower) = &mut *role else { return None };
        let mut actions = Vec::new();
        let event = Event::Bounds { leader_epoch, log_start, log_end };
        follower.handle(now_ms, &self.bounds(), event, &mut actions);
        actions.into_iter().find_map(cut_of)
    }

    /// Cuts the log as it was told in `epoch`. Reads and removes files: for callers that may block.
    /// Answers the position to wait for.
    pub(crate) fn cut(&self, epoch: i32, cut: Cut) -> Result<u64, LogError> {
        let partition = self.log.id();
        match cut {
            Cut::Truncate { to, below_high_watermark } => {
                if below_high_watermark {
                    let high_watermark = self.log.offsets().high_watermark;
                    tracing::warn!(%partition, to, high_watermark, epoch, "records that were \
                        committed are cut off: the leader was elected uncleanly");
                } else {
                    tracing::info!(%partition, to, epoch, "cut off what the leader does not have");
                }
                self.log.truncate_following(epoch, to)
            }
            Cut::Restart { at } => {
                tracing::info!(%partition, at, epoch, "the log begins anew where the leader's does");
                self.log.restart_following(epoch, at)
            }
            Cut::LogStart(offset) => {
                let offset = offset.min(self.log.offsets().high_watermark);
                self.log.delete_records_before(offset).map(|deleted| deleted.lsn)
            }
        }
    }

    /// What was told in `epoch` is done and durable, or never will be.
    pub(crate) fn done(&self, epoch: i32, now_ms: i64) {
        self.as_follower(epoch, now_ms, Event::Done);
    }

    /// The leader of `epoch` cannot be reached, or what it said cannot be done.
    pub(crate) fn unreachable(&self, epoch: i32, now_ms: i64) {
        self.as_follower(epoch, now_ms, Event::Unreachable);
    }

    fn as_follower(&self, epoch: i32, now_ms: i64, event: Event) {
        if let Role::Follower(follower) = &mut *self.replica.role.lock()
            && follower.leader_epoch() == epoch
        {
            follower.handle(now_ms, &self.bounds(), event, &mut Vec::new());
        }
    }

    fn answer(&self, found: &Found) -> Answer {
        match found {
            Found::Records { records, high_watermark, log_start } => Answer::Records {
                high_watermark: *high_watermark,
                log_start: *log_start,
                is_empty: records.is_empty(),
            },
            Found::Diverging(leaders) => {
                let (epoch, end_offset) = self.log.end_offset_for_epoch(leaders.epoch);
                Answer::Diverging { leaders: *leaders, own: EpochEnd { epoch, end_offset } }
            }
            Found::OutOfRange => Answer::OutOfRange,
            Found::Refused => Answer::Refused,
        }
    }

    fn carry_out_follower(
        &self,
        action: Action,
        found: &Found,
        follower: &Follower,
        taken: &mut Taken,
    ) -> Result<(), AppendError> {
        match action {
            Action::Append => {
                let Found::Records { records, .. } = found else { return Ok(()) };
                self.watchers().appending(records.len());
                let options = AppendOptions {
                    leader_epoch: follower.leader_epoch(),
                    origin: Origin::Replica,
                    now_ms: 0,
                    defer_write: true,
                };
                taken.lsn = Some(self.log.append(records.clone(), &options)?.lsn);
            }
            Action::RaiseHighWatermark(offset) => self.log.advance_high_watermark(offset),
            Action::AskBounds => taken.asks_for_bounds = true,
            Action::Truncate { .. } | Action::Restart { .. } | Action::RaiseLogStart(_) => {
                taken.cut = cut_of(action);
            }
        }
        Ok(())
    }

    fn bounds(&self) -> LogBounds {
        let offsets = self.log.offsets();
        LogBounds {
            log_start: offsets.log_start,
            high_watermark: offsets.high_watermark,
            durable_end: offsets.durable_end,
            log_end: offsets.log_end,
            last_epoch: self.log.last_epoch().map_or(NO_EPOCH, |last| last.epoch),
        }
    }
}

fn cut_of(action: Action) -> Option<Cut> {
    match action {
        Action::Truncate { to, below_high_watermark } => {
            Some(Cut::Truncate { to, below_high_watermark })
        }
        Action::Restart { at } => Some(Cut::Restart { at }),
        Action::RaiseLogStart(offset) => Some(Cut::LogStart(offset)),
        Action::Append | Action::RaiseHighWatermark(_) | Action::AskBounds => None,
    }
}

/// Kafka's codes of a fetched partition, as a follower takes them.
pub(crate) fn found_error(code: ErrorCode) -> Found {
    match code {
        ErrorCode::OffsetOutOfRange => Found::OutOfRange,
        _ => Found::Refused,
    }
}
