//! Produce: what is written, what is refused, and in which order it is answered.

use bytes::{Bytes, BytesMut};
use ottla_env::sim::SimEnv;
use ottla_env::{Disk, Env};
use ottla_protocol::messages::{InitProducerIdRequest, MetadataRequest, ProduceRequest};
use ottla_protocol::records::{BatchOptions, Compression};
use ottla_protocol::{ErrorCode, Str};

use crate::fetch::fetch_all;
use crate::world::{Place, batch, on_sim, produce_request};

fn plain(values: &[&str]) -> Bytes {
    batch(BatchOptions::default(), values)
}

async fn every_version<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    for (at, version) in (3..=12).enumerate() {
        let answer = client.produce(version, "t", plain(&["x", "y"])).await;
        assert_eq!((answer.error_code, answer.base_offset), (0, 2 * at as i64), "v{version}");
    }
    let unknown = client.produce(9, "none", plain(&["x"])).await;
    assert_eq!(unknown.error_code, ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(unknown.base_offset, -1);
    let mut request = produce_request("t", plain(&["x"]));
    request.topic_data[0].partition_data[0].index = 5;
    let unknown = client.call(9, &request).await;
    let error = unknown.responses[0].partition_responses[0].error_code;
    assert_eq!(error, ErrorCode::UnknownTopicOrPartition.code());
    let request = ProduceRequest { acks: 2, ..produce_request("t", plain(&["x"])) };
    let refused = client.call(9, &request).await;
    let error = refused.responses[0].partition_responses[0].error_code;
    assert_eq!(error, ErrorCode::InvalidRequiredAcks.code());
    node.broker.shutdown().await;
}

#[test]
fn every_version_appends() {
    everywhere!(every_version);
}

async fn bad_batches<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[("max.message.bytes", "300")]).await;
    let good = plain(&["one", "two"]);
    let damaged = |at: usize, value: u8| {
        let mut bytes = BytesMut::from(&good[..]);
        bytes[at] ^= value;
        bytes.freeze()
    };
    let doubled = Bytes::from([&good[..], &good[..]].concat());
    let long = "x".repeat(400);
    let cases = [
        ("CRC", damaged(good.len() - 1, 1), ErrorCode::CorruptMessage),
        ("record count", recounted(&good, 7), ErrorCode::InvalidRecord),
        ("magic 1", damaged(16, 3), ErrorCode::InvalidRecord),
        ("magic 7", damaged(16, 5), ErrorCode::CorruptMessage),
        ("empty", Bytes::new(), ErrorCode::InvalidRecord),
        ("truncated", good.slice(..good.len() - 1), ErrorCode::InvalidRecord),
        ("two batches", doubled, ErrorCode::InvalidRecord),
        ("length 3", with_length(&good, 3), ErrorCode::CorruptMessage),
        ("length -1", with_length(&good, -1), ErrorCode::CorruptMessage),
        ("too large", plain(&[&long]), ErrorCode::MessageTooLarge),
    ];
    let mut client = node.connect().await;
    for (what, records, error) in cases {
        let answer = client.produce(9, "t", records).await;
        let code = ErrorCode::from_code(answer.error_code);
        assert_eq!(code, Some(error), "{what}: {:?}", answer.error_message);
        assert_eq!(answer.base_offset, -1, "{what}");
    }
    let zstd = BatchOptions { compression: Compression::Zstd, ..BatchOptions::default() };
    let answer = client.produce(6, "t", batch(zstd, &["x"])).await;
    assert_eq!(answer.error_code, ErrorCode::UnsupportedCompressionType.code());
    let open = BatchOptions {
        transactional: true,
        producer_id: 1,
        producer_epoch: 0,
        base_sequence: 0,
        ..BatchOptions::default()
    };
    let answer = client.produce(9, "t", batch(open, &["x"])).await;
    assert_eq!(answer.error_code, ErrorCode::TransactionalIdAuthorizationFailed.code());
    assert_eq!(client.produce(9, "t", good).await.base_offset, 0, "nothing bad was appended");
    node.broker.shutdown().await;
}

/// The batch with another record count, and a CRC that fits it.
fn recounted(batch: &Bytes, count: i32) -> Bytes {
    let mut bytes = BytesMut::from(&batch[..]);
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    let crc = ottla_protocol::records::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.freeze()
}

fn with_length(batch: &Bytes, length: i32) -> Bytes {
    let mut bytes = BytesMut::from(&batch[..]);
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes.freeze()
}

#[test]
fn bad_batches_are_refused_by_name() {
    everywhere!(bad_batches);
}

/// Kafka holds a partition to no more replicas than it has, whatever the topic asks for.
async fn one_replica_is_enough<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[("min.insync.replicas", "2")]).await;
    let mut client = node.connect().await;
    let answer = client.produce(9, "t", plain(&["x"])).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    node.broker.shutdown().await;
}

#[test]
fn acks_all_wants_no_more_replicas_than_there_are() {
    everywhere!(one_replica_is_enough);
}

async fn unanswered<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    let silent = |records| ProduceRequest { acks: 0, ..produce_request("t", records) };
    client.post(9, &silent(plain(&["a"]))).await;
    client.post(9, &silent(plain(&["b"]))).await;
    let answer = client.produce(9, "t", plain(&["c"])).await;
    assert_eq!(answer.base_offset, 2, "the silent ones came first, and got no answer");
    client.post(9, &silent(Bytes::from_static(b"nonsense"))).await;
    assert!(client.is_closed().await, "the only way to say that it failed");
    assert_eq!(fetch_all(&node, "t").await, ["a", "b", "c"]);
    node.broker.shutdown().await;
}

#[test]
fn acks_0_is_not_answered() {
    everywhere!(unanswered);
}

async fn in_flight<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    let mut posted = Vec::new();
    for at in 0..600 {
        let acks = if at % 2 == 0 { -1 } else { 1 };
        let request = ProduceRequest { acks, ..produce_request("t", plain(&["v"])) };
        posted.push(client.post(9, &request).await);
    }
    for (at, correlation_id) in posted.into_iter().enumerate() {
        let answer = client.answer::<ProduceRequest>(9, correlation_id).await;
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (0, at as i64));
    }
    node.broker.shutdown().await;
}

#[test]
fn many_requests_of_one_connection_share_the_disk() {
    everywhere!(in_flight);
}

async fn idempotent<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    let anonymous = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    let producer = client.call(4, &anonymous).await;
    assert_eq!((producer.error_code, producer.producer_epoch), (0, 0));
    let other = client.call(4, &anonymous).await;
    assert_ne!(producer.producer_id, other.producer_id);
    let batch_at = |base_sequence| {
        let options = BatchOptions {
            producer_id: producer.producer_id,
            producer_epoch: 0,
            base_sequence,
            ..BatchOptions::default()
        };
        batch(options, &["x", "y"])
    };
    assert_eq!(client.produce(9, "t", batch_at(0)).await.base_offset, 0);
    assert_eq!(client.produce(9, "t", batch_at(2)).await.base_offset, 2);
    let again = client.produce(9, "t", batch_at(0)).await;
    assert_eq!((again.error_code, again.base_offset), (0, 0), "a duplicate has its first offset");
    let gap = client.produce(9, "t", batch_at(8)).await;
    assert_eq!(gap.error_code, ErrorCode::OutOfOrderSequenceNumber.code());
    let named = InitProducerIdRequest {
        transactional_id: Some(Str::from_static("txn")),
        ..InitProducerIdRequest::default()
    };
    assert_eq!(client.call(4, &named).await.error_code, ErrorCode::UnsupportedVersion.code());
    assert_eq!(fetch_all(&node, "t").await, ["x", "y", "x", "y"]);
    node.broker.shutdown().await;
}

#[test]
fn idempotent_producers_are_numbered_and_deduplicated() {
    everywhere!(idempotent);
}

/// A message of magic 1 with this value, uncompressed.
fn old_message(value: &[u8]) -> Vec<u8> {
    let mut body = vec![1, 0];
    body.extend_from_slice(&1_600_000_000_000_i64.to_be_bytes());
    body.extend_from_slice(&(-1_i32).to_be_bytes());
    body.extend_from_slice(&i32::try_from(value.len()).unwrap().to_be_bytes());
    body.extend_from_slice(value);
    let mut message = 0_i64.to_be_bytes().to_vec();
    message.extend_from_slice(&i32::try_from(body.len() + 4).unwrap().to_be_bytes());
    message.extend_from_slice(&ottla_protocol::records::crc32(&body).to_be_bytes());
    message.extend_from_slice(&body);
    message
}

async fn old_producers<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    let set = Bytes::from([old_message(b"a"), old_message(b"b")].concat());
    for version in 0..3_i16 {
        let answer = client.produce(version, "t", set.clone()).await;
        assert_eq!((answer.error_code, answer.base_offset), (0, 2 * i64::from(version)));
    }
    let refused = client.produce(3, "t", set.clone()).await;
    assert_eq!(refused.error_code, ErrorCode::InvalidRecord.code());
    let damaged = set.slice(..set.len() - 3);
    let refused = client.produce(2, "t", damaged).await;
    assert_eq!(refused.error_code, ErrorCode::CorruptMessage.code());
    assert_eq!(fetch_all(&node, "t").await, ["a", "b", "a", "b", "a", "b"]);
    node.broker.shutdown().await;
}

#[test]
fn message_sets_of_old_become_batches() {
    everywhere!(old_producers);
}

/// A batch whose records unpack to far more than they should.
fn bomb(codec: Compression) -> Bytes {
    let value = "0".repeat(16 << 20);
    batch(BatchOptions { compression: codec, ..BatchOptions::default() }, &[&value])
}

async fn decompression_bomb<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    let limits = [("max.decompressed.message.bytes", "1048576"), ("cleanup.policy", "compact")];
    node.create_topic("t", &limits).await;
    let mut client = node.connect().await;
    for codec in [Compression::Gzip, Compression::Zstd, Compression::Lz4] {
        let records = bomb(codec);
        assert!(records.len() < 1 << 20, "it is small on the wire");
        let answer = client.produce(9, "t", records).await;
        assert_ne!(answer.error_code, 0, "{codec:?}");
        assert_eq!(answer.base_offset, -1);
    }
    assert_eq!(fetch_all(&node, "t").await, [""; 0]);
    node.broker.shutdown().await;
}

#[test]
fn a_decompression_bomb_is_refused() {
    everywhere!(decompression_bomb);
}

/// Goal: a full disk refuses what it cannot keep, keeps what it acknowledged, and the node answers.
async fn full_disk(place: Place<SimEnv>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    assert_eq!(client.produce(9, "t", plain(&["kept"])).await.error_code, 0);
    let (free, total) = place.env.disk().space(&place.folder).unwrap();
    place.env.disk().set_capacity(total - free);
    let large = "x".repeat(900_000);
    let mut refused = false;
    for _ in 0..600 {
        let answer = client.produce(9, "t", plain(&[&large])).await;
        match answer.error_code {
            0 => {}
            code => {
                assert_eq!(code, ErrorCode::KafkaStorageError.code());
                refused = true;
                break;
            }
        }
    }
    assert!(refused, "the disk is full");
    let metadata = MetadataRequest { topics: None, ..MetadataRequest::default() };
    assert_eq!(node.connect().await.call(12, &metadata).await.topics.len(), 1);
}

#[test]
fn a_full_disk_is_told() {
    on_sim(full_disk);
}

async fn page_cache<E: Env>(place: Place<E>) {
    let node = place.start(&[("ottla.flush", "none")]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    for at in 0..5 {
        assert_eq!(client.produce(9, "t", plain(&["v"])).await.base_offset, at);
    }
    assert_eq!(fetch_all(&node, "t").await.len(), 5);
    node.broker.shutdown().await;
    let node = place.start(&[("ottla.flush", "none")]).await;
    assert_eq!(fetch_all(&node, "t").await.len(), 5);
    node.broker.shutdown().await;
}

#[test]
fn the_page_cache_is_enough_where_one_says_so() {
    everywhere!(page_cache);
}
