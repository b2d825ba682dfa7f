//! Into PreparingRebalance, and out of it as soon as everyone is there. Never decides who is in time.

use ottla_protocol::ErrorCode;

use super::group::ClassicGroup;
use super::state::State;
use crate::group::step::Step;
use crate::timers::Timer;

impl ClassicGroup {
    /// Something about the members changed: start over, or see whether that completes the join.
    pub(super) fn rebalance_or_complete_join(&mut self, step: &mut Step) {
        if self.state == State::PreparingRebalance {
            self.try_complete_join(step);
        } else {
            self.prepare_rebalance(step);
        }
    }

    /// Asks every member to join again. The first rebalance of a group waits for more members.
    pub(crate) fn prepare_rebalance(&mut self, step: &mut Step) {
        if self.state == State::CompletingRebalance {
            self.fail_parked_syncs(step, ErrorCode::RebalanceInProgress);
        }
        self.pending_sync.clear();
        step.timers.cancel(&Timer::Sync { group: self.group_id.clone() });
        let is_first = self.state == State::Empty;
        self.transition(step.now, State::PreparingRebalance);
        if is_first {
            let delay_ms = step.settings.initial_rebalance_delay_ms.max(0);
            let left_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
            self.initial_delay = (delay_ms, left_ms);
            self.new_member_added = false;
            step.schedule(self.join_timer(), delay_ms);
        } else if self.has_all_members_joined() {
            self.complete_join(step);
        } else {
            step.schedule(self.join_timer(), self.rebalance_timeout_ms());
        }
    }

    /// Goes on once all are there, except that the first rebalance always takes its delay.
    pub(super) fn try_complete_join(&mut self, step: &mut Step) {
        let is_first = self.previous_state == State::Empty;
        if self.state == State::PreparingRebalance && !is_first && self.has_all_members_joined() {
            self.complete_join(step);
        }
    }

    /// The join timer fell due. While members still come, a first rebalance is delayed further, up
    /// to the rebalance timeout.
    pub(crate) fn join_timeout(&mut self, step: &mut Step) {
        if self.state != State::PreparingRebalance {
            return;
        }
        let (delay_ms, left_ms) = self.initial_delay;
        if self.previous_state == State::Empty && self.new_member_added && left_ms != 0 {
            self.new_member_added = false;
            let next_ms = step.settings.initial_rebalance_delay_ms.max(0).min(left_ms);
            self.initial_delay = (next_ms, left_ms.saturating_sub(delay_ms).max(0));
            step.schedule(self.join_timer(), next_ms);
        } else {
            self.complete_join(step);
        }
    }

    pub(super) fn join_timer(&self) -> Timer {
        Timer::Join { group: self.group_id.clone() }
    }
}
