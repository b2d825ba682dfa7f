//! Topics by their ids, as far as the harness needs them: made, asked for, written to, read, deleted.
//! By its id a topic is never mistaken for one that had its name before.

use std::time::Duration;

use super::wire::{Answer, Wire, batch, compact_string};

/// 16 bytes that no other topic has.
pub(crate) type TopicId = [u8; 16];

const PRODUCE: (i16, i16) = (0, 13);
const FETCH: (i16, i16) = (1, 13);
const METADATA: (i16, i16) = (3, 12);
const CREATE_TOPICS: (i16, i16) = (19, 7);
const DELETE_TOPICS: (i16, i16) = (20, 6);
/// A node that lives and is reached answers sooner.
const LIMIT: Duration = Duration::from_secs(6);
/// What a node is given for one of these.
const ANSWER_MS: i32 = 5_000;
const FETCH_BYTES_MAX: i32 = 8 << 20;

/// Kafka's code of an error; nothing where no answer came.
pub(crate) type Refusal = Option<i16>;

pub(crate) const UNKNOWN_TOPIC: i16 = 3;
pub(crate) const UNKNOWN_TOPIC_ID: i16 = 100;
pub(crate) const TOPIC_EXISTS: i16 = 36;

/// What a node knows of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) id: TopicId,
    /// By partition; -1 is none.
    pub(crate) leaders: Vec<i32>,
}

fn ask(address: &str, (key, version): (i16, i16), body: &[u8]) -> Result<Answer, Refusal> {
    let exchange = || Wire::connect(address, LIMIT)?.call_flexible(key, version, body);
    exchange().map_err(|_| None)
}

fn read<T>(one: impl FnOnce() -> Result<T, String>) -> Result<T, Refusal> {
    one().map_err(|_| None)
}

/// Makes a topic of three replicas each. Its records are of a time of their own, and are kept.
pub(crate) fn create(address: &str, name: &str, partitions: i32) -> Result<TopicId, Refusal> {
    let mut body = vec![2];
    compact_string(&mut body, name);
    body.extend_from_slice(&partitions.to_be_bytes());
    body.extend_from_slice(&3i16.to_be_bytes());
    body.extend_from_slice(&[1, 2]);
    compact_string(&mut body, "retention.ms");
    compact_string(&mut body, "-1");
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&ANSWER_MS.to_be_bytes());
    body.extend_from_slice(&[0, 0]);
    let mut answer = ask(address, CREATE_TOPICS, &body)?;
    let (id, error) = read(|| {
        answer.i32()?;
        answer.varint()?;
        answer.compact_string()?;
        Ok((answer.id()?, answer.i16()?))
    })?;
    if error == 0 { Ok(id) } else { Err(Some(error)) }
}

pub(crate) fn delete(address: &str, id: &TopicId) -> Result<(), Refusal> {
    let mut body = vec![2, 0];
    body.extend_from_slice(id);
    body.push(0);
    body.extend_from_slice(&ANSWER_MS.to_be_bytes());
    body.push(0);
    let mut answer = ask(address, DELETE_TOPICS, &body)?;
    let error = read(|| {
        answer.i32()?;
        answer.varint()?;
        answer.compact_string()?;
        answer.id()?;
        answer.i16()
    })?;
    if error == 0 { Ok(()) } else { Err(Some(error)) }
}

/// What a node says of a topic of this id, or of this name.
pub(crate) fn describe(address: &str, which: Result<&TopicId, &str>) -> Result<Topic, Refusal> {
    let mut body = vec![2];
    match which {
        Ok(id) => {
            body.extend_from_slice(id);
            body.push(0);
        }
        Err(name) => {
            body.extend_from_slice(&[0; 16]);
            compact_string(&mut body, name);
        }
    }
    body.extend_from_slice(&[0, 0, 0, 0]);
    let mut answer = ask(address, METADATA, &body)?;
    let (error, topic) = read(|| {
        answer.i32()?;
        answer.each_compact(|broker| {
            let _at = (broker.i32()?, broker.compact_string()?, broker.i32()?);
            broker.compact_string()?;
            broker.tags()
        })?;
        let (_cluster, _controller) = (answer.compact_string()?, answer.i32()?);
        answer.varint()?;
        let error = answer.i16()?;
        answer.compact_string()?;
        let id = answer.id()?;
        answer.i8()?;
        let leaders = answer.each_compact(|partition| {
            let (_error, index, leader) = (partition.i16()?, partition.i32()?, partition.i32()?);
            partition.i32()?;
            for _lists in 0..3 {
                partition.each_compact(Answer::i32)?;
            }
            partition.tags()?;
            Ok((index, leader))
        })?;
        let mut leaders = leaders;
        leaders.sort_unstable();
        let leaders = leaders.into_iter().map(|(_, leader)| leader).collect();
        Ok((error, Topic { id, leaders }))
    })?;
    if error == 0 { Ok(topic) } else { Err(Some(error)) }
}

/// Writes a record, and waits until all in sync have it.
pub(crate) fn produce(
    address: &str,
    id: &TopicId,
    partition: i32,
    value: &[u8],
) -> Result<i64, Refusal> {
    let records = batch(value, 1_700_000_000_000);
    let mut body = vec![0];
    body.extend_from_slice(&(-1i16).to_be_bytes());
    body.extend_from_slice(&ANSWER_MS.to_be_bytes());
    body.push(2);
    body.extend_from_slice(id);
    body.push(2);
    body.extend_from_slice(&partition.to_be_bytes());
    let length = records.len() + 1;
    body.extend_from_slice(&[(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
    body.extend_from_slice(&records);
    body.extend_from_slice(&[0, 0, 0]);
    let mut answer = ask(address, PRODUCE, &body)?;
    let (error, offset) = read(|| {
        answer.varint()?;
        answer.id()?;
        answer.varint()?;
        answer.i32()?;
        Ok((answer.i16()?, answer.i64()?))
    })?;
    if error == 0 { Ok(offset) } else { Err(Some(error)) }
}

/// Whatever a partition has from its beginning, as it lies there.
pub(crate) fn fetch(address: &str, id: &TopicId, partition: i32) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    for number in [-1, 0, 0, FETCH_BYTES_MAX] {
        body.extend_from_slice(&i32::to_be_bytes(number));
    }
    body.push(0);
    for number in [0, -1] {
        body.extend_from_slice(&i32::to_be_bytes(number));
    }
    body.push(2);
    body.extend_from_slice(id);
    body.push(2);
    body.extend_from_slice(&partition.to_be_bytes());
    body.extend_from_slice(&(-1i32).to_be_bytes());
    body.extend_from_slice(&0i64.to_be_bytes());
    body.extend_from_slice(&(-1i32).to_be_bytes());
    body.extend_from_slice(&(-1i64).to_be_bytes());
    body.extend_from_slice(&FETCH_BYTES_MAX.to_be_bytes());
    body.extend_from_slice(&[0, 0, 1, 1, 0]);
    let mut answer = ask(address, FETCH, &body)?;
    let error = read(|| {
        answer.i32()?;
        let error = answer.i16()?;
        if error != 0 {
            return Ok(error);
        }
        answer.i32()?;
        answer.varint()?;
        answer.id()?;
        answer.varint()?;
        answer.i32()?;
        answer.i16()
    })?;
    if error == 0 { Ok(answer.rest()) } else { Err(Some(error)) }
}
