//! FetchSnapshot (key 59): v0-1, from controllers and brokers whose metadata log ends before the leader's begins
//! (KIP-630).
//!
//! - v1+ (KIP-853): with the replica's directory.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::{FetchSnapshotRequest, FetchSnapshotResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: FetchSnapshotRequest,
) -> FetchSnapshotResponse {
    rooms.raft.fetch_snapshot(&request, context.version).await
}
