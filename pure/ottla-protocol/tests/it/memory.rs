//! Goal: reading a frame shares it, and no frame takes more memory than it is allowed.

use bytes::Bytes;
use ottla_protocol::messages::{MetadataRequest, ProduceRequest, produce_request};
use ottla_protocol::{
    DecodeErrorKind, Decoder, Encoder, Message, Str, decode_exact, encode_to_bytes,
};

#[test]
fn strings_and_records_are_slices_of_the_frame() {
    let partition = produce_request::PartitionProduceData {
        records: Some(Bytes::from(vec![1; 100_000])),
        ..Default::default()
    };
    let topic = produce_request::TopicProduceData {
        name: Str::from("a-topic-of-some-length"),
        partition_data: vec![partition],
        ..Default::default()
    };
    let request = ProduceRequest {
        transactional_id: Some(Str::from("transaction")),
        topic_data: vec![topic],
        ..Default::default()
    };
    for version in 3..=12 {
        let frame = encode_to_bytes(&request, version).expect("encodes");
        let within = |bytes: &[u8]| frame.as_ptr_range().contains(&bytes.as_ptr());
        let read: ProduceRequest = decode_exact(frame.clone(), version).expect("decodes");
        assert!(within(read.transactional_id.as_ref().expect("set").as_bytes()));
        assert!(within(read.topic_data[0].name.as_bytes()));
        let records = read.topic_data[0].partition_data[0].records.as_ref().expect("set");
        assert!(within(records) && within(&records[records.len() - 1..]));
    }
}

#[test]
fn a_detached_string_lets_the_frame_go() {
    let frame = Bytes::from_static(b"\0\x03abc");
    let text = Decoder::new(frame.clone()).string("text", false).expect("text");
    assert!(frame.as_ptr_range().contains(&text.as_bytes().as_ptr()));
    assert!(!frame.as_ptr_range().contains(&text.detach().as_bytes().as_ptr()));
    assert_eq!(text, text.detach());
}

#[test]
fn tiny_elements_do_not_grow_without_limit() {
    // A million topics of two bytes each would take 70 MB as values.
    let mut e = Encoder::new();
    e.put_unsigned_varint(900_001);
    e.put_slice(&[1; 3 * 900_001]);
    let error = decode_exact::<MetadataRequest>(e.into_bytes(), 9).expect_err("too large");
    assert_eq!(error.kind(), DecodeErrorKind::BudgetExceeded);
}

#[test]
fn a_budget_can_be_set_lower() {
    let request =
        MetadataRequest { topics: Some(vec![Default::default(); 50]), ..Default::default() };
    let frame = encode_to_bytes(&request, 9).expect("encodes");
    assert!(MetadataRequest::decode(&mut Decoder::with_budget(frame.clone(), 100), 9).is_err());
    assert!(MetadataRequest::decode(&mut Decoder::with_budget(frame, 10_000), 9).is_ok());
}

#[test]
fn text_that_is_not_utf8_gets_an_answer() {
    let mut d = Decoder::new(Bytes::from_static(b"\0\x02\xffa"));
    assert_eq!(d.string("client id", false).expect("readable").as_str(), "\u{fffd}a");
}
