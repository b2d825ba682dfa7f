//! DescribeQuorum (key 55): v0-2. Who votes in the metadata quorum, who observes, and how far each has come (KIP-595).
//!
//! - Only the quorum's leader knows; others answer NOT_LEADER_OR_FOLLOWER.
//! - v1+ (KIP-836): when each fetched last, and was caught up. v2+ (KIP-853): directories and endpoints.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::Uuid;
use ottla_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

/// The first version that has directories and endpoints.
const WITH_DIRECTORIES: i16 = 2;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    in_version(rooms.raft.describe(&request), context.version)
}

/// The answer without what its version has no place for.
fn in_version(mut response: DescribeQuorumResponse, version: i16) -> DescribeQuorumResponse {
    if version < WITH_DIRECTORIES {
        response.nodes.clear();
        let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        for partition in partitions {
            let replicas = partition.current_voters.iter_mut().chain(&mut partition.observers);
            replicas.for_each(|replica| replica.replica_directory_id = Uuid::default());
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use ottla_protocol::encode_to_bytes;
    use ottla_protocol::messages::describe_quorum_response::{
        Node, PartitionData, ReplicaState, TopicData,
    };

    use super::*;

    #[test]
    fn every_version_has_an_answer() {
        let replica =
            ReplicaState { replica_directory_id: Uuid([7; 16]), ..ReplicaState::default() };
        let partition = PartitionData {
            current_voters: vec![replica.clone()],
            observers: vec![replica],
            ..PartitionData::default()
        };
        let topic = TopicData { partitions: vec![partition], ..TopicData::default() };
        let response = DescribeQuorumResponse {
            topics: vec![topic],
            nodes: vec![Node::default()],
            ..DescribeQuorumResponse::default()
        };
        for version in 0..=2 {
            let answer = in_version(response.clone(), version);
            assert!(encode_to_bytes(&answer, version).is_ok(), "version {version}");
        }
        assert_eq!(in_version(response.clone(), 2), response);
    }
}
