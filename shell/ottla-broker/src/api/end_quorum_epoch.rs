//! EndQuorumEpoch (key 54): v0-1, between controllers. The leader of an epoch goes, and names who should follow it
//! (KIP-595).
//!
//! - v1+ (KIP-853): successors with their directories, and the leader's endpoints.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::{EndQuorumEpochRequest, EndQuorumEpochResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: EndQuorumEpochRequest,
) -> EndQuorumEpochResponse {
    rooms.raft.end_quorum_epoch(&request, context.version).await
}
