//! JoinGroup: a member comes, or comes again. Answers at once only if no rebalance is needed.

use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use ottla_protocol::{ErrorCode, Str};

use super::group::{ClassicGroup, Update};
use super::member::{self, Member, same_protocols};
use super::state::State;
use crate::command::{Client, Reply, Token};
use crate::group::hard::Hard;
use crate::group::records;
use crate::group::soft::LiveGroups;
use crate::group::step::Step;
use crate::timers::Timer;

/// From this version on a dynamic member learns its id before it takes part (KIP-394).
const MEMBER_ID_REQUIRED_VERSION: i16 = 4;
/// From this version on a static leader can be told to keep the assignment (KIP-814).
pub(super) const SKIP_ASSIGNMENT_VERSION: i16 = 9;

/// One JoinGroup request.
pub(crate) struct Join {
    pub(crate) token: Token,
    pub(crate) client: Client,
    pub(crate) version: i16,
    pub(crate) member_suffix: Str,
    pub(crate) request: JoinGroupRequest,
}

impl Join {
    /// Version 0 knows no rebalance timeout; there, and where it is nothing, the session's counts.
    /// A member that is removed the moment it joins serves nobody.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        match self.request.rebalance_timeout_ms {
            timeout if self.version >= 1 && timeout > 0 => timeout,
            _ => self.request.session_timeout_ms,
        }
    }

    pub(super) fn new_member_id(&self) -> Str {
        let prefix = self.request.group_instance_id.as_ref().unwrap_or(&self.client.client_id);
        Str::from(format!("{prefix}-{}", self.member_suffix))
    }

    pub(super) fn update(&self) -> Update {
        Update {
            token: self.token,
            rebalance_timeout_ms: self.rebalance_timeout_ms(),
            session_timeout_ms: self.request.session_timeout_ms,
            protocols: member::protocols(&self.request.protocols),
        }
    }

    fn fail(&self, step: &mut Step, member_id: &Str, error: ErrorCode) {
        step.complete(self.token, failed(member_id.clone(), error));
    }

    fn names(&self) -> impl Iterator<Item = &Str> {
        self.request.protocols.iter().map(|p: &JoinGroupRequestProtocol| &p.name)
    }
}

/// An answer that carries nothing but an error.
pub(super) fn failed(member_id: Str, error: ErrorCode) -> Reply {
    Reply::JoinGroup(JoinGroupResponse {
        member_id,
        error_code: error.code(),
        protocol_name: None,
        ..JoinGroupResponse::default()
    })
}

/// Handles the request. A new group is written down even if nobody is in it yet, so that the ids it
/// hands out are known to belong to it.
pub(crate) fn join(groups: &mut LiveGroups, hard: &Hard, step: &mut Step, join: &Join) {
    let request = &join.request;
    if request.group_id.is_empty() {
        return join.fail(step, &request.member_id, ErrorCode::InvalidGroupId);
    }
    let allowed = step.settings.min_session_timeout_ms..=step.settings.max_session_timeout_ms;
    if !allowed.contains(&request.session_timeout_ms) {
        return join.fail(step, &request.member_id, ErrorCode::InvalidSessionTimeout);
    }
    let is_new_group = !groups.exists(hard, &request.group_id);
    if is_new_group {
        if !request.member_id.is_empty() {
            return join.fail(step, &request.member_id, ErrorCode::UnknownMemberId);
        }
        let id = request.group_id.detach();
        groups.live.insert(id.clone(), ClassicGroup::new(id, step.now));
    }
    let group = groups.get_or_wake(hard, &request.group_id).expect("it exists by now");
    let records_before = step.decision.records.len();
    group.join(step, join);
    if is_new_group && step.decision.records.len() == records_before {
        let mut metadata = group.to_metadata(|member| member.assignment.clone());
        (metadata.protocol_type, metadata.protocol, metadata.leader) = (None, None, None);
        metadata.members.clear();
        step.append(&group.group_id, records::group_metadata(&group.group_id, &metadata));
    }
}

impl ClassicGroup {
    fn join(&mut self, step: &mut Step, join: &Join) {
        let member_id = &join.request.member_id;
        if !self.accepts(step, member_id) {
            self.remove(member_id);
            return join.fail(step, &Str::default(), ErrorCode::GroupMaxSizeReached);
        }
        if !self.supports(&join.request.protocol_type, join.names()) {
            return join.fail(step, member_id, ErrorCode::InconsistentGroupProtocol);
        }
        if member_id.is_empty() {
            self.join_unknown(step, join);
        } else if self.pending_members.contains(member_id) {
            if join.request.group_instance_id.is_some() {
                // An id that was given out for a dynamic member.
                return join.fail(step, member_id, ErrorCode::UnknownMemberId);
            }
            self.add_member(step, join, member_id.detach());
        } else {
            self.join_known(step, join);
        }
    }

    /// Whether `group.max.size` leaves room. While a rebalance is prepared only those count who have
    /// joined, so that a group that is too big sheds the last to come.
    fn accepts(&self, step: &Step, member_id: &str) -> bool {
        let known = self.members.get(member_id);
        let room = match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                known.is_some_and(|member| member.parked_join.is_some())
                    || self.members_joined() < step.settings.max_size
            }
            State::CompletingRebalance | State::Stable => {
                known.is_some() || self.members.len() < step.settings.max_size
            }
        };
        room && (!member_id.is_empty()
            || self.pending_members.len() < step.settings.pending_members_max)
    }

    fn join_unknown(&mut self, step: &mut Step, join: &Join) {
        let new_member_id = join.new_member_id();
        if let Some(instance_id) = &join.request.group_instance_id {
            match self.static_members.get(instance_id).cloned() {
                Some(holder) => self.replace_static_member(step, join, &holder, new_member_id),
                None => self.add_member(step, join, new_member_id),
            }
        } else if join.version >= MEMBER_ID_REQUIRED_VERSION {
            self.pending_members.insert(new_member_id.clone());
            let timer =
                Timer::Heartbeat { group: self.group_id.clone(), member: new_member_id.clone() };
            step.schedule(timer, join.request.session_timeout_ms);
            join.fail(step, &new_member_id, ErrorCode::MemberIdRequired);
        } else {
            self.add_member(step, join, new_member_id);
        }
    }

    fn join_known(&mut self, step: &mut Step, join: &Join) {
        let JoinGroupRequest { member_id, group_instance_id, protocols, .. } = &join.request;
        if let Err(error) = self.validate_member(member_id, group_instance_id.as_ref()) {
            return join.fail(step, member_id, error);
        }
        let unchanged = same_protocols(&self.members[member_id].protocols, protocols);
        match self.state {
            // Members only exist outside Empty.
            State::Empty => join.fail(step, member_id, ErrorCode::UnknownMemberId),
            // The answer to its JoinGroup may have been lost.
            State::CompletingRebalance if unchanged => self.answer_current(step, join),
            // A leader that joins again wants a rebalance: topics may have changed.
            State::Stable if unchanged && !self.is_leader(member_id) => {
                self.answer_current(step, join);
            }
            _ => {
                self.park_join(step, &member_id.clone(), join.update());
                self.rebalance_or_complete_join(step);
            }
        }
    }

    /// Parks a JoinGroup; an earlier one of the same member is superseded.
    pub(super) fn park_join(&mut self, step: &mut Step, member_id: &Str, update: Update) {
        if let Some(superseded) = self.update_member(member_id, update) {
            step.complete(superseded, failed(member_id.clone(), ErrorCode::RebalanceInProgress));
        }
    }

    /// Lets a member that changed nothing go on to SyncGroup in the current generation.
    fn answer_current(&self, step: &mut Step, join: &Join) {
        let member_id = &join.request.member_id;
        let with_members = self.state == State::CompletingRebalance && self.is_leader(member_id);
        step.complete(join.token, Reply::JoinGroup(self.join_response(member_id, with_members)));
    }

    fn add_member(&mut self, step: &mut Step, join: &Join, member_id: Str) {
        if self.state == State::PreparingRebalance && self.previous_state == State::Empty {
            self.new_member_added = true;
        }
        self.insert(Member {
            member_id: member_id.clone(),
            instance_id: join.request.group_instance_id.as_ref().map(Str::detach),
            client_id: join.client.client_id.detach(),
            client_host: join.client.client_host.detach(),
            rebalance_timeout_ms: join.rebalance_timeout_ms(),
            session_timeout_ms: join.request.session_timeout_ms,
            protocol_type: join.request.protocol_type.detach(),
            protocols: member::protocols(&join.request.protocols),
            assignment: bytes::Bytes::new(),
            parked_join: Some(join.token),
            parked_sync: None,
            is_new: true,
        });
        // It cannot send heartbeats before it knows its id, and a parked request hides that its
        // client is gone: so the wait itself is bounded.
        let timer = Timer::Heartbeat { group: self.group_id.clone(), member: member_id };
        step.schedule(timer, step.settings.new_member_join_timeout_ms);
        self.rebalance_or_complete_join(step);
    }
}
