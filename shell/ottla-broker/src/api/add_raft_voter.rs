//! AddRaftVoter (key 80): v0-1. Makes a controller that observes the metadata quorum one of its voters (KIP-853).
//!
//! - One change at a time: REQUEST_TIMED_OUT while another is under way, or the new voter has not caught up.
//! - DUPLICATE_VOTER for an id that votes already; UNSUPPORTED_VERSION where the configuration names the voters.
//! - v1+ (KIP-1186): may be answered before the change is committed.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::{AddRaftVoterRequest, AddRaftVoterResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: AddRaftVoterRequest,
) -> AddRaftVoterResponse {
    rooms.raft.add_voter(&request).await
}
