//! Goal: every message in every version survives a round trip, and refuses what it must.

use bytes::Bytes;
use ottla_protocol::messages::*;
use ottla_protocol::{
    ApiKey, DecodeErrorKind, Encoder, Message, RawTaggedField, Str, decode_exact, encode_to_bytes,
};

fn round_trip<M: Message + PartialEq + std::fmt::Debug>() {
    for version in M::VERSIONS {
        let value = M::default();
        let bytes = encode_to_bytes(&value, version)
            .unwrap_or_else(|e| panic!("{} v{version}: {e}", M::NAME));
        let back: M = decode_exact(bytes.clone(), version)
            .unwrap_or_else(|e| panic!("{} v{version}: {e}", M::NAME));
        assert_eq!(encode_to_bytes(&back, version), Ok(bytes));
    }
    assert!(encode_to_bytes(&M::default(), M::VERSIONS.end() + 1).is_err());
}

#[test]
fn defaults_round_trip() {
    macro_rules! each {
        ($message:ident) => {
            round_trip::<$message>();
        };
    }
    ottla_protocol::for_each_message!(each);
}

#[test]
fn every_key_is_its_own_row() {
    for key in ApiKey::ALL {
        assert_eq!(ApiKey::from_i16(key.code()), Some(key));
        assert!(!key.versions().is_empty(), "{}", key.name());
    }
    assert_eq!(ApiKey::ApiVersions.response_header_version(4), 0);
    assert_eq!(ApiKey::Fetch.response_header_version(12), 1);
    assert_eq!(ApiKey::Fetch.request_header_version(11), 1);
    assert_eq!(ApiKey::Produce.versions(), 0..=13);
    assert_eq!(ApiKey::ListOffsets.versions(), 0..=11);
}

#[test]
fn a_field_that_would_be_lost_is_refused() {
    let request =
        ProduceRequest { transactional_id: Some(Str::from("t")), ..ProduceRequest::default() };
    let error = encode_to_bytes(&request, 2).expect_err("version 2 has no transactional id");
    assert_eq!(error.field(), "ProduceRequest.TransactionalId");
    assert_eq!((error.message(), error.version()), ("ProduceRequest", 2));
    assert!(encode_to_bytes(&request, 3).is_ok());
}

#[test]
fn unknown_tagged_fields_are_kept_in_order() {
    let unknown = |tag| RawTaggedField { tag, data: Bytes::from_static(b"future") };
    let request = FetchRequest {
        cluster_id: Some(Str::from("c")),
        unknown_tagged_fields: vec![unknown(7), unknown(900)],
        ..FetchRequest::default()
    };
    let bytes = encode_to_bytes(&request, 14).expect("encodes");
    assert_eq!(decode_exact::<FetchRequest>(bytes, 14), Ok(request.clone()));
    assert!(encode_to_bytes(&request, 11).is_err(), "version 11 has no tagged fields");
}

#[test]
fn a_count_is_not_believed() {
    let mut e = Encoder::new();
    e.put_i32(999_999);
    let error = decode_exact::<MetadataRequest>(e.into_bytes(), 0).expect_err("no topics follow");
    assert!(matches!(error.kind(), DecodeErrorKind::Truncated { .. }), "{error}");
    let mut e = Encoder::new();
    e.put_i32(1_000_001);
    e.put_slice(&vec![0; 3_000_000]);
    let error = decode_exact::<MetadataRequest>(e.into_bytes(), 0).expect_err("too many");
    assert_eq!(error.kind(), DecodeErrorKind::TooManyElements(1_000_001));
}

#[test]
fn bytes_left_over_are_an_error() {
    let error = decode_exact::<HeartbeatResponse>(Bytes::from_static(&[0, 0, 9]), 0);
    assert_eq!(error.expect_err("one too many").kind(), DecodeErrorKind::TrailingBytes(1));
}

#[test]
fn large_bytes_are_shared_and_not_copied() {
    let records = Bytes::from(vec![7u8; 4096]);
    let partition = produce_request::PartitionProduceData {
        index: 1,
        records: Some(records.clone()),
        ..Default::default()
    };
    let topic =
        produce_request::TopicProduceData { partition_data: vec![partition], ..Default::default() };
    let request = ProduceRequest { topic_data: vec![topic], ..Default::default() };
    let mut e = Encoder::new();
    request.encode(&mut e, 13).expect("encodes");
    let length = e.len();
    let chunks = e.into_chunks();
    assert!(chunks.iter().any(|chunk| chunk.as_ptr() == records.as_ptr()));
    assert_eq!(chunks.iter().map(Bytes::len).sum::<usize>(), length);
    let frame = Bytes::from(chunks.concat());
    let back: ProduceRequest = decode_exact(frame.clone(), 13).expect("decodes");
    let kept = back.topic_data[0].partition_data[0].records.clone().expect("records");
    assert!(frame.as_ptr_range().contains(&kept.as_ptr()), "a slice of the frame");
}

/// A flexible message at its defaults ends in a count of tagged fields of 0: a field from the future goes there.
fn keeps_a_future_field<M: Message>() -> usize {
    let Some(flexible) = M::FLEXIBLE else { return 0 };
    let mut kept = 0;
    for version in flexible.max(*M::VERSIONS.start())..=*M::VERSIONS.end() {
        let bytes = encode_to_bytes(&M::default(), version).expect("encodes");
        let (last, body) = bytes.split_last().expect("a count of tagged fields");
        assert_eq!(*last, 0, "{} v{version}", M::NAME);
        let future = [body, &[1, 0xc8, 0x01, 3, 7, 8, 9]].concat();
        let value: M = decode_exact(Bytes::from(future.clone()), version).expect("decodes");
        assert_eq!(encode_to_bytes(&value, version).as_deref(), Ok(&future[..]), "{}", M::NAME);
        kept += 1;
    }
    kept
}

#[test]
fn every_flexible_message_keeps_fields_from_the_future() {
    let mut kept = 0;
    macro_rules! each {
        ($message:ident) => {
            kept += keeps_a_future_field::<$message>();
        };
    }
    ottla_protocol::for_each_message!(each);
    assert!(kept > 400, "{kept} message versions");
}

#[test]
fn an_unknown_field_with_a_known_tag_is_refused() {
    let request = FetchRequest {
        cluster_id: Some(Str::from("c")),
        unknown_tagged_fields: vec![RawTaggedField { tag: 0, data: Bytes::new() }],
        ..FetchRequest::default()
    };
    let error = encode_to_bytes(&request, 14).expect_err("tag 0 is the cluster id's");
    assert_eq!(error.kind(), ottla_protocol::EncodeErrorKind::TagTaken(0));
}
