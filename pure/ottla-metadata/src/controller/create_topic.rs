//! One topic to be created: checked, and turned into records. Asks no configuration schema itself.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::{ConfigRecord, PartitionRecord, TopicRecord};
use ottla_protocol::{ErrorCode, Str, Uuid};

use super::config_changes;
use super::refusal::Refusal;
use super::{Soft, assignment};
use crate::image::{ConfigResource, MetadataImage, Overrides, ResourceType};
use crate::record::MetadataRecord;
use crate::topic_name;

/// A topic that passed every check.
pub(super) struct Created {
    pub(super) topic_id: Uuid,
    pub(super) overrides: Overrides,
    pub(super) num_partitions: i32,
    pub(super) replication_factor: i16,
    pub(super) records: Vec<MetadataRecord>,
}

/// Checks in the order of Kafka's controller, and decides.
pub(super) fn create(
    image: &MetadataImage,
    soft: &mut Soft,
    topic: &CreatableTopic,
) -> Result<Created, Refusal> {
    validate_name(image, &topic.name)?;
    let overrides = validate_configs(soft, topic)?;
    let partitions = partitions(image, soft, topic)?;
    let topic_id = unused_id(image, soft);
    let num_partitions = partitions.len() as i32;
    let replication_factor =
        partitions.first().map_or(0, |partition| partition.replicas.len()) as i16;

    let record = TopicRecord { name: topic.name.clone(), topic_id, ..Default::default() };
    let mut records = vec![record.into()];
    records.extend(overrides.iter().map(|(name, value)| config_record(&topic.name, name, value)));
    records.extend(partitions.into_iter().map(|mut partition| {
        partition.topic_id = topic_id;
        MetadataRecord::from(partition)
    }));
    Ok(Created { topic_id, overrides, num_partitions, replication_factor, records })
}

/// No two topics share an id, whatever the seeds of the controllers that made them.
fn unused_id(image: &MetadataImage, soft: &mut Soft) -> Uuid {
    loop {
        let id = soft.entropy.topic_id();
        if image.topics.by_id(id).is_none() {
            return id;
        }
    }
}

pub(super) fn validate_name(image: &MetadataImage, name: &Str) -> Result<(), Refusal> {
    if *name == topic_name::CLUSTER_METADATA {
        let message = format!("Creation of internal topic {name} is prohibited.");
        return Err(Refusal::invalid_request(message));
    }
    if image.topics.contains(name) {
        let message = format!("Topic '{name}' already exists.");
        return Err(Refusal::new(ErrorCode::TopicAlreadyExists, message));
    }
    let invalid = |message| Refusal::new(ErrorCode::InvalidTopicException, message);
    topic_name::validate(name).map_err(invalid)?;
    match image.topics.colliding(name) {
        Some(other) => {
            Err(invalid(format!("Topic '{name}' collides with existing topic: {other}")))
        }
        None => Ok(()),
    }
}

fn validate_configs(soft: &Soft, topic: &CreatableTopic) -> Result<Overrides, Refusal> {
    let mut overrides = Overrides::new();
    let mut nulls = BTreeSet::new();
    for config in &topic.configs {
        match &config.value {
            Some(value) => drop(overrides.insert(config.name.to_string(), value.to_string())),
            None => drop(nulls.insert(config.name.as_str())),
        }
    }
    if !nulls.is_empty() {
        let names = nulls.into_iter().collect::<Vec<_>>().join(",");
        let message = format!("Null value not supported for topic configs: {names}");
        return Err(Refusal::invalid_config(message));
    }
    let overrides = config_changes::stored(&ConfigResource::topic(&topic.name), overrides);
    config_changes::validate_topic(soft, &overrides)?;
    Ok(overrides)
}

fn partitions(
    image: &MetadataImage,
    soft: &mut Soft,
    topic: &CreatableTopic,
) -> Result<Vec<PartitionRecord>, Refusal> {
    if !topic.assignments.is_empty() {
        return manual(image, topic);
    }
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        return Err(Refusal::new(
            ErrorCode::InvalidReplicationFactor,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        ));
    }
    if topic.num_partitions < -1 || topic.num_partitions == 0 {
        return Err(Refusal::new(
            ErrorCode::InvalidPartitions,
            "Number of partitions was set to an invalid non-positive value.",
        ));
    }
    let count = match topic.num_partitions {
        -1 => soft.config.topic.num_partitions,
        count => count,
    };
    let factor = match topic.replication_factor {
        -1 => soft.config.topic.default_replication_factor,
        factor => i32::from(factor),
    };
    let factor = factor.max(1) as usize;
    assignment::place(image, &mut soft.entropy, 0, count, factor).map_err(|refusal| {
        let why = refusal.message.unwrap_or_default();
        let message = format!("Unable to replicate the partition {factor} time(s): {why}");
        Refusal::new(refusal.code, message)
    })
}

fn manual(image: &MetadataImage, topic: &CreatableTopic) -> Result<Vec<PartitionRecord>, Refusal> {
    if topic.replication_factor != -1 {
        return Err(Refusal::invalid_request(
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        ));
    }
    if topic.num_partitions != -1 {
        return Err(Refusal::invalid_request(
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        ));
    }
    let mut partitions = BTreeMap::new();
    let mut factor = None;
    for assignment in &topic.assignments {
        let index = assignment.partition_index;
        if partitions.contains_key(&index) {
            return Err(Refusal::new(
                ErrorCode::InvalidReplicaAssignment,
                format!("Found multiple manual partition assignments for partition {index}"),
            ));
        }
        let replicas = &assignment.broker_ids;
        partitions.insert(index, assignment::manual_partition(image, index, replicas, factor)?);
        factor = Some(replicas.len());
    }
    if !partitions.keys().copied().eq(0..partitions.len() as i32) {
        return Err(Refusal::new(
            ErrorCode::InvalidReplicaAssignment,
            "partitions should be a consecutive 0-based integer sequence",
        ));
    }
    Ok(partitions.into_values().collect())
}

fn config_record(topic: &Str, name: &str, value: &str) -> MetadataRecord {
    ConfigRecord {
        resource_type: ResourceType::Topic.code(),
        resource_name: topic.clone(),
        name: Str::copy_from(name),
        value: Some(Str::copy_from(value)),
        ..Default::default()
    }
    .into()
}
