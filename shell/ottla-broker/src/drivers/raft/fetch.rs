//! Fetch of the metadata log and of its snapshots, as followers and observers ask for them (KIP-595, KIP-630).

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::messages::fetch_request::FetchPartition;
use ottla_protocol::messages::{
    FetchRequest, FetchResponse, FetchSnapshotRequest, FetchSnapshotResponse, fetch_response,
    fetch_snapshot_response,
};
use ottla_protocol::{ErrorCode, Str, Uuid};
use ottla_raft::message::{Answer, Fetch, FetchSnapshot, Request};
use ottla_raft::{FetchReply, NodeId, OffsetAndEpoch, ReadFrom, ReplicaKey};

use super::RaftDriver;
use super::core::Reply;
use super::outgoing::REPLICA_STATE_VERSION;
use super::serve::{ENDPOINTS, TOPIC, told};

/// First version in which topics are ids.
const TOPIC_IDS: i16 = 13;
/// First version that knows diverging epochs and snapshots: none before it can say what a follower has to hear.
const RAFT: i16 = 12;
/// First version that says where the leader is.
const LEADER_ENDPOINT: i16 = 16;

impl<E: Env> RaftDriver<E> {
    /// Serves a Fetch that came through a controller's listener: it can only want the metadata log.
    pub(crate) async fn fetch(&self, request: &FetchRequest, version: i16) -> FetchResponse {
        if let Err(error) = self.check_cluster(request.cluster_id.as_ref()) {
            return refusal(error);
        }
        let Some(asked) = asked(request, version).filter(|_| version >= RAFT) else {
            return refusal(ErrorCode::InvalidRequest);
        };
        let by_state = version >= REPLICA_STATE_VERSION;
        let replica_id =
            if by_state { request.replica_state.replica_id } else { request.replica_id };
        let fetch = Fetch {
            replica: ReplicaKey::new(NodeId(replica_id), asked.replica_directory_id),
            epoch: asked.current_leader_epoch,
            at: OffsetAndEpoch::new(asked.fetch_offset, asked.last_fetched_epoch),
            max_wait_ms: i64::from(request.max_wait_ms),
            max_bytes: request.max_bytes,
            high_watermark: asked.high_watermark,
        };
        let Some(Reply::Fetch(reply)) = self.ask(Request::Fetch(fetch)).await else {
            return refusal(ErrorCode::BrokerNotAvailable);
        };
        let reply = self.with_records(reply).await;
        self.fetch_response(reply, version)
    }

    /// Reads what the machine says is to be read. A log that cannot be read is answered as Kafka does.
    async fn with_records(&self, reply: FetchReply) -> (FetchReply, Option<Bytes>) {
        let Some(ReadFrom::Log { offset, max_bytes }) = reply.read else { return (reply, None) };
        let max_bytes = usize::try_from(max_bytes).unwrap_or(0);
        match self.log.read(&self.env, offset, max_bytes, i64::MAX).await {
            Ok(records) => (reply, Some(records)),
            Err(error) => {
                tracing::warn!(%error, offset, "the metadata log cannot be read");
                let answer = Answer { error: error.kafka_code(), ..reply.answer.clone() };
                (FetchReply { answer, ..reply }, None)
            }
        }
    }

    fn fetch_response(
        &self,
        (reply, records): (FetchReply, Option<Bytes>),
        version: i16,
    ) -> FetchResponse {
        let (error_code, leader_id, leader_epoch) = told(&reply.answer);
        let mut partition = fetch_response::PartitionData {
            partition_index: 0,
            error_code,
            high_watermark: reply.high_watermark,
            log_start_offset: reply.log_start,
            current_leader: fetch_response::LeaderIdAndEpoch {
                leader_id,
                leader_epoch,
                ..Default::default()
            },
            records: Some(records.unwrap_or_default()),
            ..Default::default()
        };
        if let Some(OffsetAndEpoch { offset, epoch }) = reply.diverging {
            let end_offset = offset;
            partition.diverging_epoch =
                fetch_response::EpochEndOffset { epoch, end_offset, ..Default::default() };
        }
        if let Some(OffsetAndEpoch { offset, epoch }) = reply.snapshot {
            let end_offset = offset;
            partition.snapshot_id =
                fetch_response::SnapshotId { end_offset, epoch, ..Default::default() };
        }
        let node = self.leader_of(&reply.answer).filter(|_| version >= LEADER_ENDPOINT);
        let node = node.map(|(node_id, host, port)| {
            let port = i32::from(port);
            fetch_response::NodeEndpoint { node_id, host, port, ..Default::default() }
        });
        FetchResponse {
            responses: vec![fetch_response::FetchableTopicResponse {
                topic: Str::from_static(TOPIC),
                topic_id: Uuid::ONE,
                partitions: vec![partition],
                ..Default::default()
            }],
            node_endpoints: node.into_iter().collect(),
            ..Default::default()
        }
    }

    /// Serves a piece of a snapshot.
    pub(crate) async fn fetch_snapshot(
        &self,
        request: &FetchSnapshotRequest,
        version: i16,
    ) -> FetchSnapshotResponse {
        let refused = |error: ErrorCode| FetchSnapshotResponse {
            error_code: error.code(),
            ..FetchSnapshotResponse::default()
        };
        if let Err(error) = self.check_cluster(request.cluster_id.as_ref()) {
            return refused(error);
        }
        let [topic] = request.topics.as_slice() else { return refused(ErrorCode::InvalidRequest) };
        let [asked] = topic.partitions.as_slice() else {
            return refused(ErrorCode::InvalidRequest);
        };
        let snapshot = OffsetAndEpoch::new(asked.snapshot_id.end_offset, asked.snapshot_id.epoch);
        let mut partition = fetch_snapshot_response::PartitionSnapshot {
            index: asked.partition,
            snapshot_id: fetch_snapshot_response::SnapshotId {
                end_offset: snapshot.offset,
                epoch: snapshot.epoch,
                ..Default::default()
            },
            unaligned_records: Some(Bytes::new()),
            ..Default::default()
        };
        let answer = if *topic.name != *TOPIC || asked.partition != 0 {
            partition.error_code = ErrorCode::UnknownTopicOrPartition.code();
            None
        } else {
            let piece = FetchSnapshot {
                replica: ReplicaKey::new(NodeId(request.replica_id), asked.replica_directory_id),
                epoch: asked.current_leader_epoch,
                snapshot,
                position: asked.position,
                max_bytes: request.max_bytes,
            };
            let Some(Reply::Fetch(reply)) = self.ask(Request::FetchSnapshot(piece)).await else {
                return refused(ErrorCode::BrokerNotAvailable);
            };
            self.piece(&mut partition, &reply).await;
            Some(reply.answer)
        };
        let leader = answer.as_ref().and_then(|answer| self.leader_of(answer));
        let leader = leader.filter(|_| version >= ENDPOINTS);
        let node = leader.map(|(node_id, host, port)| fetch_snapshot_response::NodeEndpoint {
            node_id,
            host,
            port,
            ..Default::default()
        });
        FetchSnapshotResponse {
            topics: vec![fetch_snapshot_response::TopicSnapshot {
                name: topic.name.clone(),
                partitions: vec![partition],
                ..Default::default()
            }],
            node_endpoints: node.into_iter().collect(),
            ..Default::default()
        }
    }

    async fn piece(
        &self,
        partition: &mut fetch_snapshot_response::PartitionSnapshot,
        reply: &FetchReply,
    ) {
        let (error_code, leader_id, leader_epoch) = told(&reply.answer);
        partition.error_code = error_code;
        partition.current_leader = fetch_snapshot_response::LeaderIdAndEpoch {
            leader_id,
            leader_epoch,
            ..Default::default()
        };
        let Some(ReadFrom::Snapshot { snapshot, position, max_bytes }) = reply.read else { return };
        match self.read_snapshot(snapshot, position, max_bytes).await {
            Ok((size, bytes)) => {
                (partition.size, partition.position) = (size, position);
                partition.unaligned_records = Some(bytes);
            }
            Err(error) => partition.error_code = error.code(),
        }
    }
}

fn refusal(error: ErrorCode) -> FetchResponse {
    FetchResponse { error_code: error.code(), ..FetchResponse::default() }
}

/// The one partition of the one topic that can be asked for.
fn asked(request: &FetchRequest, version: i16) -> Option<&FetchPartition> {
    let [topic] = request.topics.as_slice() else { return None };
    let is_ours =
        if version < TOPIC_IDS { *topic.topic == *TOPIC } else { topic.topic_id == Uuid::ONE };
    match topic.partitions.as_slice() {
        [partition] if is_ours && partition.partition == 0 => Some(partition),
        _ => None,
    }
}
