//! What is written can be read back; what is not JSON is said to be so.

use super::*;

#[test]
fn there_and_back() {
    let record = ConsumedRecord {
        topic: Str::from("t"),
        partition: 2,
        offset: 17,
        timestamp: 5,
        timestamp_type: TimestampType::CreateTime,
        leader_epoch: 3,
        key: Some(Bytes::from_static(b"k\xff\0\x01")),
        value: None,
        headers: vec![(Str::from("a"), Some(Bytes::from_static("\u{e9}".as_bytes())))],
    };
    let line = to_json(&record).to_string();
    let keep = Keep { partition: true, timestamp: true };
    let read = from_json(&line, &Str::from("u"), keep).unwrap();
    let expected = ProducerRecord {
        topic: Str::from("u"),
        partition: Some(2),
        key: record.key,
        value: None,
        headers: record.headers,
        timestamp: Some(5),
    };
    assert_eq!(read, expected);
    let plain = from_json(&line, &Str::from("u"), Keep::default()).unwrap();
    assert_eq!((plain.partition, plain.timestamp), (None, None));
}

#[test]
fn base64_of_every_length() {
    for len in 0..20u8 {
        let bytes: Vec<u8> = (0..len).map(|at| at.wrapping_mul(89)).collect();
        assert_eq!(decode_base64(&encode_base64(&bytes)), Some(bytes));
    }
    assert_eq!(encode_base64(b"Ma"), "TWE=");
    assert_eq!((decode_base64("A"), decode_base64("!!!!")), (None, None));
}

#[test]
fn an_object_as_value() {
    let read = from_json(r#"{"value":{"a":1}}"#, &Str::from("u"), Keep::default()).unwrap();
    assert_eq!(read.value.as_deref(), Some(&br#"{"a":1}"#[..]));
    for bad in ["", "[]", "{", r#"{"headers":[1]}"#, r#"{"key_base64":"!"}"#] {
        assert!(from_json(bad, &Str::from("u"), Keep::default()).is_err(), "{bad}");
    }
}
