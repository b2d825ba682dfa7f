//! What the generator asks of a cluster before and after a load: topics, offsets, producer ids, one fetch.

use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{
    CreateTopicsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
};
use ottla_protocol::{ErrorCode, Str};

use crate::fault::{Fault, Outcome};
use crate::wire::Wire;

/// Fetch by name; later versions want topic ids.
pub(crate) const FETCH_VERSION: i16 = 12;
const READY_MAX: Duration = Duration::from_secs(120);

/// Makes a topic if it is not there, and waits until each partition has a leader.
pub(crate) fn create(
    wire: &mut Wire,
    name: &str,
    partitions: i32,
    configs: &[(String, String)],
) -> Outcome<()> {
    let config = |(key, value): &(String, String)| CreatableTopicConfig {
        name: Str::copy_from(key),
        value: Some(Str::copy_from(value)),
        ..CreatableTopicConfig::default()
    };
    let topic = CreatableTopic {
        name: Str::copy_from(name),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: 60_000,
        ..CreateTopicsRequest::default()
    };
    let answer = wire.call(6, &request)?;
    let made = answer.topics.first().ok_or_else(|| Fault::new("no topic was made"))?;
    match ErrorCode::from_code_or_unknown(made.error_code) {
        ErrorCode::None | ErrorCode::TopicAlreadyExists => {}
        code => {
            let why = made.error_message.as_ref().map_or("", |text| text.as_str());
            return Err(Fault::new(format!("cannot create topic {name}: {code} {why}")));
        }
    }
    wait_for_leaders(wire, name, partitions)?;
    // Who is named as a leader serves a little later; this waits for it.
    offsets(wire, name, partitions, -1).map(|_| ())
}

fn wait_for_leaders(wire: &mut Wire, name: &str, partitions: i32) -> Outcome<()> {
    let topic = MetadataRequestTopic {
        name: Some(Str::copy_from(name)),
        ..MetadataRequestTopic::default()
    };
    let request = MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() };
    let begin = Instant::now();
    loop {
        let answer = wire.call(9, &request)?;
        let led = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let led = led.filter(|partition| partition.leader_id >= 0 && partition.error_code == 0);
        if led.count() >= partitions as usize {
            return Ok(());
        }
        if begin.elapsed() > READY_MAX {
            return Err(Fault::new(format!("topic {name} has partitions without a leader")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The first offset (`timestamp` -2) or the next one (-1) of each partition.
pub(crate) fn offsets(
    wire: &mut Wire,
    name: &str,
    partitions: i32,
    timestamp: i64,
) -> Outcome<Vec<i64>> {
    let of = |partition_index| ListOffsetsPartition {
        partition_index,
        timestamp,
        ..ListOffsetsPartition::default()
    };
    let topic = ListOffsetsTopic {
        name: Str::copy_from(name),
        partitions: (0..partitions).map(of).collect(),
        ..ListOffsetsTopic::default()
    };
    let request =
        ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
    let begin = Instant::now();
    loop {
        let answer = wire.call(5, &request)?;
        let mut found = vec![-1; partitions as usize];
        let mut refused = ErrorCode::None;
        for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
            match ErrorCode::from_code_or_unknown(partition.error_code) {
                ErrorCode::None => {
                    if let Some(place) = found.get_mut(partition.partition_index as usize) {
                        *place = partition.offset;
                    }
                }
                code => refused = code,
            }
        }
        // Kafka names a leader in its metadata before that broker knows that it is the leader.
        if !refused.is_retriable() || begin.elapsed() > READY_MAX {
            check(refused.code(), "ListOffsets")?;
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A producer id and its epoch.
pub(crate) fn producer_id(wire: &mut Wire) -> Outcome<(i64, i16)> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    let begin = Instant::now();
    loop {
        let answer = wire.call(4, &request)?;
        let code = ErrorCode::from_code_or_unknown(answer.error_code);
        match code {
            ErrorCode::None => return Ok((answer.producer_id, answer.producer_epoch)),
            code if code.is_retriable() && begin.elapsed() < READY_MAX => {
                std::thread::sleep(Duration::from_millis(20));
            }
            code => return Err(Fault::new(format!("no producer id: {code}"))),
        }
    }
}

/// A fetch request for some partitions of one topic, each from its offset.
pub(crate) fn fetch_request(
    name: &Str,
    from: impl Iterator<Item = (i32, i64)>,
    max_wait_ms: i32,
    partition_max_bytes: i32,
) -> FetchRequest {
    let partition = |(partition, fetch_offset)| FetchPartition {
        partition,
        fetch_offset,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: name.clone(),
        partitions: from.map(partition).collect(),
        ..FetchTopic::default()
    };
    FetchRequest {
        replica_id: -1,
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

/// The records of one partition from `offset` on.
pub(crate) fn read_back(
    wire: &mut Wire,
    name: &str,
    partition: i32,
    offset: i64,
) -> Outcome<Bytes> {
    let name = Str::copy_from(name);
    let request = fetch_request(&name, std::iter::once((partition, offset)), 1_000, 1 << 20);
    let answer = wire.call(FETCH_VERSION, &request)?;
    check(answer.error_code, "Fetch")?;
    let found = answer.responses.into_iter().flat_map(|topic| topic.partitions).next();
    let found = found.ok_or_else(|| Fault::new("a fetch without its partition"))?;
    check(found.error_code, "Fetch")?;
    Ok(found.records.unwrap_or_default())
}

pub(crate) fn check(code: i16, what: &str) -> Outcome<()> {
    match ErrorCode::from_code_or_unknown(code) {
        ErrorCode::None => Ok(()),
        other => Err(Fault::new(format!("{what} was refused: {other}"))),
    }
}
