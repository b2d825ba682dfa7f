//! DescribeCluster (key 60): v0-2. The cluster's id and its nodes (KIP-700); v1 tells brokers and
//! controllers apart (KIP-919), v2 lists fenced brokers on request (KIP-1073).

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use super::{nodes, operations};
use crate::rooms::Rooms;

/// The endpoints that clients use.
const BROKERS: i8 = 1;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    if request.endpoint_type != BROKERS {
        let (code, message) = match request.endpoint_type {
            2 => (
                ErrorCode::MismatchedEndpointType,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of \
                 type CONTROLLER"
                    .to_owned(),
            ),
            other => {
                (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}"))
            }
        };
        return DescribeClusterResponse {
            error_code: code.code(),
            error_message: Some(Str::from(message)),
            ..Default::default()
        };
    }
    let image = rooms.controller.image();
    let listed = image
        .brokers
        .iter()
        .filter(|broker| broker.is_active() || (request.include_fenced_brokers && broker.fenced));
    let brokers = listed.filter_map(|broker| nodes::node(rooms, context, broker));
    let brokers = brokers.map(|node| DescribeClusterBroker {
        broker_id: node.id,
        host: node.host,
        port: node.port,
        rack: node.rack,
        is_fenced: node.is_fenced,
        ..Default::default()
    });
    DescribeClusterResponse {
        error_message: None,
        endpoint_type: BROKERS,
        cluster_id: Str::copy_from(&rooms.node.cluster_id),
        controller_id: rooms.node.node_id,
        brokers: brokers.collect(),
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => operations::CLUSTER,
            false => operations::NOT_ASKED,
        },
        ..Default::default()
    }
}
