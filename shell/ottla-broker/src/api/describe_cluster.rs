//! DescribeCluster (key 60): v0-2. The cluster's id and its nodes (KIP-700); v1 tells brokers and
//! controllers apart (KIP-919), v2 lists fenced brokers on request (KIP-1073).

use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::image::Endpoint;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use super::{nodes, operations};
use crate::rooms::Rooms;

/// The endpoints that clients use.
const BROKERS: i8 = 1;
/// Those of the controllers, which tools ask for at a controller (KIP-919).
const CONTROLLERS: i8 = 2;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    if let Err((code, message)) = check(context, request.endpoint_type) {
        return DescribeClusterResponse {
            error_code: code.code(),
            error_message: Some(Str::from(message)),
            ..Default::default()
        };
    }
    let (controller_id, brokers) = match request.endpoint_type {
        CONTROLLERS => controllers(rooms, context),
        _ => {
            let brokers = brokers(rooms, context, request.include_fenced_brokers);
            let serving = brokers.iter().filter(|broker| !broker.is_fenced);
            let serving = serving.map(|broker| broker.broker_id);
            (nodes::controller(rooms.node.node_id, serving), brokers)
        }
    };
    DescribeClusterResponse {
        error_message: None,
        endpoint_type: request.endpoint_type,
        cluster_id: Str::copy_from(&rooms.node.cluster_id),
        controller_id,
        brokers,
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => operations::CLUSTER,
            false => operations::NOT_ASKED,
        },
        ..Default::default()
    }
}

/// A listener tells of its own kind alone.
fn check(context: &RequestContext, endpoint_type: i8) -> Result<(), (ErrorCode, String)> {
    let mismatch = |sent: &str, wanted: &str| {
        let message = format!(
            "The request was sent to an endpoint of type {sent}, but we wanted an endpoint of type \
             {wanted}"
        );
        Err((ErrorCode::MismatchedEndpointType, message))
    };
    match (endpoint_type, context.is_controller) {
        (BROKERS, false) | (CONTROLLERS, true) => Ok(()),
        (BROKERS, true) => mismatch("CONTROLLER", "BROKER"),
        (CONTROLLERS, false) => mismatch("BROKER", "CONTROLLER"),
        (other, _) => {
            Err((ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")))
        }
    }
}

fn brokers<E: Env>(
    rooms: &Rooms<E>,
    context: &RequestContext,
    include_fenced: bool,
) -> Vec<DescribeClusterBroker> {
    let image = rooms.metadata.image();
    let listed = image.brokers.iter().filter(|broker| !broker.fenced || include_fenced);
    let nodes = listed.filter_map(|broker| nodes::node(rooms, context, broker));
    let brokers = nodes.map(|node| DescribeClusterBroker {
        broker_id: node.id,
        host: node.host,
        port: node.port,
        rack: node.rack,
        is_fenced: node.is_fenced,
        ..Default::default()
    });
    brokers.collect()
}

/// The active controller, or -1, and every controller that registered with this listener.
fn controllers<E: Env>(
    rooms: &Rooms<E>,
    context: &RequestContext,
) -> (i32, Vec<DescribeClusterBroker>) {
    let image = rooms.metadata.image();
    let controllers = image.controllers.iter().filter_map(|controller| {
        let named = |endpoint: &&Endpoint| *endpoint.name == *context.listener;
        let endpoint = controller.endpoints.iter().find(named)?;
        Some(DescribeClusterBroker {
            broker_id: controller.id,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            ..Default::default()
        })
    });
    (rooms.raft.watch().borrow().leader.unwrap_or(-1), controllers.collect())
}
