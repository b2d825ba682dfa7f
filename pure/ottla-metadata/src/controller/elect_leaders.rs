//! ElectLeaders: somebody asks for the preferred leader, or for any leader at all (KIP-460).

use ottla_protocol::ErrorCode;
use ottla_protocol::Str;
use ottla_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use ottla_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::leaders::{Leaders, Rules};
use super::partition_change::{Election, PartitionChange};
use super::refusal::Refusal;
use super::{Decision, RECORDS_MAX, Reply, Soft};
use crate::image::{MetadataImage, PartitionId, Topic};
use crate::record::MetadataRecord;

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// What one request has made so far.
struct Elections<'a> {
    image: &'a MetadataImage,
    soft: &'a Soft,
    election: Election,
    records: Vec<MetadataRecord>,
}

pub(super) fn elect(image: &MetadataImage, soft: &Soft, request: &ElectLeadersRequest) -> Decision {
    let election = match request.election_type {
        PREFERRED => Election::Preferred,
        UNCLEAN => Election::Unclean,
        other => {
            let refusal = Refusal::invalid_request(format!("Unknown election type {other}"));
            return Decision::answer(Reply::Refused(refusal));
        }
    };
    let mut elections = Elections { image, soft, election, records: Vec::new() };
    let results = match &request.topic_partitions {
        None => elections.everywhere(),
        Some(asked) => asked
            .iter()
            .map(|asked| {
                let topic = image.topics.get(&asked.topic).map(|topic| &**topic);
                let result =
                    |index: &i32| result(*index, elections.elect(&asked.topic, topic, *index));
                let partition_result = asked.partitions.iter().map(result).collect();
                of_topic(&asked.topic, partition_result)
            })
            .collect(),
    };
    let response = ElectLeadersResponse { replica_election_results: results, ..Default::default() };
    Decision { records: elections.records, reply: Reply::ElectLeaders(response) }
}

impl Elections<'_> {
    /// Every partition; those that have the leader they should are not answered.
    fn everywhere(&mut self) -> Vec<ReplicaElectionResult> {
        let image = self.image;
        let mut results = Vec::with_capacity(image.topics.len());
        for topic in image.topics.iter() {
            let mut partition_result = Vec::new();
            for index in topic.partitions.keys() {
                match self.elect(&topic.name, Some(topic), *index) {
                    Err(refusal) if refusal.code == ErrorCode::ElectionNotNeeded => {}
                    outcome => partition_result.push(result(*index, outcome)),
                }
            }
            results.push(of_topic(&topic.name, partition_result));
        }
        results
    }

    fn elect(&mut self, name: &Str, topic: Option<&Topic>, index: i32) -> Result<(), Refusal> {
        let unknown = |what| Refusal::new(ErrorCode::UnknownTopicOrPartition, what);
        let topic = topic.ok_or_else(|| unknown(format!("No such topic as {name}")))?;
        let partition = topic
            .partitions
            .get(&index)
            .ok_or_else(|| unknown(format!("No such partition as {name}-{index}")))?;
        let has_it = match self.election {
            Election::Unclean => partition.has_leader(),
            _ => partition.has_preferred_leader(),
        };
        if has_it {
            return Err(Refusal::new(
                ErrorCode::ElectionNotNeeded,
                "Leader election not needed for topic partition.",
            ));
        }
        if self.records.len() >= RECORDS_MAX {
            let message = "Too many elections in one request.";
            return Err(Refusal::new(ErrorCode::PolicyViolation, message));
        }
        let id = PartitionId { topic_id: topic.id, partition: index };
        let rules = Rules::of(self.image, self.soft, topic);
        let change = PartitionChange::new(partition, id, rules)
            .election(self.election)
            .build(&Leaders::of(self.image));
        match (change, self.election) {
            (Some(change), _) => {
                self.records.push(change.into());
                Ok(())
            }
            (None, Election::Unclean) => Err(Refusal::new(
                ErrorCode::EligibleLeadersNotAvailable,
                "Eligible topic partition leaders are not available.",
            )),
            (None, _) => Err(Refusal::new(
                ErrorCode::PreferredLeaderNotAvailable,
                "The preferred leader was not available.",
            )),
        }
    }
}

fn result(partition_id: i32, outcome: Result<(), Refusal>) -> PartitionResult {
    let (error_code, error_message) = match outcome {
        Ok(()) => (ErrorCode::None.code(), None),
        Err(refusal) => (refusal.code.code(), refusal.message),
    };
    PartitionResult { partition_id, error_code, error_message, ..Default::default() }
}

fn of_topic(name: &Str, partition_result: Vec<PartitionResult>) -> ReplicaElectionResult {
    ReplicaElectionResult { topic: name.clone(), partition_result, ..Default::default() }
}
