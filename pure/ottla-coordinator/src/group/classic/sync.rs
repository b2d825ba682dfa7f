//! SyncGroup: the leader brings the assignment, every member fetches its share.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_plant::{Plant, planted};
use ottla_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use ottla_protocol::{ErrorCode, Str};

use super::group::ClassicGroup;
use super::state::State;
use crate::command::{Reply, Token};
use crate::group::records;
use crate::group::step::Step;
use crate::timers::Timer;

/// An answer that carries nothing but an error.
pub(crate) fn failed(error: ErrorCode) -> Reply {
    Reply::SyncGroup(SyncGroupResponse { error_code: error.code(), ..Default::default() })
}

impl ClassicGroup {
    pub(crate) fn sync(&mut self, step: &mut Step, token: Token, request: &SyncGroupRequest) {
        if let Err(error) = self.validate_sync(request) {
            return step.complete(token, failed(error));
        }
        let member_id = &request.member_id;
        self.pending_sync.remove(member_id);
        if self.pending_sync.is_empty() {
            step.timers.cancel(&Timer::Sync { group: self.group_id.clone() });
        }
        match self.state {
            State::Empty | State::PreparingRebalance => {
                step.complete(token, failed(ErrorCode::RebalanceInProgress));
            }
            State::CompletingRebalance => {
                let member = self.members.get_mut(member_id).expect("validated above");
                if let Some(superseded) = member.parked_sync.replace(token) {
                    step.complete(superseded, failed(ErrorCode::RebalanceInProgress));
                }
                if self.is_leader(member_id) {
                    self.assign(step, request);
                }
            }
            State::Stable => {
                let response = self.sync_response(self.members[member_id].assignment.clone());
                step.complete(token, response);
            }
        }
    }

    fn validate_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
        if !planted(Plant::OldGenerationAccepted) {
            self.validate_generation(request.generation_id)?;
        }
        if differs(request.protocol_type.as_ref(), self.protocol_type.as_ref())
            || differs(request.protocol_name.as_ref(), self.protocol.as_ref())
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.state == State::PreparingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// The record carries the state's time of before, as Kafka's does. Nobody is answered before it
    /// is committed: that is the driver's promise.
    fn assign(&mut self, step: &mut Step, request: &SyncGroupRequest) {
        let given: BTreeMap<&Str, &Bytes> =
            request.assignments.iter().map(|a| (&a.member_id, &a.assignment)).collect();
        for member in self.members.values_mut() {
            let share = given.get(&member.member_id).copied();
            member.assignment = share.map(|s| Bytes::copy_from_slice(s)).unwrap_or_default();
        }
        let metadata = self.to_metadata(|member| member.assignment.clone());
        step.append(&self.group_id, records::group_metadata(&self.group_id, &metadata));
        self.transition(step.now, State::Stable);
        self.answer_parked_syncs(step);
    }

    fn answer_parked_syncs(&mut self, step: &mut Step) {
        let member_ids: Vec<Str> = self.members.keys().cloned().collect();
        for member_id in &member_ids {
            let member = self.members.get_mut(member_id).expect("its id was just listed");
            let Some(token) = member.parked_sync.take() else { continue };
            let session_timeout_ms = member.session_timeout_ms;
            let response = self.sync_response(self.members[member_id].assignment.clone());
            step.complete(token, response);
            // While it was parked its session could not end, so its timer may be gone.
            step.schedule(self.heartbeat_timer(member_id), session_timeout_ms);
        }
    }

    /// There will be no assignment in this generation.
    pub(super) fn fail_parked_syncs(&mut self, step: &mut Step, error: ErrorCode) {
        let member_ids: Vec<Str> = self.members.keys().cloned().collect();
        for member_id in &member_ids {
            let member = self.members.get_mut(member_id).expect("its id was just listed");
            member.assignment = Bytes::new();
            let Some(token) = member.parked_sync.take() else { continue };
            let session_timeout_ms = member.session_timeout_ms;
            step.complete(token, failed(error));
            step.schedule(self.heartbeat_timer(member_id), session_timeout_ms);
        }
    }

    fn sync_response(&self, assignment: Bytes) -> Reply {
        Reply::SyncGroup(SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment,
            ..SyncGroupResponse::default()
        })
    }
}

/// Old clients say nothing here, and that is no contradiction.
fn differs(asked: Option<&Str>, known: Option<&Str>) -> bool {
    matches!((asked, known), (Some(asked), Some(known)) if asked != known)
}
