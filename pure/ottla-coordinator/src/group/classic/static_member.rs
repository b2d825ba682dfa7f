//! A static member restarts: it takes the place of its former self (KIP-345). The former self is fenced.

use ottla_plant::{Plant, planted};
use ottla_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use ottla_protocol::{ErrorCode, Str};

use super::group::ClassicGroup;
use super::join::{self, Join};
use super::state::State;
use crate::command::Reply;
use crate::group::records;
use crate::group::step::Step;

impl ClassicGroup {
    /// In a stable group whose protocol stays the same nobody else notices.
    pub(super) fn replace_static_member(
        &mut self,
        step: &mut Step,
        join: &Join,
        former_id: &Str,
        new_id: Str,
    ) {
        let former_leader = self.leader.clone().unwrap_or_default();
        self.rename_member(step, former_id, &new_id);
        let update = join.update();
        step.schedule(self.heartbeat_timer(&new_id), update.session_timeout_ms);
        self.park_join(step, &new_id, update);
        match self.state {
            State::Stable if self.select_protocol() == self.protocol => {
                let metadata = self.to_metadata(|member| member.assignment.clone());
                step.append(&self.group_id, records::group_metadata(&self.group_id, &metadata));
                self.answer_replaced(step, join.version, &new_id, former_leader);
            }
            // The leader may have the former id in its hands already, and the assignment would go
            // to a member that is no more.
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(step),
            State::PreparingRebalance | State::Empty => self.try_complete_join(step),
        }
    }

    fn rename_member(&mut self, step: &mut Step, former_id: &Str, new_id: &Str) {
        if let Some(token) = self.take_join(former_id) {
            step.complete(token, join::failed(former_id.clone(), ErrorCode::FencedInstanceId));
        }
        let Some(mut member) = self.members.remove(former_id) else { return };
        if let Some(token) = member.parked_sync.take() {
            let error_code = ErrorCode::FencedInstanceId.code();
            let response = SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
            step.complete(token, Reply::SyncGroup(response));
        }
        step.timers.cancel(&self.heartbeat_timer(former_id));
        self.pending_sync.remove(former_id);
        member.member_id = new_id.clone();
        member.is_new = false;
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), new_id.clone());
        }
        if self.is_leader(former_id) {
            self.leader = Some(new_id.clone());
        }
        if planted(Plant::FencingForgotten) {
            self.members.insert(former_id.clone(), member.clone());
        }
        self.members.insert(new_id.clone(), member);
    }

    /// Before KIP-814 a leader could not be told to keep the assignment: it was shown its former id
    /// as the leader, so that it behaves as a follower and asks for what it had.
    fn answer_replaced(&mut self, step: &mut Step, version: i16, new_id: &Str, former: Str) {
        let is_leader = self.is_leader(new_id);
        let response = if version >= join::SKIP_ASSIGNMENT_VERSION {
            let response = self.join_response(new_id, is_leader);
            JoinGroupResponse { skip_assignment: is_leader, ..response }
        } else {
            JoinGroupResponse { leader: former, ..self.join_response(new_id, false) }
        };
        if let Some(token) = self.take_join(new_id) {
            step.complete(token, Reply::JoinGroup(response));
        }
    }
}
