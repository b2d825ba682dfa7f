//! Timers of a group that fell due: members not heard of, members that never asked for their share.

use ottla_plant::{Plant, planted};
use ottla_protocol::{ErrorCode, Str};

use super::group::ClassicGroup;
use super::join;
use super::state::State;
use super::sync;
use crate::group::step::Step;

impl ClassicGroup {
    /// A session timeout, or the end of a new member's patience.
    pub(crate) fn session_timeout(&mut self, step: &mut Step, member_id: &Str) {
        if self.pending_members.contains(member_id) {
            self.remove(member_id);
            if self.state == State::PreparingRebalance && self.has_all_members_joined() {
                self.complete_join(step);
            }
            return;
        }
        let Some(member) = self.members.get(member_id) else { return };
        if member.has_satisfied_heartbeat() || planted(Plant::DeadMemberStays) {
            return;
        }
        self.drop_member(step, member_id);
        match self.state {
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(step),
            State::PreparingRebalance if self.has_all_members_joined() => {
                self.complete_join(step);
            }
            State::PreparingRebalance | State::Empty => {}
        }
    }

    /// Members that joined this generation and did not fetch their assignment in time are out.
    pub(crate) fn sync_timeout(&mut self, step: &mut Step) {
        if self.pending_sync.is_empty()
            || !matches!(self.state, State::CompletingRebalance | State::Stable)
        {
            return;
        }
        for member_id in std::mem::take(&mut self.pending_sync) {
            self.drop_member(step, &member_id);
        }
        self.prepare_rebalance(step);
    }

    /// Everyone who waits is told `error`; the group as it was in memory is no more.
    pub(crate) fn fail_all(&mut self, step: &mut Step, error: ErrorCode) {
        for member_id in self.members.keys().cloned().collect::<Vec<_>>() {
            step.timers.cancel(&self.heartbeat_timer(&member_id));
            if let Some(token) = self.take_join(&member_id) {
                step.complete(token, join::failed(member_id.clone(), error));
            }
            let member = self.members.get_mut(&member_id).expect("its id was just listed");
            if let Some(token) = member.parked_sync.take() {
                step.complete(token, sync::failed(error));
            }
        }
        for member_id in &self.pending_members {
            step.timers.cancel(&self.heartbeat_timer(member_id));
        }
        step.timers.cancel(&self.join_timer());
        step.timers.cancel(&crate::timers::Timer::Sync { group: self.group_id.clone() });
    }
}
