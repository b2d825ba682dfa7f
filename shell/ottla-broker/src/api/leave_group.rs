//! LeaveGroup (key 13): v0-5. Members of a classic group go. Until v2 one by its member id; from v3
//! on (KIP-345) many, also by instance id; v5 gives reasons (KIP-800).

use std::sync::Arc;

use ottla_coordinator::{Command, Reply};
use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

/// From this version on many may leave at once.
const BATCHED_VERSION: i16 = 3;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let version = context.version;
    let group_id = request.group_id.clone();
    let asked =
        rooms.groups.ask(&group_id, |token| Command::LeaveGroup { token, version, request });
    match asked.await {
        Ok(Reply::LeaveGroup(response)) => fit(response, version),
        Ok(_) => failed(ErrorCode::UnknownServerError),
        Err(error) => failed(error),
    }
}

fn failed(error: ErrorCode) -> LeaveGroupResponse {
    LeaveGroupResponse { error_code: error.code(), ..Default::default() }
}

/// One member's result is the whole answer where there can be only one.
fn fit(mut response: LeaveGroupResponse, version: i16) -> LeaveGroupResponse {
    if version < BATCHED_VERSION {
        let members = std::mem::take(&mut response.members);
        if let (ErrorCode::None, Some(member)) =
            (ErrorCode::from_code(response.error_code).unwrap_or(ErrorCode::None), members.first())
        {
            response.error_code = member.error_code;
        }
    }
    response
}
