//! Which brokers get which replicas: by hand, checked, or by the placer.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::PartitionRecord;

use super::entropy::Entropy;
use super::leaders;
use super::placer::Placer;
use super::refusal::Refusal;
use crate::image::{Broker, MetadataImage, NO_LEADER};

/// Checks replicas that somebody chose, in Kafka's words.
pub(super) fn validate_manual(
    image: &MetadataImage,
    replicas: &[i32],
    expected_factor: Option<usize>,
) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    if replicas.is_empty() {
        return refuse("The manual partition assignment includes an empty replica list.".into());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    for (index, id) in sorted.iter().enumerate() {
        let Some(broker) = image.brokers.get(*id) else {
            return refuse(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
            ));
        };
        if broker.is_cordoned() {
            return refuse(format!(
                "The manual partition assignment includes broker {id}, but all its log directories \
                 are cordoned."
            ));
        }
        if index > 0 && sorted[index - 1] == *id {
            return refuse(format!(
                "The manual partition assignment includes the broker {id} more than once."
            ));
        }
    }
    match expected_factor {
        Some(factor) if factor != replicas.len() => refuse(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is \
             not consistent with previous partitions, which have {factor} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

/// The record of a new partition on replicas chosen by hand.
pub(super) fn manual_partition(
    image: &MetadataImage,
    partition_id: i32,
    replicas: &[i32],
    expected_factor: Option<usize>,
) -> Result<PartitionRecord, Refusal> {
    validate_manual(image, replicas, expected_factor)?;
    let record = partition_record(image, partition_id, replicas.to_vec());
    if record.isr.is_empty() {
        return Err(Refusal::new(
            ErrorCode::InvalidReplicaAssignment,
            format!(
                "All brokers specified in the manual partition assignment for partition \
                 {partition_id} are fenced or in controlled shutdown."
            ),
        ));
    }
    Ok(record)
}

/// Chooses replicas for `count` partitions from `first` on.
pub(super) fn place(
    image: &MetadataImage,
    entropy: &mut Entropy,
    first: i32,
    count: i32,
    factor: usize,
) -> Result<Vec<PartitionRecord>, Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
    let mut placer = Placer::new(image.brokers.iter(), factor, entropy);
    if placer.active_brokers == 0 {
        let message =
            "All brokers are currently fenced, or have all their log directories cordoned.";
        return refuse(message.into());
    }
    let registered = placer.brokers;
    if factor > registered {
        return refuse(format!(
            "The target replication factor of {factor} cannot be reached because only {registered} \
             broker(s) are registered or some brokers have all their log directories cordoned."
        ));
    }
    let partitions = (first..first.saturating_add(count))
        .map(|index| partition_record(image, index, placer.place(factor, entropy)));
    Ok(partitions.collect())
}

/// In sync are the replicas that are up; the first of them leads.
fn partition_record(
    image: &MetadataImage,
    partition_id: i32,
    replicas: Vec<i32>,
) -> PartitionRecord {
    let active = |id: &&i32| image.brokers.get(**id).is_some_and(Broker::is_active);
    let isr: Vec<i32> = replicas.iter().filter(active).copied().collect();
    let directories = directories(image, &replicas);
    PartitionRecord {
        partition_id,
        leader: isr.first().copied().unwrap_or(NO_LEADER),
        replicas,
        isr,
        directories,
        leader_epoch: 0,
        partition_epoch: 0,
        ..Default::default()
    }
}

/// Nothing where the log says nothing of directories.
fn directories(image: &MetadataImage, replicas: &[i32]) -> Vec<ottla_protocol::Uuid> {
    match image.features.has_directories() {
        true => replicas.iter().map(|id| leaders::default_directory(image, *id)).collect(),
        false => Vec::new(),
    }
}
