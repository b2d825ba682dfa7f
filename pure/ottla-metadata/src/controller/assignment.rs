//! Which brokers get which replicas: by hand, checked, or by striping over racks and brokers.

use std::collections::BTreeMap;

use ottla_protocol::messages::PartitionRecord;
use ottla_protocol::{ErrorCode, Uuid};

use super::entropy::Entropy;
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
        if image.brokers.get(*id).is_none() {
            return refuse(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
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
    let refuse = |message: String| {
        let message = format!("Unable to replicate the partition {factor} time(s): {message}");
        Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message))
    };
    let registered = image.brokers.len();
    if factor > registered {
        return refuse(format!(
            "The target replication factor of {factor} cannot be reached because only {registered} \
             broker(s) are registered or some brokers have all their log directories cordoned."
        ));
    }
    let active = striped(image.live_brokers());
    if active.is_empty() {
        let message =
            "All brokers are currently fenced or have all their log directories cordoned.";
        return refuse(message.into());
    }
    // Brokers that are away get followers only where the others do not suffice.
    let away = striped(image.brokers.iter().filter(|broker| !broker.is_active()));
    let start = entropy.below(active.len());
    let partitions = (first..first.saturating_add(count)).map(|index| {
        let lead = start + (index - first) as usize;
        let followers = active.len() - 1;
        // Each full round of leaders shifts the followers, so that they do not pair up for ever.
        let shift = if followers > 0 { (lead / active.len()) % followers } else { 0 };
        let mut replicas = vec![active[lead % active.len()]];
        let others = (0..followers)
            .map(|step| active[(lead + 1 + (step + shift) % followers) % active.len()]);
        replicas.extend(others.chain(away.iter().copied()).take(factor - 1));
        partition_record(image, index, replicas)
    });
    Ok(partitions.collect())
}

/// Broker ids so that neighbours stand in different racks where that is possible.
fn striped<'a>(brokers: impl Iterator<Item = &'a Broker>) -> Vec<i32> {
    let mut racks: BTreeMap<Option<&str>, Vec<i32>> = BTreeMap::new();
    for broker in brokers {
        racks.entry(broker.rack.as_deref()).or_default().push(broker.id);
    }
    let longest = racks.values().map(Vec::len).max().unwrap_or(0);
    (0..longest)
        .flat_map(|row| racks.values().filter_map(move |rack| rack.get(row)))
        .copied()
        .collect()
}

/// In sync are the replicas that are up; the first of them leads.
fn partition_record(
    image: &MetadataImage,
    partition_id: i32,
    replicas: Vec<i32>,
) -> PartitionRecord {
    let active = |id: &&i32| image.brokers.get(**id).is_some_and(Broker::is_active);
    let isr: Vec<i32> = replicas.iter().filter(active).copied().collect();
    let directories = replicas.iter().map(|id| directory_of(image, *id)).collect();
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

/// A broker with one log directory will use that one; otherwise it says later which.
fn directory_of(image: &MetadataImage, broker_id: i32) -> Uuid {
    match image.brokers.get(broker_id).map(|broker| broker.log_dirs.as_slice()) {
        Some([only]) => *only,
        _ => Uuid::ZERO,
    }
}
