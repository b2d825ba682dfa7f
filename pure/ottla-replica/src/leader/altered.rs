//! The controller's answer to a request for another ISR.

use ottla_plant::{Plant, planted};

use super::{Action, Leader};

/// How long to wait before a question is put again.
const AGAIN_MS: i64 = 500;
/// A question whose answer did not come may lie on the way for so long, and be decided then: longer than
/// whoever carries it waits for an answer.
const UNDECIDED_MS: i64 = 10_000;

/// An answer, and to which question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Altered<'a> {
    /// Those of the question.
    pub leader_epoch: i32,
    pub partition_epoch: i32,
    pub outcome: AlterOutcome<'a>,
}

/// What the controller did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlterOutcome<'a> {
    /// It noted this state.
    Noted { leader_epoch: i32, partition_epoch: i32, isr: &'a [i32] },
    /// It did nothing, and will not do it: a replica may not be in sync (INELIGIBLE_REPLICA), or
    /// the request as a whole was not attempted. What was asked for is dropped.
    Refused,
    /// It knows the partition in another state (a fenced leader, an invalid update version), or it is
    /// not known what it did. The question stays open: it may have been decided in our favour, and
    /// the news be on its way.
    Unknown,
}

impl Leader {
    pub(super) fn altered(&mut self, now_ms: i64, altered: &Altered<'_>, out: &mut Vec<Action>) {
        let is_ours = altered.leader_epoch == self.leader_epoch
            && altered.partition_epoch == self.partition_epoch;
        if !is_ours || !self.isr.is_pending() {
            return;
        }
        match altered.outcome {
            AlterOutcome::Noted { leader_epoch, partition_epoch, isr } => {
                // Of a later epoch the image will tell; until then nothing is known of this one.
                if leader_epoch == self.leader_epoch && partition_epoch >= self.partition_epoch {
                    self.partition_epoch = partition_epoch;
                    self.install(isr, out);
                } else {
                    self.ask_again_at(now_ms.saturating_add(AGAIN_MS));
                }
            }
            // An earlier question of the same may be on its way yet, and be decided in our favour
            // when the replica is back: it goes on counting.
            AlterOutcome::Refused
                if now_ms < self.undecided_until_ms && !planted(Plant::RefusalBelieved) =>
            {
                self.ask_again_at(now_ms.saturating_add(AGAIN_MS));
            }
            AlterOutcome::Refused => {
                self.isr.pending = None;
                self.quiet_until_ms = now_ms.saturating_add(AGAIN_MS);
            }
            AlterOutcome::Unknown => {
                self.undecided_until_ms = now_ms.saturating_add(UNDECIDED_MS);
                self.ask_again_at(now_ms.saturating_add(AGAIN_MS));
            }
        }
    }

    fn ask_again_at(&mut self, at_ms: i64) {
        if let Some(pending) = &mut self.isr.pending {
            pending.again_ms = Some(at_ms);
        }
    }
}
