//! DeleteGroups: only groups without members, with all their offsets.

use ottla_protocol::messages::delete_groups_response::DeletableGroupResult;
use ottla_protocol::{ErrorCode, Str};

use crate::group::classic::State;
use crate::group::hard::Hard;
use crate::group::offsets;
use crate::group::records;
use crate::group::soft::LiveGroups;
use crate::group::step::Step;

pub(crate) fn delete(
    groups: &mut LiveGroups,
    hard: &Hard,
    step: &mut Step,
    group_ids: &[Str],
) -> Vec<DeletableGroupResult> {
    let delete_one = |group_id: &Str| {
        let (error, message) = match delete_one(groups, hard, step, group_id) {
            Ok(()) => (ErrorCode::None, None),
            Err(error @ ErrorCode::GroupIdNotFound) => {
                (error, Some(Str::from(format!("Group {group_id} not found."))))
            }
            Err(error) => (error, Some(Str::from("The group is not empty."))),
        };
        DeletableGroupResult {
            group_id: group_id.clone(),
            error_code: error.code(),
            error_message: message,
            ..Default::default()
        }
    };
    group_ids.iter().map(delete_one).collect()
}

fn delete_one(
    groups: &mut LiveGroups,
    hard: &Hard,
    step: &mut Step,
    group_id: &Str,
) -> Result<(), ErrorCode> {
    let group = groups.get_or_wake(hard, group_id).ok_or(ErrorCode::GroupIdNotFound)?;
    if group.state() != State::Empty {
        return Err(ErrorCode::NonEmptyGroup);
    }
    // Ids handed out but not used yet die with the group.
    group.fail_all(step, ErrorCode::UnknownMemberId);
    groups.live.remove(group_id);
    offsets::delete::delete_all(hard, step, group_id);
    step.append(group_id, records::group_tombstone(group_id));
    Ok(())
}
