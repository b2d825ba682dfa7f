//! The leader's own records, and when they are committed.

use ottla_plant::{Plant, planted};

use crate::action::Action;
use crate::offset::OffsetAndEpoch;
use crate::raft::Raft;
use crate::role::Role;

/// Why records were not taken: this replica does not lead; `leader` in the election state may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotLeader;

impl Raft {
    /// Takes a place in the log for one batch of `count` records, which the driver appends at the offset returned,
    /// with the epoch returned, before it does the actions.
    ///
    /// # Errors
    /// This replica does not lead.
    pub fn propose(
        &mut self,
        now_ms: i64,
        count: i64,
        out: &mut Vec<Action>,
    ) -> Result<(i64, i32), NotLeader> {
        assert!(count > 0, "a batch has records");
        if !matches!(self.role, Role::Leader(_)) {
            return Err(NotLeader);
        }
        let place = (self.log.end, self.election.epoch);
        self.log.append(self.election.epoch, count);
        self.answer_parked(now_ms, out);
        Ok(place)
    }

    /// The log up to `at` is on stable storage; a report of a history that was cut is void.
    pub(super) fn durable(&mut self, now_ms: i64, at: OffsetAndEpoch, out: &mut Vec<Action>) {
        if !self.log.contains(at) || at.offset <= self.log.durable {
            return;
        }
        self.log.durable = at.offset;
        self.advance(now_ms, out);
    }

    /// Moves the high watermark to what a majority has.
    pub(super) fn advance(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        let durable = match planted(Plant::LeaderCountsUnsynced) {
            true => self.log.end,
            false => self.log.durable,
        };
        let Role::Leader(leader) = &mut self.role else { return };
        if let Some(high_watermark) = leader.advance(durable) {
            self.commit(high_watermark, out);
            self.answer_parked(now_ms, out);
            self.voters_committed(now_ms, out);
        }
    }

    /// What this replica passes on as committed never goes back, though a new leader's own mark may stand lower at first.
    pub(super) fn commit(&mut self, high_watermark: i64, out: &mut Vec<Action>) {
        if high_watermark > self.committed {
            assert!(high_watermark <= self.log.end, "what is committed is in the log");
            self.committed = high_watermark;
            out.push(Action::Committed { high_watermark });
        }
    }
}
