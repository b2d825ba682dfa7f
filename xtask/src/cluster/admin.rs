//! What a cluster says of itself, asked of one of its nodes.

use std::time::Duration;

use super::wire::{Answer, Wire, batch, compact_string, string};

/// A node that lives answers sooner.
const LIMIT: Duration = Duration::from_secs(5);
const PRODUCE: (i16, i16) = (0, 7);
const METADATA: (i16, i16) = (3, 8);
const CREATE_TOPICS: (i16, i16) = (19, 4);
const ALTER_LOG_DIRS: (i16, i16) = (34, 1);
const REASSIGN: (i16, i16) = (45, 0);
const DESCRIBE_QUORUM: (i16, i16) = (55, 0);
const TOPIC_EXISTS: i16 = 36;

/// One partition as a broker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionState {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// None is -1.
    pub(crate) leader: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
}

/// The partitions of these topics, or of all.
pub(crate) fn partitions(
    address: &str,
    topics: Option<&[&str]>,
) -> Result<Vec<PartitionState>, String> {
    Ok(metadata(&mut Wire::connect(address, LIMIT)?, topics)?.1)
}

/// The brokers the node knows to be alive.
pub(crate) fn brokers(address: &str) -> Result<Vec<i32>, String> {
    Ok(metadata(&mut Wire::connect(address, LIMIT)?, Some(&[]))?.0)
}

pub(crate) fn metadata(
    wire: &mut Wire,
    topics: Option<&[&str]>,
) -> Result<(Vec<i32>, Vec<PartitionState>), String> {
    let mut body = Vec::new();
    match topics {
        Some(names) => {
            body.extend_from_slice(&(names.len() as i32).to_be_bytes());
            names.iter().for_each(|name| string(&mut body, name));
        }
        None => body.extend_from_slice(&(-1i32).to_be_bytes()),
    }
    body.extend_from_slice(&[0, 0, 0]);
    let mut answer = wire.call(METADATA.0, METADATA.1, &body)?;
    answer.i32()?;
    let brokers = answer.each(|broker| {
        let id = broker.i32()?;
        let (_host, _port, _rack) = (broker.string()?, broker.i32()?, broker.string()?);
        Ok(id)
    })?;
    let (_cluster, _controller) = (answer.string()?, answer.i32()?);
    let topics = answer.each(topic)?;
    Ok((brokers, topics.into_iter().flatten().collect()))
}

fn topic(answer: &mut Answer) -> Result<Vec<PartitionState>, String> {
    let _error = answer.i16()?;
    let name = answer.string()?;
    let _internal = answer.i8()?;
    let partitions = answer.each(|partition| {
        let _error = partition.i16()?;
        let (index, leader) = (partition.i32()?, partition.i32()?);
        let _epoch = partition.i32()?;
        let replicas = partition.each(Answer::i32)?;
        let isr = partition.each(Answer::i32)?;
        let _offline = partition.each(Answer::i32)?;
        Ok(PartitionState { topic: name.clone(), partition: index, leader, replicas, isr })
    })?;
    let _operations = answer.i32()?;
    Ok(partitions)
}

/// Creates a topic; one that is there is good.
pub(crate) fn create_topic(
    address: &str,
    name: &str,
    partitions: i32,
    replicas: i16,
    settings: &[(&str, &str)],
) -> Result<(), String> {
    let mut body = 1i32.to_be_bytes().to_vec();
    string(&mut body, name);
    body.extend_from_slice(&partitions.to_be_bytes());
    body.extend_from_slice(&replicas.to_be_bytes());
    body.extend_from_slice(&0i32.to_be_bytes());
    body.extend_from_slice(&(settings.len() as i32).to_be_bytes());
    for (key, value) in settings {
        string(&mut body, key);
        string(&mut body, value);
    }
    body.extend_from_slice(&30_000i32.to_be_bytes());
    body.push(0);
    let mut wire = Wire::connect(address, Duration::from_secs(35))?;
    let mut answer = wire.call(CREATE_TOPICS.0, CREATE_TOPICS.1, &body)?;
    answer.i32()?;
    let results = answer.each(|one| Ok((one.string()?, one.i16()?, one.string()?)))?;
    match results.first() {
        Some((_, 0 | TOPIC_EXISTS, _)) => Ok(()),
        Some((_, code, text)) => Err(format!("topic {name}: error {code} {text}")),
        None => Err(format!("topic {name}: no answer")),
    }
}

/// Asks for a partition to be moved to these brokers; done when the metadata says so.
pub(crate) fn reassign(
    address: &str,
    topic: &str,
    partition: i32,
    replicas: &[i32],
) -> Result<(), String> {
    let mut body = 10_000i32.to_be_bytes().to_vec();
    body.push(2);
    compact_string(&mut body, topic);
    body.push(2);
    body.extend_from_slice(&partition.to_be_bytes());
    body.push(replicas.len() as u8 + 1);
    replicas.iter().for_each(|id| body.extend_from_slice(&id.to_be_bytes()));
    body.extend_from_slice(&[0, 0, 0]);
    let mut wire = Wire::connect(address, LIMIT)?;
    let mut answer = wire.call_flexible(REASSIGN.0, REASSIGN.1, &body)?;
    answer.i32()?;
    let (error, text) = (answer.i16()?, answer.compact_string()?);
    if error != 0 {
        return Err(format!("reassignment: error {error} {text}"));
    }
    let codes = answer.each_compact(|topic| {
        topic.compact_string()?;
        topic.each_compact(|partition| {
            let (_index, error) = (partition.i32()?, partition.i16()?);
            let text = partition.compact_string()?;
            partition.tags()?;
            Ok((error, text))
        })
    })?;
    match codes.first().and_then(|topic| topic.first()) {
        Some((0, _)) => Ok(()),
        other => Err(format!("reassignment: {other:?}")),
    }
}

/// Asks a node for its replica of a partition to be moved to another log directory; it goes on by itself.
pub(crate) fn alter_log_dir(
    address: &str,
    topic: &str,
    partition: i32,
    path: &str,
) -> Result<(), String> {
    let mut body = 1i32.to_be_bytes().to_vec();
    string(&mut body, path);
    body.extend_from_slice(&1i32.to_be_bytes());
    string(&mut body, topic);
    body.extend_from_slice(&1i32.to_be_bytes());
    body.extend_from_slice(&partition.to_be_bytes());
    let mut wire = Wire::connect(address, LIMIT)?;
    let mut answer = wire.call(ALTER_LOG_DIRS.0, ALTER_LOG_DIRS.1, &body)?;
    answer.i32()?;
    let codes = answer.each(|topic| {
        topic.string()?;
        topic.each(|partition| Ok((partition.i32()?, partition.i16()?)))
    })?;
    match codes.first().and_then(|topic| topic.first()) {
        Some((_, 0)) => Ok(()),
        other => Err(format!("log directory: {other:?}")),
    }
}

/// The leader of the metadata quorum and its epoch, as one node sees them.
pub(crate) fn quorum(address: &str) -> Result<(i32, i32), String> {
    let mut body = vec![2];
    compact_string(&mut body, "__cluster_metadata");
    body.push(2);
    body.extend_from_slice(&0i32.to_be_bytes());
    body.extend_from_slice(&[0, 0, 0]);
    let mut wire = Wire::connect(address, LIMIT)?;
    let mut answer = wire.call_flexible(DESCRIBE_QUORUM.0, DESCRIBE_QUORUM.1, &body)?;
    let error = answer.i16()?;
    if error != 0 {
        return Err(format!("DescribeQuorum: error {error}"));
    }
    let mut found = answer.each_compact(|topic| {
        let _name = topic.compact_string()?;
        let partitions = topic.each_compact(|partition| {
            let (_index, error) = (partition.i32()?, partition.i16()?);
            let (leader, epoch, _high_watermark) =
                (partition.i32()?, partition.i32()?, partition.i64()?);
            // What follows of a partition is not needed, and there is only one.
            Ok((error, leader, epoch))
        })?;
        Ok(partitions.first().copied())
    })?;
    match found.pop().flatten() {
        Some((0, leader, epoch)) if leader >= 0 => Ok((leader, epoch)),
        other => Err(format!("DescribeQuorum: {other:?}")),
    }
}

/// Sends one record to a partition and waits until all in sync have it; answers with its offset.
pub(crate) fn produce(
    wire: &mut Wire,
    topic: &str,
    partition: i32,
    value: &[u8],
    now_ms: i64,
) -> Result<i64, String> {
    let records = batch(value, now_ms);
    let mut body = (-1i16).to_be_bytes().to_vec();
    body.extend_from_slice(&(-1i16).to_be_bytes());
    body.extend_from_slice(&5_000i32.to_be_bytes());
    body.extend_from_slice(&1i32.to_be_bytes());
    string(&mut body, topic);
    body.extend_from_slice(&1i32.to_be_bytes());
    body.extend_from_slice(&partition.to_be_bytes());
    body.extend_from_slice(&(records.len() as i32).to_be_bytes());
    body.extend_from_slice(&records);
    let mut answer = wire.call(PRODUCE.0, PRODUCE.1, &body)?;
    let found = answer.each(|topic| {
        topic.string()?;
        topic.each(|partition| {
            let (_index, error, offset) = (partition.i32()?, partition.i16()?, partition.i64()?);
            let (_append_time, _log_start) = (partition.i64()?, partition.i64()?);
            Ok((error, offset))
        })
    })?;
    match found.first().and_then(|topic| topic.first()) {
        Some((0, offset)) => Ok(*offset),
        other => Err(format!("produce: {other:?}")),
    }
}
