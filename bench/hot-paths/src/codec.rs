//! Frames and structures, without a broker.

use std::hint::black_box;

use bytes::Bytes;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use ottla_protocol::messages::{FetchRequest, FetchResponse, ProduceRequest};
use ottla_protocol::{Uuid, decode_request, encode_to_bytes};

use crate::served;

/// Partitions of a request.
const PARTITIONS: i32 = 20;
const FETCH_VERSION: i16 = 17;

/// Decoding a Produce request of twenty partitions.
pub(crate) fn decode_produce(count: u32) {
    let request = served::produce_request(PARTITIONS, 1_000);
    let bytes = encode_to_bytes(&request, served::PRODUCE_VERSION).expect("it can be written");
    for _ in 0..count {
        let request =
            decode_request::<ProduceRequest>(black_box(bytes.clone()), served::PRODUCE_VERSION);
        let _ = black_box(request.expect("it can be read"));
    }
}

/// Decoding a Fetch request of twenty partitions.
pub(crate) fn decode_fetch(count: u32) {
    let partition =
        |index| FetchPartition { partition: index, fetch_offset: 7, ..FetchPartition::default() };
    let topic = FetchTopic {
        topic_id: Uuid([7; 16]),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..FetchTopic::default()
    };
    let request = FetchRequest { topics: vec![topic], ..FetchRequest::default() };
    let bytes = encode_to_bytes(&request, FETCH_VERSION).expect("it can be written");
    for _ in 0..count {
        let request = decode_request::<FetchRequest>(black_box(bytes.clone()), FETCH_VERSION);
        let _ = black_box(request.expect("it can be read"));
    }
}

/// Encoding a Fetch response of twenty partitions with 1 KiB each.
pub(crate) fn encode_fetch(count: u32) {
    let records = Bytes::from(vec![1; 1_024]);
    let partition = |index| PartitionData {
        partition_index: index,
        high_watermark: 9,
        last_stable_offset: 9,
        records: Some(records.clone()),
        ..PartitionData::default()
    };
    let topic = FetchableTopicResponse {
        topic_id: Uuid([7; 16]),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..FetchableTopicResponse::default()
    };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    for _ in 0..count {
        let bytes = encode_to_bytes(black_box(&response), FETCH_VERSION);
        let _ = black_box(bytes.expect("it can be written"));
    }
}
