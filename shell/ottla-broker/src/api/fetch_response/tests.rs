use std::sync::Arc;

use bytes::Bytes;
use ottla_env::sim::{SimDisk, SimFile};
use ottla_env::{Disk, File, OpenOptions};
use ottla_protocol::messages::FetchResponse;
use ottla_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint,
    PartitionData,
};
use ottla_protocol::{ApiKey, ErrorCode, Str, Uuid};
use proptest::prelude::*;

use super::{Chunks, CurrentLeader, EpochEnd, Found, Node, encode};
use crate::api::answer::{self, Part};
use crate::api::context::RequestContext;
use crate::api::principal::Principal;
use crate::log::FileRange;

type Fetched = super::Fetched<SimFile>;

fn context(version: i16) -> RequestContext {
    RequestContext {
        version,
        correlation_id: 7,
        client_id: None,
        client_software: None,
        peer: ([127, 0, 0, 1], 1).into(),
        local: ([127, 0, 0, 1], 2).into(),
        listener: Arc::from("PLAINTEXT"),
        is_controller: false,
        principal: Principal::anonymous(),
        heartbeats_of: None,
        undecided: None,
    }
}

/// A file with nothing but this byte in it.
fn file_of(byte: u8) -> SimFile {
    let file = SimDisk::new(1).open("/a".as_ref(), &OpenOptions::read_write_create()).unwrap();
    file.write_all_at(&[byte; 12_100], 0).unwrap();
    file
}

fn bytes_of(records: &Found<SimFile>) -> Vec<u8> {
    match records {
        Found::Memory(chunks) => chunks.iter().flatten().copied().collect(),
        Found::File(range) => range.read().unwrap(),
    }
}

prop_compose! {
    fn fetched()(
        topic in 0_u8..3,
        partition in 0..4,
        error in prop_oneof![Just(None), Just(Some(ErrorCode::OffsetOutOfRange))],
        offsets in any::<(i64, i64, i64)>(),
        diverging in proptest::option::of(any::<(i32, i64)>()),
        leader in proptest::option::of(any::<(i32, i32)>()),
        preferred_replica in any::<i32>(),
        aborted in proptest::option::of(proptest::collection::vec(any::<(i64, i64)>(), 0..3)),
        sizes in proptest::collection::vec(0_usize..3000, 0..4),
        in_file in any::<bool>(),
    ) -> Fetched {
        let bytes = sizes.iter().sum();
        let chunks: Chunks = sizes.iter().map(|size| Bytes::from(vec![topic; *size])).collect();
        let records = if in_file && bytes > 0 {
            Found::File(FileRange::of(file_of(topic), 7, bytes))
        } else {
            Found::Memory(chunks)
        };
        Fetched {
            topic: Str::from(format!("topic-{topic}")),
            topic_id: Uuid([topic + 1; 16]),
            partition,
            error,
            high_watermark: offsets.0,
            last_stable_offset: offsets.1,
            log_start_offset: offsets.2,
            diverging: diverging.map(|(epoch, end_offset)| EpochEnd { epoch, end_offset }),
            current_leader: leader.map(|(id, epoch)| CurrentLeader { id, epoch }),
            preferred_replica,
            aborted,
            bytes,
            records,
            closed_for: None,
        }
    }
}

/// The same answer as the generated structure of the protocol crate.
fn generated(
    error: Option<ErrorCode>,
    session_id: i32,
    fetched: &[Fetched],
    leaders: &[Node],
) -> FetchResponse {
    let same_topic = |a: &Fetched, b: &Fetched| a.topic_id == b.topic_id && a.topic == b.topic;
    let topics = fetched.chunk_by(same_topic).map(|topic| FetchableTopicResponse {
        topic: topic[0].topic.clone(),
        topic_id: topic[0].topic_id,
        partitions: topic.iter().map(partition).collect(),
        ..FetchableTopicResponse::default()
    });
    FetchResponse {
        error_code: error.map_or(0, ErrorCode::code),
        session_id,
        responses: topics.collect(),
        node_endpoints: leaders.iter().map(endpoint).collect(),
        ..FetchResponse::default()
    }
}

fn endpoint(node: &Node) -> NodeEndpoint {
    NodeEndpoint {
        node_id: node.id,
        host: node.host.clone(),
        port: node.port,
        rack: node.rack.clone(),
        ..NodeEndpoint::default()
    }
}

fn node((id, port, rack): (i32, i32, Option<String>)) -> Node {
    let rack = rack.map(Str::from);
    Node { id, host: Str::from(format!("host-{id}")), port, rack, is_fenced: false }
}

fn partition(fetched: &Fetched) -> PartitionData {
    let transaction = |(producer_id, first_offset): &(i64, i64)| AbortedTransaction {
        producer_id: *producer_id,
        first_offset: *first_offset,
        ..AbortedTransaction::default()
    };
    PartitionData {
        partition_index: fetched.partition,
        error_code: fetched.error.map_or(0, ErrorCode::code),
        high_watermark: fetched.high_watermark,
        last_stable_offset: fetched.last_stable_offset,
        log_start_offset: fetched.log_start_offset,
        diverging_epoch: fetched.diverging.map_or_else(EpochEndOffset::default, |end| {
            EpochEndOffset {
                epoch: end.epoch,
                end_offset: end.end_offset,
                ..EpochEndOffset::default()
            }
        }),
        current_leader: fetched.current_leader.map_or_else(LeaderIdAndEpoch::default, |leader| {
            LeaderIdAndEpoch {
                leader_id: leader.id,
                leader_epoch: leader.epoch,
                ..LeaderIdAndEpoch::default()
            }
        }),
        preferred_read_replica: fetched.preferred_replica,
        aborted_transactions: fetched
            .aborted
            .as_ref()
            .map(|aborted| aborted.iter().map(transaction).collect()),
        records: Some(bytes_of(&fetched.records).into()),
        ..PartitionData::default()
    }
}

proptest! {
    /// Goal: in every version the hand-written answer is byte for byte what the generated structure
    /// encodes to.
    #[test]
    fn equals_the_generated_encoder(
        version in 4_i16..=18,
        error in prop_oneof![Just(None), Just(Some(ErrorCode::FetchSessionIdNotFound))],
        session_id in any::<i32>(),
        fetched in proptest::collection::vec(fetched(), 0..6),
        leaders in proptest::collection::vec(any::<(i32, i32, Option<String>)>(), 0..3),
    ) {
        // Divergence has no place before v12, and no default value is written as one.
        let mut fetched = fetched;
        for one in &mut fetched {
            one.diverging = one.diverging.filter(|end| version >= 12 && (end.epoch, end.end_offset) != (-1, -1));
            one.current_leader = one.current_leader.filter(|leader| version >= 12 && (leader.id, leader.epoch) != (-1, -1));
            if version < 11 {
                one.preferred_replica = -1;
            }
        }
        let leaders: Vec<Node> = leaders.into_iter().filter(|_| version >= 16).map(node).collect();
        let (error, session_id) = if version >= 7 { (error, session_id) } else { (None, 0) };
        let context = context(version);
        let expected =
            answer::encode(ApiKey::Fetch, &context, &generated(error, session_id, &fetched, &leaders)).unwrap();
        let written = encode(&context, error, session_id, (fetched, leaders)).unwrap();
        prop_assert_eq!(written.length, expected.length);
        let parts = written.parts.iter().flat_map(|part| match part {
            Part::Bytes(bytes) => bytes.to_vec(),
            Part::File(range) => range.read().unwrap(),
        });
        prop_assert_eq!(parts.collect::<Vec<u8>>(), expected.chunks.concat());
    }
}
