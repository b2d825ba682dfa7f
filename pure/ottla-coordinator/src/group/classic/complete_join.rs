//! The end of the join phase: whoever is there makes the next generation. Waits for nobody.

use ottla_plant::{Plant, planted};
use ottla_protocol::Str;
use ottla_protocol::messages::JoinGroupResponse;
use ottla_protocol::messages::join_group_response::JoinGroupResponseMember;

use super::group::ClassicGroup;
use super::state::State;
use super::subscription::subscribed_topics;
use crate::command::Reply;
use crate::group::records;
use crate::group::step::Step;
use crate::timers::Timer;

impl ClassicGroup {
    /// Dynamic members that did not come are out; static ones may be restarting and stay.
    pub(super) fn complete_join(&mut self, step: &mut Step) {
        step.timers.cancel(&self.join_timer());
        let absent = self.members.values().filter(|m| m.parked_join.is_none());
        let gone = absent.filter(|m| m.instance_id.is_none());
        let gone: Vec<Str> = gone.map(|m| m.member_id.clone()).collect();
        for member_id in gone {
            self.remove(&member_id);
            step.timers.cancel(&self.heartbeat_timer(&member_id));
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Only absent static members: wait until one comes or the last session ends.
            step.schedule(self.join_timer(), self.rebalance_timeout_ms());
            return;
        }
        self.next_generation(step);
        if self.members.is_empty() {
            let metadata = self.to_metadata(|member| member.assignment.clone());
            step.append(&self.group_id, records::group_metadata(&self.group_id, &metadata));
        } else {
            self.answer_joins(step);
        }
    }

    /// The assignment is computed by a member that is there.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |member_id: &Str| {
            self.members.get(member_id).is_some_and(|member| member.parked_join.is_some())
        };
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let Some(next) = self.members.values().find(|member| member.parked_join.is_some()) else {
            return false;
        };
        self.leader = Some(next.member_id.clone());
        true
    }

    fn next_generation(&mut self, step: &mut Step) {
        if !planted(Plant::GenerationNotAdvanced) {
            self.generation = self.generation.checked_add(1).unwrap_or(1);
        }
        self.protocol = self.select_protocol();
        let next = if self.members.is_empty() { State::Empty } else { State::CompletingRebalance };
        self.transition(step.now, next);
        self.subscribed_topics = subscribed_topics(self);
        self.pending_sync.clear();
    }

    fn answer_joins(&mut self, step: &mut Step) {
        let member_ids: Vec<Str> = self.members.keys().cloned().collect();
        for member_id in &member_ids {
            let response = self.join_response(member_id, self.is_leader(member_id));
            if let Some(token) = self.take_join(member_id) {
                step.complete(token, Reply::JoinGroup(response));
            }
            let member = self.members.get_mut(member_id).expect("its id was just listed");
            member.is_new = false;
            let session_timeout_ms = member.session_timeout_ms;
            step.schedule(self.heartbeat_timer(member_id), session_timeout_ms);
        }
        self.pending_sync = member_ids.into_iter().collect();
        let timer = Timer::Sync { group: self.group_id.clone() };
        step.schedule(timer, self.rebalance_timeout_ms());
    }

    /// The current generation, as told to `member_id`.
    pub(super) fn join_response(&self, member_id: &Str, with_members: bool) -> JoinGroupResponse {
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = self.members.values().filter(|_| with_members);
        let members = members.map(|member| JoinGroupResponseMember {
            member_id: member.member_id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(&protocol),
            ..Default::default()
        });
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member_id.clone(),
            members: members.collect(),
            ..JoinGroupResponse::default()
        }
    }

    pub(super) fn heartbeat_timer(&self, member_id: &Str) -> Timer {
        Timer::Heartbeat { group: self.group_id.clone(), member: member_id.clone() }
    }
}
