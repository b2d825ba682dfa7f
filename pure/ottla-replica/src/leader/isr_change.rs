//! Who is taken into the ISR and who is left out: what the controller is asked for, at most one thing at
//! a time.

use ottla_plant::{Plant, planted};
use smallvec::SmallVec;

use super::{Action, Leader, PartitionState, Proposal};
use crate::isr::{Ids, Member, Pending};
use crate::progress::UNKNOWN;

impl Leader {
    /// Asks for a follower that has reached the high watermark and the beginning of this epoch: what
    /// was committed before this epoch lies below the one or the other.
    pub(super) fn expand(&mut self, now_ms: i64, id: i32, out: &mut Vec<Action>) {
        let is_quiet = now_ms < self.quiet_until_ms;
        let never = planted(Plant::IsrNeverGrows);
        if self.isr.is_pending() || is_quiet || never || self.isr.committed.contains(&id) {
            return;
        }
        let Some(follower) = self.followers.iter().find(|follower| follower.id == id) else {
            return;
        };
        let is_there = follower.end >= self.high_watermark && follower.end >= self.epoch_start
            || planted(Plant::JoinsBehind);
        if !follower.is_eligible || follower.end == UNKNOWN || !is_there {
            return;
        }
        let mut members = self.isr.committed.clone();
        members.push(id);
        self.ask(&members, out);
    }

    /// Time has passed: puts a question again, or leaves out those who lag.
    pub(super) fn tick(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        if let Some(pending) = &self.isr.pending {
            if pending.again_ms.is_some_and(|again| again <= now_ms) {
                let members: Ids = pending.members.iter().map(|member| member.id).collect();
                self.ask(&members, out);
            }
            return;
        }
        let lags = |id: &i32| {
            self.followers.iter().any(|follower| {
                follower.id == *id
                    && !follower.is_caught_up(self.log_end, now_ms, self.settings.lag_max_ms)
            })
        };
        let kept: Ids = self.isr.committed.iter().copied().filter(|id| !lags(id)).collect();
        if kept.len() < self.isr.committed.len() {
            self.ask(&kept, out);
            return;
        }
        // A level, not an edge: one who could not be asked for when it fetched is asked for now.
        let ids: Ids = self.followers.iter().map(|follower| follower.id).collect();
        for id in ids {
            let caught_up = self.followers.iter().any(|follower| {
                follower.id == id
                    && follower.is_caught_up(self.log_end, now_ms, self.settings.lag_max_ms)
            });
            if caught_up {
                self.expand(now_ms, id, out);
            }
        }
    }

    /// The controller noted another state. An older one than is known here says nothing new.
    pub(super) fn changed(
        &mut self,
        now_ms: i64,
        state: &PartitionState<'_>,
        out: &mut Vec<Action>,
    ) {
        assert_eq!(state.leader_epoch, self.leader_epoch, "another epoch is another leader");
        if state.partition_epoch > self.partition_epoch {
            self.partition_epoch = state.partition_epoch;
            // Whatever was asked for before was decided: its partition epoch is gone.
            self.install(state.isr, out);
        }
        self.assign(state.replicas, now_ms);
    }

    /// The controller's word on who is in sync.
    pub(super) fn install(&mut self, isr: &[i32], out: &mut Vec<Action>) {
        self.isr.pending = None;
        self.undecided_until_ms = i64::MIN;
        if self.isr.committed.as_slice() != isr {
            // Whom the controller left out is not waited for, until a fetch shows that it lives.
            for follower in &mut self.followers {
                if self.isr.committed.contains(&follower.id) && !isr.contains(&follower.id) {
                    follower.is_eligible = false;
                }
            }
            self.isr.committed = Ids::from_slice(isr);
            out.push(Action::IsrChanged);
        }
    }

    fn ask(&mut self, ids: &[i32], out: &mut Vec<Action>) {
        let members: SmallVec<[Member; 5]> = ids.iter().map(|id| self.member(*id)).collect();
        assert!(members.iter().any(|member| member.id == self.node_id), "a leader is in sync");
        self.isr.pending = Some(Pending { members: members.clone(), again_ms: None });
        out.push(Action::AlterPartition(Proposal {
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            isr: members,
        }));
    }

    fn member(&self, id: i32) -> Member {
        if id == self.node_id {
            return Member { id, broker_epoch: self.broker_epoch };
        }
        let follower = self.followers.iter().find(|follower| follower.id == id);
        follower
            .map_or(Member::bare(id), |follower| Member { id, broker_epoch: follower.broker_epoch })
    }
}
