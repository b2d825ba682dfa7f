//! FindCoordinator (key 10): v0-6. Which broker keeps a group. Makes the offsets topic when it is
//! first asked for, and answers once the coordinator can serve, on whichever node it is, so that no
//! client meets an error on the way to a cluster's first group. v4+ (KIP-699) asks for many keys; v6 (KIP-932) knows share
//! coordinators, which are not served, as on a Kafka without them. Nor are transactions yet.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::find_coordinator_response::Coordinator;
use ottla_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use super::nodes::{self, Node};
use crate::rooms::Rooms;

/// From this version on many keys are asked for at once.
const BATCHED_VERSION: i16 = 4;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    if context.version >= BATCHED_VERSION {
        let mut coordinators = Vec::with_capacity(request.coordinator_keys.len());
        for key in request.coordinator_keys {
            let found = find(rooms, context, request.key_type, &key).await;
            coordinators.push(coordinator(key, found));
        }
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let found = find(rooms, context, request.key_type, &request.key).await;
    let Coordinator { node_id, host, port, error_code, error_message, .. } =
        coordinator(request.key, found);
    FindCoordinatorResponse { error_code, error_message, node_id, host, port, ..Default::default() }
}

async fn find<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    key_type: i8,
    key: &Str,
) -> Result<Node, ErrorCode> {
    match key_type {
        GROUP => find_group(rooms, context, key).await,
        TRANSACTION => Err(ErrorCode::CoordinatorNotAvailable),
        _ => Err(ErrorCode::InvalidRequest),
    }
}

async fn find_group<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    group: &Str,
) -> Result<Node, ErrorCode> {
    let leader = rooms.groups.locate(rooms.node.node_id, group).await?;
    let image = rooms.metadata.image();
    let broker = image.brokers.get(leader).filter(|broker| broker.is_active());
    let node = broker.and_then(|broker| nodes::node(rooms, context, broker));
    node.ok_or(ErrorCode::CoordinatorNotAvailable)
}

fn coordinator(key: Str, found: Result<Node, ErrorCode>) -> Coordinator {
    match found {
        Ok(node) => Coordinator {
            key,
            node_id: node.id,
            host: node.host,
            port: node.port,
            error_code: ErrorCode::None.code(),
            error_message: None,
            ..Default::default()
        },
        Err(error) => Coordinator {
            key,
            node_id: -1,
            host: Str::default(),
            port: -1,
            error_code: error.code(),
            error_message: Some(Str::from(sentence(error))),
            ..Default::default()
        },
    }
}

fn sentence(error: ErrorCode) -> &'static str {
    match error {
        ErrorCode::InvalidRequest => "There is no coordinator of this type.",
        _ => "The coordinator is not available.",
    }
}
