//! ListGroups (key 16): v0-5. The groups this broker coordinates. v4 filters by state (KIP-518), v5
//! by type (KIP-848).

use std::sync::Arc;

use ottla_coordinator::{Command, Reply};
use ottla_env::Env;
use ottla_protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let asked = rooms.groups.ask_all(|token| Command::ListGroups {
        token,
        states: request.states_filter.clone(),
        types: request.types_filter.clone(),
    });
    let replies = match asked.await {
        Ok(replies) => replies,
        Err(error) => {
            return ListGroupsResponse { error_code: error.code(), ..Default::default() };
        }
    };
    let mut groups = Vec::new();
    for reply in replies {
        if let Reply::ListGroups(listed) = reply {
            groups.extend(listed);
        }
    }
    ListGroupsResponse { groups, ..Default::default() }
}
