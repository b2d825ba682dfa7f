//! What the machine says to other replicas, in Kafka's messages, and their answers in the machine's words.

use std::time::Duration;

use bytes::Bytes;
use ottla_client::{Connection, Error};
use ottla_env::Env;
use ottla_protocol::messages::{
    BeginQuorumEpochRequest, EndQuorumEpochRequest, FetchRequest, FetchResponse,
    FetchSnapshotRequest, VoteRequest, begin_quorum_epoch_request, end_quorum_epoch_request,
    fetch_request, fetch_response, fetch_snapshot_request, vote_request,
};
use ottla_protocol::records::{batches, verify_crc};
use ottla_protocol::{ErrorCode, Str, Uuid};
use ottla_raft::message::{
    Answer, Batch, BeginQuorumEpoch, EndQuorumEpoch, Fetch, FetchAnswer, FetchSnapshot, Request,
    Response, SnapshotAnswer, Vote, VoteAnswer,
};
use ottla_raft::replica::Endpoints;
use ottla_raft::{Endpoint, NodeId, OffsetAndEpoch, ReplicaKey};

use super::serve::TOPIC;
use super::{RaftDriver, voters};

/// The first version of a vote that can ask without disturbing anybody (KIP-996).
const PRE_VOTE_VERSION: i16 = 2;
/// The first version of a fetch in which the replica's id stands in a structure of its own (KIP-903).
pub(super) const REPLICA_STATE_VERSION: i16 = 15;
/// The machine's requests wait for nothing but what the connection's own time limit allows.
pub(super) const NO_PATIENCE: Duration = Duration::ZERO;

/// What a peer says of the one partition there is, and the answer in it; nothing if it refuses. Kafka's
/// messages say it in types of their own.
macro_rules! heard {
    ($talk:expr, $response:expr) => {{
        let response = $response;
        let nodes = response.node_endpoints.iter();
        let known = nodes.map(|node| (node.node_id, &node.host, node.port));
        let mut partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
        partitions.next().filter(|_| $talk.fits(response.error_code)).map(|found| {
            let (leader_id, epoch) = (found.leader_id, found.leader_epoch);
            ($talk.answer(found.error_code, leader_id, epoch, known), found)
        })
    }};
}

/// Where a leader is, for those who are told.
macro_rules! leader_endpoints {
    ($message:ident, $endpoints:expr) => {
        $endpoints
            .iter()
            .map(|(name, at)| $message::LeaderEndpoint {
                name: Str::copy_from(name),
                host: Str::copy_from(&at.host),
                port: at.port,
                ..Default::default()
            })
            .collect()
    };
}

/// One request to one replica.
pub(super) async fn exchange<E: Env>(
    driver: &RaftDriver<E>,
    address: &str,
    request: Request,
) -> Result<Response, Error> {
    let connection = driver.links.take(&driver.env, address).await?;
    let talk = Talk { driver, connection: &connection };
    let response = match request {
        Request::Vote(vote) => talk.vote(&vote).await,
        Request::BeginQuorumEpoch(begin) => talk.begin(&begin).await,
        Request::EndQuorumEpoch(end) => talk.end(&end).await,
        Request::Fetch(fetch) => talk.fetch(&fetch).await,
        Request::FetchSnapshot(piece) => talk.fetch_snapshot(&piece).await,
        Request::AddVoter(add) => talk.add_voter(add).await,
        Request::RemoveVoter(remove) => talk.remove_voter(remove).await,
        Request::UpdateVoter(update) => talk.update_voter(update).await,
    };
    driver.links.give_back(connection);
    response
}

/// A conversation with one replica.
pub(super) struct Talk<'a, E: Env> {
    driver: &'a RaftDriver<E>,
    pub(super) connection: &'a Connection<E>,
}

impl<E: Env> Talk<'_, E> {
    pub(super) fn cluster_id(&self) -> Option<Str> {
        Some(Str::copy_from(&self.driver.node.cluster_id))
    }

    async fn vote(&self, vote: &Vote) -> Result<Response, Error> {
        if vote.pre_vote && self.connection.version_of::<VoteRequest>()? < PRE_VOTE_VERSION {
            return Ok(Response::Unsupported);
        }
        let partition = vote_request::PartitionData {
            partition_index: 0,
            replica_epoch: vote.epoch,
            replica_id: vote.candidate.id.0,
            replica_directory_id: directory(&vote.candidate),
            voter_directory_id: vote.voter.as_ref().map_or(Uuid::ZERO, directory),
            last_offset_epoch: vote.last.epoch,
            last_offset: vote.last.offset,
            pre_vote: vote.pre_vote,
            ..Default::default()
        };
        let request = VoteRequest {
            cluster_id: self.cluster_id(),
            voter_id: id(vote.voter.map(|voter| voter.id)),
            topics: vec![vote_request::TopicData {
                topic_name: Str::from_static(TOPIC),
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        };
        let heard = heard!(self, self.connection.call(&request, NO_PATIENCE).await?);
        Ok(heard.map_or(Response::Failed, |(answer, found)| {
            Response::Vote(VoteAnswer { answer, granted: found.vote_granted })
        }))
    }

    async fn begin(&self, begin: &BeginQuorumEpoch) -> Result<Response, Error> {
        let partition = begin_quorum_epoch_request::PartitionData {
            partition_index: 0,
            voter_directory_id: begin.voter.as_ref().map_or(Uuid::ZERO, directory),
            leader_id: begin.leader.0,
            leader_epoch: begin.epoch,
            ..Default::default()
        };
        let request = BeginQuorumEpochRequest {
            cluster_id: self.cluster_id(),
            voter_id: id(begin.voter.map(|voter| voter.id)),
            topics: vec![begin_quorum_epoch_request::TopicData {
                topic_name: Str::from_static(TOPIC),
                partitions: vec![partition],
                ..Default::default()
            }],
            leader_endpoints: leader_endpoints!(begin_quorum_epoch_request, begin.endpoints),
            ..Default::default()
        };
        let heard = heard!(self, self.connection.call(&request, NO_PATIENCE).await?);
        Ok(heard.map_or(Response::Failed, |(answer, _)| Response::BeginQuorumEpoch(answer)))
    }

    async fn end(&self, end: &EndQuorumEpoch) -> Result<Response, Error> {
        let candidate = |successor: &ReplicaKey| end_quorum_epoch_request::ReplicaInfo {
            candidate_id: successor.id.0,
            candidate_directory_id: directory(successor),
            ..Default::default()
        };
        let partition = end_quorum_epoch_request::PartitionData {
            partition_index: 0,
            leader_id: end.leader.0,
            leader_epoch: end.epoch,
            preferred_successors: end.successors.iter().map(|successor| successor.id.0).collect(),
            preferred_candidates: end.successors.iter().map(candidate).collect(),
            ..Default::default()
        };
        let request = EndQuorumEpochRequest {
            cluster_id: self.cluster_id(),
            topics: vec![end_quorum_epoch_request::TopicData {
                topic_name: Str::from_static(TOPIC),
                partitions: vec![partition],
                ..Default::default()
            }],
            leader_endpoints: leader_endpoints!(end_quorum_epoch_request, end.endpoints),
            ..Default::default()
        };
        let heard = heard!(self, self.connection.call(&request, NO_PATIENCE).await?);
        Ok(heard.map_or(Response::Failed, |(answer, _)| Response::EndQuorumEpoch(answer)))
    }

    async fn fetch(&self, fetch: &Fetch) -> Result<Response, Error> {
        let partition = fetch_request::FetchPartition {
            partition: 0,
            current_leader_epoch: fetch.epoch,
            fetch_offset: fetch.at.offset,
            last_fetched_epoch: fetch.at.epoch,
            // Of which Kafka's leader reads nothing in this log; the request's own limit counts.
            partition_max_bytes: 0,
            replica_directory_id: directory(&fetch.replica),
            high_watermark: fetch.high_watermark,
            ..Default::default()
        };
        let mut request = FetchRequest {
            cluster_id: self.cluster_id(),
            max_wait_ms: i32::try_from(fetch.max_wait_ms).unwrap_or(i32::MAX),
            min_bytes: 0,
            max_bytes: fetch.max_bytes,
            topics: vec![fetch_request::FetchTopic {
                topic: Str::from_static(TOPIC),
                topic_id: Uuid::ONE,
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        };
        if self.connection.version_of::<FetchRequest>()? < REPLICA_STATE_VERSION {
            request.replica_id = fetch.replica.id.0;
        } else {
            request.replica_state.replica_id = fetch.replica.id.0;
        }
        let response = self.connection.call(&request, NO_PATIENCE).await?;
        Ok(self.fetched(response))
    }

    fn fetched(&self, response: FetchResponse) -> Response {
        let FetchResponse { error_code, responses, node_endpoints, .. } = response;
        let mut partitions = responses.into_iter().flat_map(|topic| topic.partitions);
        let Some(found) = partitions.next().filter(|_| self.fits(error_code)) else {
            return Response::Failed;
        };
        let known = node_endpoints
            .iter()
            .filter_map(|node| Some((node.node_id, &node.host, u16::try_from(node.port).ok()?)));
        let fetch_response::LeaderIdAndEpoch { leader_id, leader_epoch, .. } = found.current_leader;
        let answer = self.answer(found.error_code, leader_id, leader_epoch, known);
        let batches = match taken_apart(found.records.unwrap_or_default()) {
            Ok(batches) => batches,
            Err(error) => {
                tracing::warn!(%error, "the metadata log's leader sent records that are damaged");
                return Response::Failed;
            }
        };
        let (diverging, snapshot) = (found.diverging_epoch, found.snapshot_id);
        let place = |offset: i64, epoch: i32| {
            (offset >= 0 && epoch >= 0).then(|| OffsetAndEpoch::new(offset, epoch))
        };
        Response::Fetch(FetchAnswer {
            answer,
            high_watermark: found.high_watermark,
            diverging: place(diverging.end_offset, diverging.epoch),
            snapshot: place(snapshot.end_offset, snapshot.epoch),
            batches,
        })
    }

    async fn fetch_snapshot(&self, piece: &FetchSnapshot) -> Result<Response, Error> {
        let partition = fetch_snapshot_request::PartitionSnapshot {
            partition: 0,
            current_leader_epoch: piece.epoch,
            snapshot_id: fetch_snapshot_request::SnapshotId {
                end_offset: piece.snapshot.offset,
                epoch: piece.snapshot.epoch,
                ..Default::default()
            },
            position: piece.position,
            replica_directory_id: directory(&piece.replica),
            ..Default::default()
        };
        let request = FetchSnapshotRequest {
            cluster_id: self.cluster_id(),
            replica_id: piece.replica.id.0,
            max_bytes: piece.max_bytes,
            topics: vec![fetch_snapshot_request::TopicSnapshot {
                name: Str::from_static(TOPIC),
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        };
        let response = self.connection.call(&request, NO_PATIENCE).await?;
        let mut partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
        let Some(found) = partitions.next().filter(|_| self.fits(response.error_code)) else {
            return Ok(Response::Failed);
        };
        let known =
            response.node_endpoints.iter().map(|node| (node.node_id, &node.host, node.port));
        let leader = &found.current_leader;
        let answer = self.answer(found.error_code, leader.leader_id, leader.leader_epoch, known);
        Ok(Response::FetchSnapshot(SnapshotAnswer {
            answer,
            snapshot: OffsetAndEpoch::new(found.snapshot_id.end_offset, found.snapshot_id.epoch),
            size: found.size,
            position: found.position,
            bytes: found.unaligned_records.unwrap_or_default(),
        }))
    }

    /// Whether an answer is one of this cluster's log at all.
    fn fits(&self, error_code: i16) -> bool {
        if error_code == ErrorCode::None.code() {
            return true;
        }
        let error = ErrorCode::from_code_or_unknown(error_code);
        let address = self.connection.address();
        if error == ErrorCode::InconsistentClusterId {
            tracing::error!(
                address, cluster_id = %self.driver.node.cluster_id,
                "this address belongs to another cluster; correct controller.quorum.voters or \
                 controller.quorum.bootstrap.servers, or this node's cluster id"
            );
        } else {
            tracing::warn!(address, %error, "a peer of the metadata quorum refuses what it was asked");
        }
        false
    }

    pub(super) fn answer<'a>(
        &self,
        error_code: i16,
        leader_id: i32,
        epoch: i32,
        mut known: impl Iterator<Item = (i32, &'a Str, u16)>,
    ) -> Answer {
        let leader = (leader_id >= 0).then_some(NodeId(leader_id));
        let endpoint = known.find(|(node, host, _)| *node == leader_id && !host.is_empty());
        let endpoints = endpoint.map(|(_, host, port)| {
            (self.driver.listener.clone(), Endpoint { host: host.as_str().to_owned(), port })
        });
        Answer {
            error: ErrorCode::from_code_or_unknown(error_code),
            epoch,
            leader,
            endpoints: Endpoints::from_iter(endpoints),
        }
    }
}

pub(super) fn directory(replica: &ReplicaKey) -> Uuid {
    replica.directory_id.unwrap_or(Uuid::ZERO)
}

fn id(node: Option<NodeId>) -> i32 {
    node.map_or(-1, |node| node.0)
}

/// Whole batches whose CRC holds; a torn one at the end is left for the next fetch.
fn taken_apart(records: Bytes) -> Result<Vec<Batch>, ottla_protocol::records::BatchError> {
    use ottla_protocol::records::BatchError;
    let mut taken = Vec::new();
    for batch in batches(&records) {
        let (header, bytes) = match batch {
            Ok(batch) => batch,
            Err(BatchError::Truncated { .. }) => break,
            Err(error) => return Err(error),
        };
        verify_crc(&bytes)?;
        taken.push(Batch {
            base_offset: header.base_offset,
            last_offset: header.next_offset() - 1,
            epoch: header.partition_leader_epoch,
            voters: voters::of_batch(&header, &bytes)?,
            bytes,
        });
    }
    Ok(taken)
}
