//! AlterPartitionReassignments and ListPartitionReassignments (KIP-455): replicas move to other
//! brokers, or back. New ones are added first, old ones leave when the new ones are in sync.

use std::collections::BTreeMap;

use ottla_protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use ottla_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use ottla_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, PartitionChangeRecord,
};
use ottla_protocol::{ErrorCode, Str, Uuid};

use super::leaders::{Leaders, Rules};
use super::partition_change::PartitionChange;
use super::reassignment::{self, Reassignment};
use super::refusal::Refusal;
use super::{Decision, RECORDS_MAX, Reply, Soft, assignment};
use crate::image::{MetadataImage, Partition, PartitionId, Topic};
use crate::record::MetadataRecord;

pub(super) fn alter(
    image: &MetadataImage,
    soft: &Soft,
    request: &AlterPartitionReassignmentsRequest,
) -> Decision {
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut responses = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let allow_factor = request.allow_replication_factor_change;
            let outcome = if records.len() < RECORDS_MAX {
                alter_one(image, soft, &topic.name, wanted, allow_factor)
            } else {
                let message = "Too many partition reassignments in one request.";
                Err(Refusal::new(ErrorCode::PolicyViolation, message))
            };
            let (error_code, error_message) = match outcome {
                Ok(change) => {
                    records.extend(change.map(MetadataRecord::from));
                    (ErrorCode::None.code(), None)
                }
                Err(refusal) => (refusal.code.code(), refusal.message),
            };
            partitions.push(ReassignablePartitionResponse {
                partition_index: wanted.partition_index,
                error_code,
                error_message,
                ..Default::default()
            });
        }
        responses.push(ReassignableTopicResponse {
            name: topic.name.clone(),
            partitions,
            ..Default::default()
        });
    }
    let response = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        responses,
        ..Default::default()
    };
    Decision { records, reply: Reply::AlterPartitionReassignments(response) }
}

fn alter_one(
    image: &MetadataImage,
    soft: &Soft,
    name: &Str,
    wanted: &ReassignablePartition,
    allow_factor: bool,
) -> Result<Option<PartitionChangeRecord>, Refusal> {
    let unknown = |what| Refusal::new(ErrorCode::UnknownTopicOrPartition, what);
    let topic = image
        .topics
        .get(name)
        .ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
    let index = wanted.partition_index;
    let partition = topic
        .partitions
        .get(&index)
        .ok_or_else(|| unknown(format!("Unable to find partition {name}:{index}.")))?;
    let id = PartitionId { topic_id: topic.id, partition: index };
    let rules = Rules::of(image, soft, topic);
    let leaders = Leaders::of(image);
    let change = PartitionChange::new(partition, id, rules);
    let change = match &wanted.replicas {
        None => cancel(&leaders, topic, id, partition, rules, change)?,
        Some(target) => {
            assignment::validate_manual(image, target, None)?;
            if !allow_factor {
                keeps_factor(partition, target)?;
            }
            reassign(partition, target, change)
        }
    };
    Ok(change.build(&leaders))
}

fn reassign<'a>(
    partition: &Partition,
    target: &[i32],
    change: PartitionChange<'a>,
) -> PartitionChange<'a> {
    let reassignment = Reassignment::new(&partition.replicas, target);
    // A reassignment that is under way goes on with what the new one does not say otherwise.
    let or_present = |new: Vec<i32>, present: &[i32]| match new.is_empty() {
        true => present.to_vec(),
        false => new,
    };
    change.replicas(
        reassignment.replicas,
        or_present(reassignment.removing, &partition.removing_replicas),
        or_present(reassignment.adding, &partition.adding_replicas),
    )
}

/// Goes back to the replicas from before the reassignment.
fn cancel<'a>(
    leaders: &Leaders<'_>,
    topic: &Topic,
    id: PartitionId,
    partition: &Partition,
    rules: Rules,
    change: PartitionChange<'a>,
) -> Result<PartitionChange<'a>, Refusal> {
    if !partition.is_reassigning() {
        let message = "No partition reassignment is in progress.";
        return Err(Refusal::new(ErrorCode::NoReassignmentInProgress, message));
    }
    let mut reverted =
        reassignment::reverted(&partition.replicas, &partition.adding_replicas, &partition.isr);
    let Some(first) = reverted.replicas.first().copied() else {
        let message = "Invalid replica assignment: addingReplicas contains all replicas.";
        return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    };
    if reverted.is_unclean {
        if !rules.unclean_elections {
            let message = format!(
                "Unable to revert partition assignment for {}:{} because it would require an \
                 unclean leader election.",
                topic.name, id.partition
            );
            return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
        }
        // Kafka takes the first, up or not.
        let up = reverted.replicas.iter().find(|id| leaders.may_lead(partition, **id));
        let somebody = up.copied().or((!rules.eligible_leader_replicas).then_some(first));
        reverted.isr.extend(somebody);
    }
    let change = change.election_by_rules().isr(reverted.isr);
    Ok(change.replicas(reverted.replicas, Vec::new(), Vec::new()))
}

/// KIP-860: the caller wants to be told if the number of replicas would change.
fn keeps_factor(partition: &Partition, target: &[i32]) -> Result<(), Refusal> {
    let stays = |id: &&i32| !partition.removing_replicas.contains(id);
    let before = partition.replicas.iter().filter(stays).count();
    if before == target.len() {
        return Ok(());
    }
    let message = format!("The replication factor is changed from {before} to {}", target.len());
    Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message))
}

pub(super) fn list(image: &MetadataImage, request: &ListPartitionReassignmentsRequest) -> Decision {
    let topics = match &request.topics {
        None => {
            let mut by_topic: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
            for id in image.topics.reassigning() {
                by_topic.entry(id.topic_id).or_default().push(id.partition);
            }
            let topic =
                |(id, indexes): (Uuid, Vec<i32>)| ongoing(image.topics.by_id(id)?, &indexes);
            by_topic.into_iter().filter_map(topic).collect()
        }
        Some(asked) => asked
            .iter()
            .filter_map(|asked| ongoing(image.topics.get(&asked.name)?, &asked.partition_indexes))
            .collect(),
    };
    let response =
        ListPartitionReassignmentsResponse { error_message: None, topics, ..Default::default() };
    Decision::answer(Reply::ListPartitionReassignments(response))
}

fn ongoing(topic: &Topic, indexes: &[i32]) -> Option<OngoingTopicReassignment> {
    let moving = |index: &i32| {
        let partition = topic.partitions.get(index).filter(|p| p.is_reassigning())?;
        Some(OngoingPartitionReassignment {
            partition_index: *index,
            replicas: partition.replicas.to_vec(),
            adding_replicas: partition.adding_replicas.to_vec(),
            removing_replicas: partition.removing_replicas.to_vec(),
            ..Default::default()
        })
    };
    let partitions: Vec<_> = indexes.iter().filter_map(moving).collect();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment {
        name: topic.name.clone(),
        partitions,
        ..Default::default()
    })
}
