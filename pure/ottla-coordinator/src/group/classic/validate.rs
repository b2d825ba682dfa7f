//! Whether a request comes from a member of this group, in this generation. Changes nothing.

use ottla_plant::{Plant, planted};
use ottla_protocol::{ErrorCode, Str};

use super::group::ClassicGroup;
use super::state::State;

impl ClassicGroup {
    /// A static member must be the one that holds its instance id now.
    pub(crate) fn validate_member(
        &self,
        member_id: &str,
        instance_id: Option<&Str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(holder) if holder != member_id && !planted(Plant::FencingForgotten) => {
                    return Err(ErrorCode::FencedInstanceId);
                }
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    pub(crate) fn validate_generation(&self, generation: i32) -> Result<(), ErrorCode> {
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// Consumers without group management commit with generation -1 while the group is empty.
    pub(crate) fn validate_offset_commit(
        &self,
        member_id: &str,
        instance_id: Option<&Str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        if generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        if generation < 0 && member_id.is_empty() && instance_id.is_none() {
            // Its group has members, and it is none of them.
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(member_id, instance_id)?;
        self.validate_generation(generation)?;
        if self.state == State::CompletingRebalance {
            // The partition may be another's already.
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }
}
