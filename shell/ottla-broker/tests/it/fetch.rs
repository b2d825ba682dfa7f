//! Fetch: what is returned, how long it is waited for, and what a session remembers.

use std::time::Duration;

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::{FetchRequest, FetchResponse, ListOffsetsRequest, MetadataRequest};
use ottla_protocol::records::{BatchOptions, batches, records};
use ottla_protocol::{ErrorCode, Str, Uuid};

use crate::world::{Client, Node, Place, batch, produce_request};

/// Partition 0 of a topic, from an offset on, without a session and without waiting.
fn request(topic: &str, offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition: 0,
        fetch_offset: offset,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::copy_from(topic),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    FetchRequest {
        replica_id: -1,
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_id: 0,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

fn values(records_of: &Bytes) -> Vec<String> {
    let mut found = Vec::new();
    for one in batches(records_of) {
        let (header, bytes) = one.unwrap();
        for record in records(&header, &bytes, 1 << 20).unwrap() {
            let value = record.unwrap().value.unwrap();
            found.push(String::from_utf8(value.to_vec()).unwrap());
        }
    }
    found
}

/// Every value of partition 0.
pub(crate) async fn fetch_all<E: Env>(node: &Node<E>, topic: &str) -> Vec<String> {
    let mut client = node.connect().await;
    let mut found = Vec::new();
    loop {
        let response = client.call(12, &request(topic, found.len() as i64)).await;
        let partition = one(&response);
        assert_eq!(partition.error_code, 0);
        let more = values(partition.records.as_ref().unwrap());
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

fn one(response: &FetchResponse) -> &PartitionData {
    &response.responses[0].partitions[0]
}

async fn append<E: Env>(node: &Node<E>, values: &[&str]) {
    let records = batch(BatchOptions::default(), values);
    assert_eq!(node.connect().await.produce(9, "t", records).await.error_code, 0);
}

async fn every_version<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    append(&node, &["a", "b"]).await;
    append(&node, &["c"]).await;
    let mut client = node.connect().await;
    for version in 4..=12 {
        let response = client.call(version, &request("t", 0)).await;
        let partition = one(&response);
        assert_eq!((partition.error_code, partition.high_watermark), (0, 3), "v{version}");
        assert_eq!(values(partition.records.as_ref().unwrap()), ["a", "b", "c"]);
    }
    let topic_id = topic_id(&mut client).await;
    for version in 13..=18 {
        let mut by_id = request("t", 2);
        by_id.topics[0].topic = Str::default();
        by_id.topics[0].topic_id = topic_id;
        let response = client.call(version, &by_id).await;
        assert_eq!(values(one(&response).records.as_ref().unwrap()), ["c"], "v{version}");
        by_id.topics[0].topic_id = Uuid([7; 16]);
        let response = client.call(version, &by_id).await;
        assert_eq!(one(&response).error_code, ErrorCode::UnknownTopicId.code());
    }
    node.broker.shutdown().await;
}

async fn topic_id<E: Env>(client: &mut Client<E>) -> Uuid {
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    client.call(12, &all).await.topics[0].topic_id
}

#[test]
fn every_version_reads() {
    everywhere!(every_version);
}

async fn errors<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    append(&node, &["a", "b"]).await;
    let mut client = node.connect().await;
    let mut error_of = async |change: fn(&mut FetchRequest)| {
        let mut changed = request("t", 0);
        change(&mut changed);
        let response = client.call(12, &changed).await;
        ErrorCode::from_code(one(&response).error_code).unwrap()
    };
    assert_eq!(error_of(|_| {}).await, ErrorCode::None);
    let past = error_of(|r| r.topics[0].partitions[0].fetch_offset = 3).await;
    assert_eq!(past, ErrorCode::OffsetOutOfRange);
    let before = error_of(|r| r.topics[0].partitions[0].fetch_offset = -1).await;
    assert_eq!(before, ErrorCode::OffsetOutOfRange);
    let unknown = error_of(|r| r.topics[0].partitions[0].partition = 1).await;
    assert_eq!(unknown, ErrorCode::UnknownTopicOrPartition);
    let unknown = error_of(|r| r.topics[0].topic = Str::from_static("none")).await;
    assert_eq!(unknown, ErrorCode::UnknownTopicOrPartition);
    let newer = error_of(|r| r.topics[0].partitions[0].current_leader_epoch = 99).await;
    assert_eq!(newer, ErrorCode::UnknownLeaderEpoch);
    let follower = error_of(|r| r.replica_id = 2).await;
    assert_eq!(follower, ErrorCode::NotLeaderOrFollower);
    node.broker.shutdown().await;
}

#[test]
fn errors_are_kafkas() {
    everywhere!(errors);
}

async fn at_least_one_batch<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    for value in ["a", "b", "c"] {
        append(&node, &[value]).await;
    }
    let mut client = node.connect().await;
    let mut small = request("t", 1);
    small.max_bytes = 1;
    let response = client.call(12, &small).await;
    assert_eq!(values(one(&response).records.as_ref().unwrap()), ["b"]);
    node.broker.shutdown().await;
}

#[test]
fn one_batch_is_returned_however_small_the_limit() {
    everywhere!(at_least_one_batch);
}

async fn long_poll<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    let waiting = FetchRequest { max_wait_ms: 20_000, ..request("t", 0) };
    let started = place.env.now();
    let posted = client.post(12, &waiting).await;
    place.env.sleep(Duration::from_millis(200)).await;
    append(&node, &["woken"]).await;
    let response = client.answer::<FetchRequest>(12, posted).await;
    assert_eq!(values(one(&response).records.as_ref().unwrap()), ["woken"]);
    assert!(place.env.now().since(started) < Duration::from_secs(15), "it was woken");
    // Not for less than min.bytes: that waits for the time to pass.
    let greedy = FetchRequest { max_wait_ms: 400, min_bytes: 1 << 20, ..request("t", 0) };
    let started = place.env.now();
    let response = client.call(12, &greedy).await;
    assert_eq!(values(one(&response).records.as_ref().unwrap()), ["woken"]);
    assert!(place.env.now().since(started) >= Duration::from_millis(400));
    node.broker.shutdown().await;
}

#[test]
fn a_fetch_waits_for_records() {
    everywhere!(long_poll);
}

async fn shutdown_while_waiting<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    let waiting = FetchRequest { max_wait_ms: 600_000, ..request("t", 0) };
    let posted = client.post(12, &waiting).await;
    place.env.sleep(Duration::from_millis(100)).await;
    let started = place.env.now();
    node.broker.shutdown().await;
    assert!(place.env.now().since(started) < Duration::from_secs(4));
    let response = client.answer::<FetchRequest>(12, posted).await;
    assert_eq!(one(&response).error_code, 0);
    assert!(client.is_closed().await);
}

#[test]
fn a_stop_answers_who_waits() {
    everywhere!(shutdown_while_waiting);
}

async fn session<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    append(&node, &["a"]).await;
    let mut client = node.connect().await;
    let first = client.call(12, &FetchRequest { session_epoch: 0, ..request("t", 0) }).await;
    let id = first.session_id;
    assert_ne!(id, 0);
    assert_eq!(values(one(&first).records.as_ref().unwrap()), ["a"]);
    // The client goes on at offset 1: nothing new, so nothing is named.
    let next = FetchRequest { session_id: id, session_epoch: 1, ..request("t", 1) };
    let second = client.call(12, &next).await;
    assert_eq!((second.error_code, second.session_id, second.responses.len()), (0, id, 0));
    append(&node, &["b"]).await;
    let silent = FetchRequest { topics: vec![], session_id: id, ..request("t", 0) };
    let third = client.call(12, &FetchRequest { session_epoch: 2, ..silent.clone() }).await;
    assert_eq!(values(one(&third).records.as_ref().unwrap()), ["b"]);
    let wrong = client.call(12, &FetchRequest { session_epoch: 9, ..silent.clone() }).await;
    assert_eq!(wrong.error_code, ErrorCode::InvalidFetchSessionEpoch.code());
    let other = FetchRequest { session_id: id ^ 1, session_epoch: 3, ..silent.clone() };
    let unknown = client.call(12, &other).await;
    assert_eq!(unknown.error_code, ErrorCode::FetchSessionIdNotFound.code());
    let forgotten = ForgottenTopic {
        topic: Str::from_static("t"),
        partitions: vec![0],
        ..ForgottenTopic::default()
    };
    let last = FetchRequest { session_epoch: 3, forgotten_topics_data: vec![forgotten], ..silent };
    let emptied = client.call(12, &last).await;
    assert_eq!((emptied.error_code, emptied.responses.len()), (0, 0));
    node.broker.shutdown().await;
}

#[test]
fn a_session_names_only_what_changed() {
    everywhere!(session);
}

async fn offsets<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    let records = batch(BatchOptions::default(), &["a", "b", "c"]);
    client.call(9, &produce_request("t", records)).await;
    for version in 0..=11 {
        for (timestamp, expected) in
            [(-1, 3), (-2, 0), (1_700_000_000_001, 1), (1_800_000_000_000, -1), (-3, 2)]
        {
            let partition = ListOffsetsPartition {
                partition_index: 0,
                current_leader_epoch: -1,
                timestamp,
                max_num_offsets: 1,
                ..ListOffsetsPartition::default()
            };
            let topic = ListOffsetsTopic {
                name: Str::from_static("t"),
                partitions: vec![partition],
                ..ListOffsetsTopic::default()
            };
            let request =
                ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
            let response = client.call(version, &request).await;
            let found = &response.topics[0].partitions[0];
            if timestamp == -3 && version < 7 {
                assert_eq!(found.error_code, ErrorCode::UnsupportedVersion.code());
                continue;
            }
            assert_eq!(found.error_code, 0);
            let offset = match version {
                0 => found.old_style_offsets.first().copied().unwrap_or(-1),
                _ => found.offset,
            };
            assert_eq!(offset, expected, "v{version} {timestamp}");
        }
    }
    node.broker.shutdown().await;
}

#[test]
fn offsets_are_found_by_place_and_time() {
    everywhere!(offsets);
}
