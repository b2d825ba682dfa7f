//! Votes, and epochs that begin and end, as other replicas ask for them: Kafka's messages in the machine's words.

use ottla_env::Env;
use ottla_protocol::messages::{
    BeginQuorumEpochRequest, BeginQuorumEpochResponse, EndQuorumEpochRequest,
    EndQuorumEpochResponse, VoteRequest, VoteResponse, begin_quorum_epoch_response,
    end_quorum_epoch_response, vote_response,
};
use ottla_protocol::{ErrorCode, Str, Uuid};
use ottla_raft::message::{Answer, BeginQuorumEpoch, EndQuorumEpoch, Request, Vote};
use ottla_raft::{Endpoint, NodeId, OffsetAndEpoch, ReplicaKey};

use super::RaftDriver;
use super::core::Reply;

/// The one topic of the quorum.
pub(super) const TOPIC: &str = ottla_metadata::topic_name::CLUSTER_METADATA;

/// The first version of each answer that says where the leader is (KIP-853).
pub(super) const ENDPOINTS: i16 = 1;

/// The answer about the one partition there is. Kafka's messages say it in types of their own.
macro_rules! answered {
    ($driver:expr, $version:expr, $answer:expr, $message:ident, $response:ident $(, $more:ident: $value:expr)?) => {{
        let (error_code, leader_id, leader_epoch) = told($answer);
        let partition = $message::PartitionData {
            partition_index: 0,
            error_code,
            leader_id,
            leader_epoch,
            $($more: $value,)?
            ..Default::default()
        };
        let node = $driver.leader_of($answer).filter(|_| $version >= ENDPOINTS);
        let node = node.map(|(node_id, host, port)| $message::NodeEndpoint {
            node_id,
            host,
            port,
            ..Default::default()
        });
        $response {
            topics: vec![$message::TopicData {
                topic_name: Str::from_static(TOPIC),
                partitions: vec![partition],
                ..Default::default()
            }],
            node_endpoints: node.into_iter().collect(),
            ..Default::default()
        }
    }};
}

impl<E: Env> RaftDriver<E> {
    pub(crate) async fn vote(&self, request: &VoteRequest, version: i16) -> VoteResponse {
        let refused =
            |error: ErrorCode| VoteResponse { error_code: error.code(), ..VoteResponse::default() };
        let topics = request.topics.iter();
        let topics = topics.map(|topic| (&topic.topic_name, topic.partitions.as_slice()));
        let asked = match self.asked(request.cluster_id.as_ref(), topics, |one| one.partition_index)
        {
            Ok(asked) => asked,
            Err(error) => return refused(error),
        };
        let vote = Vote {
            candidate: ReplicaKey::new(NodeId(asked.replica_id), asked.replica_directory_id),
            epoch: asked.replica_epoch,
            last: OffsetAndEpoch::new(asked.last_offset, asked.last_offset_epoch),
            voter: voter(request.voter_id, asked.voter_directory_id),
            pre_vote: asked.pre_vote,
        };
        let Some(Reply::Vote(reply)) = self.ask(Request::Vote(vote)).await else {
            return refused(ErrorCode::BrokerNotAvailable);
        };
        answered!(self, version, &reply.answer, vote_response, VoteResponse, vote_granted: reply.granted)
    }

    pub(crate) async fn begin_quorum_epoch(
        &self,
        request: &BeginQuorumEpochRequest,
        version: i16,
    ) -> BeginQuorumEpochResponse {
        let refused = |error: ErrorCode| BeginQuorumEpochResponse {
            error_code: error.code(),
            ..BeginQuorumEpochResponse::default()
        };
        let topics = request.topics.iter();
        let topics = topics.map(|topic| (&topic.topic_name, topic.partitions.as_slice()));
        let asked = match self.asked(request.cluster_id.as_ref(), topics, |one| one.partition_index)
        {
            Ok(asked) => asked,
            Err(error) => return refused(error),
        };
        let endpoints = request.leader_endpoints.iter();
        let begin = BeginQuorumEpoch {
            leader: NodeId(asked.leader_id),
            epoch: asked.leader_epoch,
            endpoints: endpoints.map(|at| endpoint(&at.name, &at.host, at.port)).collect(),
            voter: voter(request.voter_id, asked.voter_directory_id),
        };
        let Some(Reply::Plain(answer)) = self.ask(Request::BeginQuorumEpoch(begin)).await else {
            return refused(ErrorCode::BrokerNotAvailable);
        };
        answered!(self, version, &answer, begin_quorum_epoch_response, BeginQuorumEpochResponse)
    }

    pub(crate) async fn end_quorum_epoch(
        &self,
        request: &EndQuorumEpochRequest,
        version: i16,
    ) -> EndQuorumEpochResponse {
        let refused = |error: ErrorCode| EndQuorumEpochResponse {
            error_code: error.code(),
            ..EndQuorumEpochResponse::default()
        };
        let topics = request.topics.iter();
        let topics = topics.map(|topic| (&topic.topic_name, topic.partitions.as_slice()));
        let asked = match self.asked(request.cluster_id.as_ref(), topics, |one| one.partition_index)
        {
            Ok(asked) => asked,
            Err(error) => return refused(error),
        };
        let endpoints = request.leader_endpoints.iter();
        let candidates = asked.preferred_candidates.iter().map(|candidate| {
            ReplicaKey::new(NodeId(candidate.candidate_id), candidate.candidate_directory_id)
        });
        // Version 0 knows no directories.
        let ids = asked.preferred_successors.iter();
        let ids = ids.map(|id| ReplicaKey { id: NodeId(*id), directory_id: None });
        let end = EndQuorumEpoch {
            leader: NodeId(asked.leader_id),
            epoch: asked.leader_epoch,
            endpoints: endpoints.map(|at| endpoint(&at.name, &at.host, at.port)).collect(),
            successors: if asked.preferred_candidates.is_empty() {
                ids.collect()
            } else {
                candidates.collect()
            },
        };
        let Some(Reply::Plain(answer)) = self.ask(Request::EndQuorumEpoch(end)).await else {
            return refused(ErrorCode::BrokerNotAvailable);
        };
        answered!(self, version, &answer, end_quorum_epoch_response, EndQuorumEpochResponse)
    }

    /// What is asked of this cluster's one partition.
    fn asked<'a, P>(
        &self,
        cluster_id: Option<&Str>,
        topics: impl Iterator<Item = (&'a Str, &'a [P])>,
        index: impl Fn(&P) -> i32,
    ) -> Result<&'a P, ErrorCode> {
        self.check_cluster(cluster_id)?;
        only(topics).filter(|asked| index(asked) == 0).ok_or(ErrorCode::InvalidRequest)
    }

    /// A peer that says which cluster it means must mean this one.
    pub(super) fn check_cluster(&self, named: Option<&Str>) -> Result<(), ErrorCode> {
        match named {
            Some(id) if **id != *self.node.cluster_id => Err(ErrorCode::InconsistentClusterId),
            _ => Ok(()),
        }
    }

    /// Id, host and port of the leader an answer names, where that is known.
    pub(super) fn leader_of(&self, answer: &Answer) -> Option<(i32, Str, u16)> {
        let endpoint = answer.endpoints.get(&self.listener)?;
        Some((answer.leader?.0, Str::copy_from(&endpoint.host), endpoint.port))
    }
}

/// Error, leader and epoch as every answer has them.
pub(super) fn told(answer: &Answer) -> (i16, i32, i32) {
    (answer.error.code(), answer.leader.map_or(-1, |leader| leader.0), answer.epoch)
}

/// The one partition of the one topic that can be asked for.
fn only<'a, P>(mut topics: impl Iterator<Item = (&'a Str, &'a [P])>) -> Option<&'a P> {
    let found = match topics.next()? {
        (name, [partition]) if **name == *TOPIC => partition,
        _ => return None,
    };
    topics.next().is_none().then_some(found)
}

/// Whom a request is meant for, if it says so.
fn voter(id: i32, directory: Uuid) -> Option<ReplicaKey> {
    (id >= 0).then(|| ReplicaKey::new(NodeId(id), directory))
}

fn endpoint(name: &Str, host: &Str, port: u16) -> (String, Endpoint) {
    (name.as_str().to_owned(), Endpoint { host: host.as_str().to_owned(), port })
}
