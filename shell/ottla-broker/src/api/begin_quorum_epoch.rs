//! BeginQuorumEpoch (key 53): v0-1, between controllers. The leader of a new epoch makes itself known (KIP-595).
//!
//! - v1+ (KIP-853): with its endpoints, and the directory of the voter it is meant for.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::{BeginQuorumEpochRequest, BeginQuorumEpochResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: BeginQuorumEpochRequest,
) -> BeginQuorumEpochResponse {
    rooms.raft.begin_quorum_epoch(&request, context.version).await
}
