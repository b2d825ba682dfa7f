//! DeleteGroups (key 42): v0-3. Deletes groups without members and all they have committed. v3 says
//! why a group was not deleted.

use std::sync::Arc;

use ottla_coordinator::{Command, Reply};
use ottla_env::Env;
use ottla_protocol::messages::delete_groups_response::DeletableGroupResult;
use ottla_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let mut results: Vec<DeletableGroupResult> = Vec::new();
    for group in request.groups_names {
        // A group named twice is deleted once.
        if results.iter().all(|result| result.group_id != group) {
            results.push(delete(rooms, group).await);
        }
    }
    DeleteGroupsResponse { results, ..Default::default() }
}

async fn delete<E: Env>(rooms: &Arc<Rooms<E>>, group: Str) -> DeletableGroupResult {
    let groups = vec![group.clone()];
    let asked = rooms.groups.ask(&group, |token| Command::DeleteGroups { token, groups });
    let error = match asked.await {
        Ok(Reply::DeleteGroups(mut results)) if results.len() == 1 => return results.remove(0),
        Ok(_) => ErrorCode::UnknownServerError,
        Err(error) => error,
    };
    DeletableGroupResult { group_id: group, error_code: error.code(), ..Default::default() }
}
