//! Vote (key 52): v0-2, between controllers. Asks for a vote in an election of the metadata quorum (KIP-595).
//!
//! - v1+ (KIP-853): replicas are known by their directories too. v2+ (KIP-996): asks first whether it would be given.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::{VoteRequest, VoteResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: VoteRequest,
) -> VoteResponse {
    rooms.raft.vote(&request, context.version).await
}
