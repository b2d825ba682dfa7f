//! UpdateRaftVoter (key 82): v0, between controllers. A voter that can be reached elsewhere, or speaks other versions of
//! the quorum's protocol, tells the leader (KIP-853).

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::{UpdateRaftVoterRequest, UpdateRaftVoterResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: UpdateRaftVoterRequest,
) -> UpdateRaftVoterResponse {
    rooms.raft.update_voter(&request).await
}
