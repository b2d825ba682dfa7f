//! Heartbeat: a member is alive, and learns whether a rebalance is under way.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::HeartbeatRequest;

use super::group::ClassicGroup;
use super::state::State;
use crate::group::step::Step;

impl ClassicGroup {
    pub(crate) fn heartbeat(
        &self,
        step: &mut Step,
        request: &HeartbeatRequest,
    ) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
        self.validate_generation(request.generation_id)?;
        self.extend_session(step, &request.member_id);
        match self.state {
            State::Empty => Err(ErrorCode::UnknownMemberId),
            State::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            // A member may begin before it has its assignment.
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// Starts the member's session timeout anew.
    pub(crate) fn extend_session(&self, step: &mut Step, member_id: &str) {
        if let Some(member) = self.members.get(member_id) {
            step.schedule(self.heartbeat_timer(&member.member_id), member.session_timeout_ms);
        }
    }
}
