//! RemoveRaftVoter (key 81): v0. Takes a voter out of the metadata quorum (KIP-853).
//!
//! - VOTER_NOT_FOUND unless both its id and its directory are given; a leader that is removed hands over.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::{RemoveRaftVoterRequest, RemoveRaftVoterResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: RemoveRaftVoterRequest,
) -> RemoveRaftVoterResponse {
    rooms.raft.remove_voter(&request).await
}
