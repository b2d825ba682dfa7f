//! DescribeGroups (key 15): v0-6. State, members and assignment of classic groups. v3 can tell what
//! the client may do (KIP-430), v6 calls a missing group an error (KIP-1043); before, it is dead.

use std::sync::Arc;

use ottla_coordinator::{Command, Reply};
use ottla_env::Env;
use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use crate::rooms::Rooms;

/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS: all there is to do with a group. Each
/// is the bit of its number in Kafka's list of operations.
const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        let mut described = describe(rooms, context.version, group).await;
        if request.include_authorized_operations && described.error_code == ErrorCode::None.code() {
            described.authorized_operations = ALL_OPERATIONS;
        }
        groups.push(described);
    }
    DescribeGroupsResponse { groups, ..Default::default() }
}

async fn describe<E: Env>(rooms: &Arc<Rooms<E>>, version: i16, group: Str) -> DescribedGroup {
    let groups = vec![group.clone()];
    let command = |token| Command::DescribeGroups { token, version, groups };
    let error = match rooms.groups.ask(&group, command).await {
        Ok(Reply::DescribeGroups(mut groups)) if groups.len() == 1 => return groups.remove(0),
        Ok(_) => ErrorCode::UnknownServerError,
        Err(error) => error,
    };
    DescribedGroup { group_id: group, error_code: error.code(), ..Default::default() }
}
