//! DescribeGroups: state and members of classic groups. What a member said is shown in Stable only.

use ottla_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use ottla_protocol::{ErrorCode, Str};

use crate::group::classic::{ClassicGroup, State};
use crate::group::hard::Hard;
use crate::group::soft::LiveGroups;

/// From this version on a missing group is an error; before, it is a dead one (KIP-1043).
const GROUP_ID_NOT_FOUND_VERSION: i16 = 6;

pub(crate) fn describe(
    groups: &LiveGroups,
    hard: &Hard,
    version: i16,
    group_ids: &[Str],
) -> Vec<DescribedGroup> {
    let describe_one = |group_id: &Str| match groups.live.get(group_id) {
        Some(group) => described(group),
        None => match hard.groups().get(group_id) {
            Some(known) => described(&ClassicGroup::from_metadata(group_id.clone(), known)),
            None => missing(version, group_id),
        },
    };
    group_ids.iter().map(describe_one).collect()
}

fn described(group: &ClassicGroup) -> DescribedGroup {
    let stable = group.state() == State::Stable;
    let protocol = group.protocol.clone().filter(|_| stable).unwrap_or_default();
    let members = group.members().map(|member| DescribedGroupMember {
        member_id: member.member_id.clone(),
        group_instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        member_metadata: if stable { member.metadata(&protocol) } else { Default::default() },
        member_assignment: member.assignment.clone(),
        ..Default::default()
    });
    DescribedGroup {
        group_id: group.group_id.clone(),
        group_state: Str::from(group.state().name()),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        members: members.collect(),
        protocol_data: protocol,
        ..Default::default()
    }
}

fn missing(version: i16, group_id: &Str) -> DescribedGroup {
    let (error, message) = if version >= GROUP_ID_NOT_FOUND_VERSION {
        let message = format!("Group {group_id} not found.");
        (ErrorCode::GroupIdNotFound, Some(Str::from(message)))
    } else {
        (ErrorCode::None, None)
    };
    DescribedGroup {
        error_code: error.code(),
        error_message: message,
        group_id: group_id.clone(),
        group_state: Str::from("Dead"),
        ..Default::default()
    }
}
