//! CreatePartitions: topics grow, and never shrink.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, PartitionRecord,
};
use ottla_protocol::{ErrorCode, Str};

use super::refusal::Refusal;
use super::{Decision, RECORDS_MAX, Reply, Soft, assignment};
use crate::image::MetadataImage;

pub(super) fn create(
    image: &MetadataImage,
    soft: &mut Soft,
    request: CreatePartitionsRequest,
) -> Decision {
    let mut seen: BTreeMap<&Str, usize> = BTreeMap::new();
    for topic in &request.topics {
        *seen.entry(&topic.name).or_default() += 1;
    }
    let mut records = Vec::new();
    let mut results = Vec::with_capacity(request.topics.len());
    let mut answered = BTreeSet::new();
    for topic in &request.topics {
        if !answered.insert(&topic.name) {
            continue;
        }
        let outcome = if seen[&topic.name] > 1 {
            Err(Refusal::invalid_request("Duplicate topic name."))
        } else {
            grow(image, soft, topic, RECORDS_MAX - records.len())
        };
        let (code, message) = match outcome {
            Ok(partitions) => {
                records.extend(partitions.into_iter().map(Into::into));
                (ErrorCode::None, None)
            }
            Err(refusal) => (refusal.code, refusal.message),
        };
        results.push(CreatePartitionsTopicResult {
            name: topic.name.clone(),
            error_code: code.code(),
            error_message: message,
            ..Default::default()
        });
    }
    if request.validate_only {
        records.clear();
    }
    let response = CreatePartitionsResponse { results, ..Default::default() };
    Decision { records, reply: Reply::CreatePartitions(response) }
}

fn grow(
    image: &MetadataImage,
    soft: &mut Soft,
    asked: &CreatePartitionsTopic,
    room: usize,
) -> Result<Vec<PartitionRecord>, Refusal> {
    let Some(topic) = image.topics.get(&asked.name) else {
        return Err(Refusal::bare(ErrorCode::UnknownTopicOrPartition));
    };
    let current = topic.partitions.len() as i32;
    let invalid = |message| Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    if asked.count == current {
        return invalid(format!("Topic already has {current} partition(s)."));
    }
    if asked.count < current {
        return invalid(format!(
            "The topic {} currently has {current} partition(s); {} would not be an increase.",
            asked.name, asked.count
        ));
    }
    let additional = asked.count - current;
    if let Some(assignments) = &asked.assignments
        && assignments.len() != additional as usize
    {
        let message = format!(
            "Attempted to add {additional} additional partition(s), but only {} assignment(s) were \
             specified.",
            assignments.len()
        );
        return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    }
    if additional as usize > room {
        return Err(Refusal::new(
            ErrorCode::PolicyViolation,
            "Excessively large number of partitions per request.",
        ));
    }
    let factor = topic.replication_factor();
    let partitions: Vec<PartitionRecord> = match &asked.assignments {
        None => assignment::place(image, &mut soft.entropy, current, additional, factor)?,
        Some(assignments) => (current..)
            .zip(assignments)
            .map(|(index, chosen)| {
                assignment::manual_partition(image, index, &chosen.broker_ids, Some(factor))
            })
            .collect::<Result<_, _>>()?,
    };
    let of_topic = |mut partition: PartitionRecord| {
        partition.topic_id = topic.id;
        partition
    };
    Ok(partitions.into_iter().map(of_topic).collect())
}
