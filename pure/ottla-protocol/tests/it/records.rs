//! Goal: what the builder writes, the iterators read, over every codec, and damage is an error and no panic.

use bytes::Bytes;
use ottla_protocol::records::control::{self, ControlRecord};
use ottla_protocol::records::{
    BATCH_HEADER_SIZE, BatchBuilder, BatchError, BatchHeader, BatchOptions, Compression, Record,
    TimestampType, batches, coordinator_record, metadata_frame, records, set_base_offset,
    set_leader_epoch, set_max_timestamp, verify_crc,
};
use ottla_protocol::{Str, messages};
use proptest::prelude::*;

const LIMIT: usize = 4 << 20;

#[derive(Debug, Clone)]
struct Plain {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn plain() -> impl Strategy<Value = Plain> {
    let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..60));
    let header = ("[a-c]{0,3}", bytes());
    (any::<i64>(), bytes(), bytes(), prop::collection::vec(header, 0..4))
        .prop_map(|(timestamp, key, value, headers)| Plain { timestamp, key, value, headers })
}

fn build(options: BatchOptions, plain: &[Plain]) -> Bytes {
    let mut builder = BatchBuilder::new(options);
    for record in plain {
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    builder.build()
}

fn expected(base_offset: i64, plain: &[Plain]) -> Vec<Record> {
    let shared = |bytes: &Option<Vec<u8>>| bytes.clone().map(Bytes::from);
    plain
        .iter()
        .enumerate()
        .map(|(i, record)| Record {
            offset: base_offset + i as i64,
            timestamp: record.timestamp,
            key: shared(&record.key),
            value: shared(&record.value),
            headers: record.headers.iter().map(|(k, v)| (Str::copy_from(k), shared(v))).collect(),
        })
        .collect()
}

fn read(batch: &Bytes) -> Result<Vec<Record>, BatchError> {
    let mut all = Vec::new();
    for batch in batches(batch) {
        let (header, batch) = batch?;
        for record in records(&header, &batch, LIMIT)? {
            all.push(record?);
        }
    }
    Ok(all)
}

proptest! {
    #[test]
    fn what_is_built_is_read(
        plain in prop::collection::vec(plain(), 0..40),
        codec in prop::sample::select(&Compression::ALL),
        base_offset in 0i64..1 << 60,
    ) {
        let options = BatchOptions { base_offset, compression: codec, ..BatchOptions::default() };
        let batch = build(options, &plain);
        prop_assert_eq!(verify_crc(&batch), Ok(()));
        prop_assert_eq!(read(&batch), Ok(expected(base_offset, &plain)));
        let header = BatchHeader::parse(&batch).expect("a header");
        prop_assert_eq!(&header.to_bytes()[..], &batch[..BATCH_HEADER_SIZE]);
        prop_assert_eq!(header.size_in_bytes(), batch.len());
    }

    #[test]
    fn damage_is_an_error_and_no_panic(
        plain in prop::collection::vec(plain(), 1..5),
        codec in prop::sample::select(&Compression::ALL),
        at in any::<prop::sample::Index>(),
        mask in 1u8..,
    ) {
        let options = BatchOptions { compression: codec, ..BatchOptions::default() };
        let mut batch = build(options, &plain).to_vec();
        let at = at.index(batch.len());
        batch[at] ^= mask;
        let batch = Bytes::from(batch);
        let _ = read(&batch);
        // Offset and epoch lie outside the CRC; everything else is caught.
        if at >= 16 {
            prop_assert!(verify_crc(&batch).is_err());
        }
    }

    #[test]
    fn noise_after_a_header_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut batch = build(BatchOptions::default(), &[]).to_vec();
        batch.extend_from_slice(&noise);
        batch[8..12].copy_from_slice(&(49 + noise.len() as i32).to_be_bytes());
        for attributes in 0..8 {
            batch[22] = attributes;
            batch[60] = 3;
            let _ = read(&Bytes::from(batch.clone()));
        }
    }
}

#[test]
fn a_batch_cut_anywhere_is_an_error() {
    let record = Plain {
        timestamp: 5,
        key: Some(b"key".to_vec()),
        value: Some(vec![9; 40]),
        headers: vec![("h".into(), None)],
    };
    for codec in Compression::ALL {
        let options = BatchOptions { compression: codec, ..BatchOptions::default() };
        let batch = build(options, &[record.clone(), record.clone()]);
        for cut in 1..batch.len() {
            assert!(read(&batch.slice(..cut)).is_err(), "{} cut at {cut}", codec.name());
            // The same cut with a header that agrees: the records themselves must notice.
            let mut shorter = batch[..cut].to_vec();
            if cut >= BATCH_HEADER_SIZE {
                shorter[8..12].copy_from_slice(&(cut as i32 - 12).to_be_bytes());
                assert!(read(&Bytes::from(shorter)).is_err(), "{} cut at {cut}", codec.name());
            }
        }
    }
}

#[test]
fn a_bomb_is_capped() {
    let record = Plain { timestamp: 0, key: None, value: Some(vec![0; LIMIT]), headers: vec![] };
    for codec in &Compression::ALL[1..] {
        let options = BatchOptions { compression: *codec, ..BatchOptions::default() };
        let batch = build(options, std::slice::from_ref(&record));
        assert_eq!(read(&batch), Err(BatchError::TooLarge { max_output: LIMIT }));
    }
}

#[test]
fn a_leader_patches_in_place() {
    let record = Plain { timestamp: 77, key: None, value: None, headers: vec![] };
    let mut batch = build(BatchOptions::default(), &[record.clone(), record]).to_vec();
    set_base_offset(&mut batch, 1234);
    set_leader_epoch(&mut batch, 9);
    assert_eq!(verify_crc(&batch), Ok(()), "both lie outside the CRC");
    set_max_timestamp(&mut batch, TimestampType::LogAppendTime, 99);
    assert_eq!(verify_crc(&batch), Ok(()));
    let batch = Bytes::from(batch);
    let header = BatchHeader::parse(&batch).expect("a header");
    assert_eq!((header.last_offset(), header.partition_leader_epoch), (1235, 9));
    let read = read(&batch).expect("reads");
    assert_eq!(
        read.iter().map(|r| (r.offset, r.timestamp)).collect::<Vec<_>>(),
        [(1234, 99), (1235, 99)]
    );
}

#[test]
fn the_cleaner_keeps_gaps_and_the_offset_range() {
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: 100,
        delete_horizon_ms: Some(5000),
        ..BatchOptions::default()
    });
    builder.push_at(103, 60, Some(b"k"), None, std::iter::empty());
    builder.push_at(107, 50, Some(b"l"), None, std::iter::empty());
    builder.keep_last_offset(120);
    let batch = builder.build();
    let header = BatchHeader::parse(&batch).expect("a header");
    assert_eq!(header.delete_horizon_ms(), Some(5000));
    assert_eq!((header.last_offset(), header.next_offset()), (120, 121));
    assert_eq!(header.max_timestamp, 60);
    let read = read(&batch).expect("reads");
    assert_eq!(
        read.iter().map(|r| (r.offset, r.timestamp)).collect::<Vec<_>>(),
        [(103, 60), (107, 50)]
    );
}

#[test]
fn records_share_the_batch_and_borrowed_ones_agree() {
    let record =
        Plain { timestamp: 1, key: Some(vec![1; 30]), value: Some(vec![2; 2000]), headers: vec![] };
    let batch = build(BatchOptions::default(), &[record]);
    let header = BatchHeader::parse(&batch).expect("a header");
    let mut iter = records(&header, &batch, LIMIT).expect("opens");
    let borrowed = iter.clone().next_ref().expect("one").expect("good").value.map(<[u8]>::to_vec);
    let owned = iter.next().expect("one").expect("good").value.expect("a value");
    assert_eq!(borrowed.as_deref(), Some(&owned[..]));
    assert!(batch.as_ptr_range().contains(&owned.as_ptr()), "no copy");
}

#[test]
fn sequences_wrap() {
    let options = BatchOptions { base_sequence: i32::MAX - 1, ..BatchOptions::default() };
    let record = Plain { timestamp: 1, key: None, value: None, headers: vec![] };
    let batch = build(options, &[record.clone(), record.clone(), record]);
    assert_eq!(BatchHeader::parse(&batch).expect("a header").last_sequence(), 0);
}

#[test]
fn control_records_and_back() {
    let options =
        BatchOptions { producer_id: 7, producer_epoch: 2, base_offset: 4, ..Default::default() };
    let batch = control::end_transaction(options, 1000, false, 33).expect("encodes");
    let (header, batch) = batches(&batch).next().expect("one").expect("whole");
    assert!(header.is_control() && header.is_transactional() && header.has_producer_id());
    let marker = control::first_of(&header, &batch).expect("reads").expect("a marker");
    let ControlRecord::Abort(marker) = marker else { panic!("an abort: {marker:?}") };
    assert_eq!(marker.coordinator_epoch, 33);
    let change = messages::LeaderChangeMessage { version: 1, leader_id: 3, ..Default::default() };
    let change = ControlRecord::LeaderChange(change);
    let batch =
        control::batch(BatchOptions::default(), 5, std::slice::from_ref(&change)).expect("encodes");
    let header = BatchHeader::parse(&batch).expect("a header");
    assert_eq!(control::first_of(&header, &batch), Ok(Some(change)));
}

#[test]
fn the_metadata_frame_is_kafkas() {
    let record = messages::TopicRecord { name: Str::from("t"), ..Default::default() };
    let frame = metadata_frame::encode(&record, 0).expect("encodes");
    assert_eq!(&frame[..5], [1, 2, 0, 2, b't'], "frame 1, key 2, version 0, compact string");
    assert_eq!(metadata_frame::decode(frame), Ok(record));
    assert!(
        metadata_frame::decode::<messages::TopicRecord>(Bytes::from_static(&[2, 2, 0])).is_err()
    );
    let other = Bytes::from_static(&[1, 3, 0]);
    assert!(metadata_frame::decode::<messages::TopicRecord>(other).is_err());
}

#[test]
fn coordinator_records_say_type_and_version_first() {
    let key = messages::OffsetCommitKey { group: Str::from("g"), ..Default::default() };
    let bytes = coordinator_record::encode_key(&key).expect("encodes");
    assert_eq!(&bytes[..5], [0, 1, 0, 1, b'g']);
    assert_eq!(coordinator_record::key_type(&bytes), Ok(1));
    assert_eq!(coordinator_record::decode_key(bytes), Ok(key));
    let value = messages::OffsetCommitValue { offset: 5, ..Default::default() };
    let bytes = coordinator_record::encode_value(&value, 3).expect("encodes");
    assert_eq!(coordinator_record::value_version(&bytes), Ok(3));
    assert_eq!(coordinator_record::decode_value(bytes), Ok(value));
}
