//! Requests answered by the real broker: one connection on a simulated network, one request at a time.

use ottla_env::Env;
use ottla_env::sim::{Sim, SimEnv};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{FetchRequest, MetadataRequest, ProduceRequest, RequestHeader};
use ottla_protocol::records::{BatchBuilder, BatchOptions};
use ottla_protocol::{Encoder, Message, Request, Str};
use ottla_sim::node::{BROKER, CLIENT, Flush, Start, address, layers, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The newest that goes by names.
pub(crate) const PRODUCE_VERSION: i16 = 12;
const FETCH_VERSION: i16 = 12;
const METADATA_VERSION: i16 = 12;
const TOPIC: &str = "t";
const SEED: u64 = 1;
/// Before anything is counted as usual: a table has grown, a buffer is there.
const WARM_UP: u32 = 20;

/// One batch of 1 KiB a request, durable.
pub(crate) fn produce_1k(count: u32) {
    again(1, count, &frame(&produce_request(1, 1_000), PRODUCE_VERSION), None);
}

/// A hundred partitions with 1 KiB each a request, durable.
pub(crate) fn produce_100x1k(count: u32) {
    again(100, count, &frame(&produce_request(100, 1_000), PRODUCE_VERSION), None);
}

/// 64 KiB from the tail of a partition a request.
pub(crate) fn fetch_64k(count: u32) {
    let before = frame(&produce_request(1, 64_000), PRODUCE_VERSION);
    let partition = FetchPartition {
        partition: 0,
        fetch_offset: 0,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::copy_from(TOPIC),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    let request = FetchRequest {
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    again(1, count, &frame(&request, FETCH_VERSION), Some(&before));
}

/// What is to be known of a topic of a thousand partitions.
pub(crate) fn metadata_1000(count: u32) {
    again(1_000, count, &metadata(), None);
}

/// One batch of one record of `value_bytes` for each of so many partitions.
pub(crate) fn produce_request(partitions: i32, value_bytes: usize) -> ProduceRequest {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(1_000, None, Some(&vec![b'v'; value_bytes]), &[]);
    let records = builder.build();
    let data = |index| PartitionProduceData {
        index,
        records: Some(records.clone()),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: Str::copy_from(TOPIC),
        partition_data: (0..partitions).map(data).collect(),
        ..TopicProduceData::default()
    };
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    }
}

fn metadata() -> Vec<u8> {
    let topic = MetadataRequestTopic {
        name: Some(Str::copy_from(TOPIC)),
        ..MetadataRequestTopic::default()
    };
    let request = MetadataRequest {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: true,
        ..MetadataRequest::default()
    };
    frame(&request, METADATA_VERSION)
}

/// Starts a broker, makes the topic, sends `before` once and `frame` so many times.
fn again(partitions: i32, count: u32, frame: &[u8], before: Option<&[u8]>) {
    let sim = Sim::new(SEED);
    let (broker, client) = (sim.node(BROKER), sim.node(CLIENT));
    sim.block_on(async {
        let address = address(&broker);
        let started = start(&sim, broker, layers(Flush::Wal, partitions)).await;
        assert!(matches!(started, Start::Up), "{started:?}");
        let mut stream = client.connect(address).await.expect("the broker listens");
        let mut answer = Vec::new();
        let topic = metadata();
        let first = [Some(&topic[..]), before].into_iter().flatten();
        let warm = std::iter::repeat_n(frame, WARM_UP as usize);
        let counted = std::iter::repeat_n(frame, count as usize);
        for frame in first.chain(warm).chain(counted) {
            exchange(&mut stream, frame, &mut answer).await;
        }
        assert!(answer.len() > 20, "an answer says something");
    });
}

async fn exchange(stream: &mut <SimEnv as Env>::Stream, frame: &[u8], answer: &mut Vec<u8>) {
    stream.write_all(frame).await.expect("it can be sent");
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.expect("an answer");
    answer.resize(usize::try_from(i32::from_be_bytes(length)).expect("a length"), 0);
    stream.read_exact(answer).await.expect("a whole answer");
}

fn frame<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let header = RequestHeader {
        request_api_key: R::KEY.code(),
        request_api_version: version,
        correlation_id: 1,
        client_id: Some(Str::copy_from("hot-paths")),
        ..RequestHeader::default()
    };
    let mut encoder = Encoder::new();
    let header_version = R::KEY.request_header_version(version);
    header.encode(&mut encoder, header_version).expect("a header");
    request.encode(&mut encoder, version).expect("a request");
    let body = encoder.into_bytes();
    let length = i32::try_from(body.len()).expect("a short frame");
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    frame
}
