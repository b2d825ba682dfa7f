//! Heartbeat (key 12): v0-4. A member of a classic group is alive, and learns of rebalances.

use std::sync::Arc;

use ottla_coordinator::{Command, Reply};
use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let group_id = request.group_id.clone();
    let asked = rooms.groups.ask(&group_id, |token| Command::Heartbeat { token, request });
    let error = match asked.await {
        Ok(Reply::Heartbeat(response)) => return response,
        Ok(_) => ErrorCode::UnknownServerError,
        // Its session begins when the group has been read.
        Err(ErrorCode::CoordinatorLoadInProgress) => ErrorCode::None,
        Err(error) => error,
    };
    HeartbeatResponse { error_code: error.code(), ..Default::default() }
}
