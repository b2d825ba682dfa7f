//! DescribeQuorum: who votes, who observes, and how far each has come.

use ottla_env::Env;
use ottla_protocol::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use ottla_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use ottla_protocol::{ErrorCode, Str};
use ottla_raft::{Progress, Raft, ReplicaKey};

use super::RaftDriver;
use super::serve::TOPIC;

impl<E: Env> RaftDriver<E> {
    /// Only the leader knows how far the others are.
    pub(crate) fn describe(&self, request: &DescribeQuorumRequest) -> DescribeQuorumResponse {
        let asked = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| (&topic.topic_name, partition.partition_index))
        });
        let asked: Vec<_> = asked.collect();
        if !matches!(asked.as_slice(), [(topic, 0)] if **topic == *TOPIC) {
            return unknown(request);
        }
        let core = self.core.lock();
        let now_ms = self.now_ms();
        let replicas = core.raft.replicas(now_ms).filter(|_| !core.is_over);
        let Some(replicas) = replicas else {
            return refusal(ErrorCode::NotLeaderOrFollower);
        };
        // The machine counts from the start of this process, those who ask from 1970.
        let wall_ms = self.env.wall_ms() - now_ms;
        let state = |(key, progress): (&ReplicaKey, &Progress)| state(key, progress, wall_ms);
        let partition = PartitionData {
            partition_index: 0,
            leader_id: self.node.node_id,
            leader_epoch: core.raft.election().epoch,
            high_watermark: core.raft.high_watermark().unwrap_or(-1),
            current_voters: replicas.voters.iter().map(state).collect(),
            observers: replicas.observers.iter().map(state).collect(),
            ..PartitionData::default()
        };
        let topic_name = Str::from_static(TOPIC);
        let topic = TopicData { topic_name, partitions: vec![partition], ..TopicData::default() };
        DescribeQuorumResponse {
            topics: vec![topic],
            nodes: nodes(&core.raft),
            ..DescribeQuorumResponse::default()
        }
    }
}

fn refusal(error: ErrorCode) -> DescribeQuorumResponse {
    DescribeQuorumResponse { error_code: error.code(), ..Default::default() }
}

/// There is one topic to ask for.
fn unknown(request: &DescribeQuorumRequest) -> DescribeQuorumResponse {
    let topics = request.topics.iter().map(|topic| TopicData {
        topic_name: topic.topic_name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| PartitionData {
                partition_index: partition.partition_index,
                error_code: ErrorCode::UnknownTopicOrPartition.code(),
                error_message: Some(Str::from_static(
                    "Only partition 0 of __cluster_metadata has a quorum.",
                )),
                ..PartitionData::default()
            })
            .collect(),
        ..TopicData::default()
    });
    DescribeQuorumResponse { topics: topics.collect(), ..Default::default() }
}

fn state(key: &ReplicaKey, progress: &Progress, wall_ms: i64) -> ReplicaState {
    let when = |at_ms: Option<i64>| at_ms.map_or(-1, |at_ms| wall_ms + at_ms);
    ReplicaState {
        replica_id: key.id.0,
        replica_directory_id: key.directory_id.unwrap_or_default(),
        log_end_offset: progress.end.unwrap_or(-1),
        last_fetch_timestamp: when(progress.last_fetch_ms),
        last_caught_up_timestamp: when(progress.caught_up_ms),
        ..ReplicaState::default()
    }
}

/// The voters' listeners (v2+).
fn nodes(raft: &Raft) -> Vec<Node> {
    let nodes = raft.voters().iter().map(|voter| Node {
        node_id: voter.key.id.0,
        listeners: voter
            .endpoints
            .iter()
            .map(|(name, endpoint)| Listener {
                name: Str::copy_from(name),
                host: Str::copy_from(&endpoint.host),
                port: endpoint.port,
                ..Listener::default()
            })
            .collect(),
        ..Node::default()
    });
    nodes.collect()
}
