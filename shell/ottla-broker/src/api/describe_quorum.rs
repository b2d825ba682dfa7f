//! DescribeQuorum (key 55): v0-2. Who votes in the metadata quorum, who observes, and how far each has come (KIP-595).
//!
//! - Only the quorum's leader knows; others answer NOT_LEADER_OR_FOLLOWER.
//! - v1+ (KIP-836): when each fetched last, and was caught up. v2+ (KIP-853): directories and endpoints.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    rooms.raft.describe(&request)
}
