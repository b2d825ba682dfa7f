//! Where a partition is that this node does not lead (KIP-951), so that a producer need not ask.

use ottla_env::Env;
use ottla_protocol::messages::ProduceResponse;
use ottla_protocol::messages::produce_response::{LeaderIdAndEpoch, NodeEndpoint};
use ottla_protocol::{ErrorCode, Uuid};

use crate::api::context::RequestContext;
use crate::api::nodes;
use crate::rooms::Rooms;

/// First version that has room for it.
const SINCE: i16 = 10;

/// What a partition is that has no replica here.
pub(super) fn error<E: Env>(rooms: &Rooms<E>, topic_id: Uuid, index: i32) -> ErrorCode {
    match rooms.metadata.image().topics.partition(topic_id, index) {
        Some(_) => ErrorCode::NotLeaderOrFollower,
        None => ErrorCode::UnknownTopicOrPartition,
    }
}

/// Puts into an answer who leads what this node does not.
pub(super) fn name_leaders<E: Env>(
    rooms: &Rooms<E>,
    context: &RequestContext,
    response: &mut ProduceResponse,
) {
    if context.version < SINCE {
        return;
    }
    let image = rooms.metadata.image();
    for topic in &mut response.responses {
        let known = match topic.topic_id.is_zero() {
            true => image.topics.get(&topic.name),
            false => image.topics.by_id(topic.topic_id),
        };
        let Some(known) = known else { continue };
        for answered in &mut topic.partition_responses {
            if answered.error_code != ErrorCode::NotLeaderOrFollower.code() {
                continue;
            }
            let Some(state) = known.partitions.get(&answered.index) else { continue };
            answered.current_leader = LeaderIdAndEpoch {
                leader_id: state.leader,
                leader_epoch: state.leader_epoch,
                ..LeaderIdAndEpoch::default()
            };
            let is_named = response.node_endpoints.iter().any(|node| node.node_id == state.leader);
            let broker = image.brokers.get(state.leader).filter(|_| !is_named);
            if let Some(node) = broker.and_then(|broker| nodes::node(rooms, context, broker)) {
                response.node_endpoints.push(NodeEndpoint {
                    node_id: node.id,
                    host: node.host,
                    port: node.port,
                    rack: node.rack,
                    ..NodeEndpoint::default()
                });
            }
        }
    }
}
