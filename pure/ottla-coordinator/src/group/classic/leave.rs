//! LeaveGroup: members go, by themselves or by an administrator's word. Each gets its own answer.

use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::{ErrorCode, Str};

use super::group::ClassicGroup;
use super::join;
use super::state::State;
use crate::group::step::Step;

impl ClassicGroup {
    /// One result per identity, in order.
    pub(crate) fn leave(
        &mut self,
        step: &mut Step,
        identities: &[MemberIdentity],
    ) -> Vec<Result<(), ErrorCode>> {
        let results: Vec<_> =
            identities.iter().map(|identity| self.leave_one(step, identity)).collect();
        if results.iter().any(Result::is_ok) {
            match self.state {
                State::Stable | State::CompletingRebalance => self.prepare_rebalance(step),
                State::PreparingRebalance => self.try_complete_join(step),
                State::Empty => {}
            }
        }
        results
    }

    /// Without a member id, the instance id alone names a static member: the administrator's way.
    fn leave_one(&mut self, step: &mut Step, identity: &MemberIdentity) -> Result<(), ErrorCode> {
        let instance_id = identity.group_instance_id.as_ref();
        let member_id = if identity.member_id.is_empty() {
            let holder = instance_id.and_then(|instance_id| self.static_members.get(instance_id));
            holder.cloned().ok_or(ErrorCode::UnknownMemberId)?
        } else {
            identity.member_id.clone()
        };
        if !self.pending_members.contains(&member_id) {
            self.validate_member(&member_id, instance_id)?;
        }
        self.drop_member(step, &member_id);
        Ok(())
    }

    /// Takes a member or pending member out. Its parked requests are answered, so that a client
    /// that is still there joins again.
    pub(super) fn drop_member(&mut self, step: &mut Step, member_id: &Str) {
        step.timers.cancel(&self.heartbeat_timer(member_id));
        let sync = self.members.get_mut(member_id).and_then(|m| m.parked_sync.take());
        if let Some(token) = sync {
            step.complete(token, super::sync::failed(ErrorCode::UnknownMemberId));
        }
        if let Some(token) = self.take_join(member_id) {
            step.complete(token, join::failed(Str::default(), ErrorCode::UnknownMemberId));
        }
        self.remove(member_id);
    }
}
