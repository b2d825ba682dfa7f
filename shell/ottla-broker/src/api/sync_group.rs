//! SyncGroup (key 14): v0-5. The leader brings the assignment, every member fetches its share; the
//! answer waits for the leader. v5 (KIP-559) names protocol type and protocol, which must agree.

use std::sync::Arc;

use ottla_coordinator::{Command, Reply};
use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

/// From this version on the protocol has to be named, both parts of it.
const PROTOCOL_NAMED_VERSION: i16 = 5;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let named = request.protocol_type.is_some() && request.protocol_name.is_some();
    if context.version >= PROTOCOL_NAMED_VERSION && !named {
        return failed(ErrorCode::InconsistentGroupProtocol);
    }
    let group_id = request.group_id.clone();
    let asked = rooms.groups.ask(&group_id, |token| Command::SyncGroup { token, request });
    match asked.await {
        Ok(Reply::SyncGroup(response)) => response,
        Ok(_) => failed(ErrorCode::UnknownServerError),
        Err(error) => failed(error),
    }
}

fn failed(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error.code(), ..Default::default() }
}
