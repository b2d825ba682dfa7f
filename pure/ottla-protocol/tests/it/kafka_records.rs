//! Goal: batches and message sets that Kafka built, in every magic and codec, hold the records it put in; and an
//! uncompressed batch of ours is Kafka's, byte for byte.

use bytes::Bytes;
use ottla_protocol::records::{
    BatchBuilder, BatchHeader, BatchOptions, Compression, Record, batches, legacy, records,
    verify_crc,
};

use crate::vectors::unhex;

const VECTORS: &str = include_str!("../vectors/records-4.4.0.txt");
const BASE_OFFSET: i64 = 40;
const LIMIT: usize = 1 << 20;

struct Built {
    magic: u8,
    codec: Compression,
    value_size: usize,
    bytes: Bytes,
}

fn built() -> Vec<Built> {
    let lines = VECTORS.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let parts: Vec<&str> = line.split(' ').collect();
            Built {
                magic: parts[0].parse().expect("a magic"),
                codec: Compression::from_name(parts[1]).expect("a codec"),
                value_size: parts[2].parse().expect("a size"),
                bytes: unhex(parts[3]),
            }
        })
        .collect()
}

/// What Kafka was told to write as record `i`.
fn expected(i: usize, magic: u8, value_size: usize) -> (Option<Vec<u8>>, Option<Vec<u8>>, i64) {
    let key = (i != 1).then(|| format!("k{i}").into_bytes());
    let value = (0..value_size).map(|k| (k * (i + 3) % 23) as u8 + b'a').collect();
    let timestamp = if magic == 0 { -1 } else { 1_700_000_000_000 + 5 * i as i64 };
    (key, (i != 2).then_some(value), timestamp)
}

fn check(i: usize, record: &Record, built: &Built) {
    let (key, value, timestamp) = expected(i, built.magic, built.value_size);
    assert_eq!(record.offset, BASE_OFFSET + i as i64);
    assert_eq!(record.timestamp, timestamp);
    assert_eq!(record.key.as_deref(), key.as_deref());
    assert!(record.value.as_deref() == value.as_deref(), "value {i} of {}", built.codec.name());
}

#[test]
fn kafkas_batches() {
    for built in built().iter().filter(|built| built.magic == 2) {
        assert_eq!(verify_crc(&built.bytes), Ok(()));
        let (header, batch) = batches(&built.bytes).next().expect("one").expect("whole");
        assert_eq!(header.compression(), Ok(built.codec));
        let found: Result<Vec<Record>, _> =
            records(&header, &batch, LIMIT).expect("opens").collect();
        let found = found.expect("good records");
        assert_eq!(found.len(), 4);
        for (i, record) in found.iter().enumerate() {
            check(i, record, built);
        }
        let headers: Vec<(&str, Option<&[u8]>)> =
            found[3].headers.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        assert_eq!(headers, [("h", Some(&b"v"[..])), ("h", None)]);
    }
}

#[test]
fn kafkas_old_message_sets() {
    for built in built().iter().filter(|built| built.magic < 2) {
        assert!(legacy::is_legacy(&built.bytes));
        let options = BatchOptions { base_offset: BASE_OFFSET, ..BatchOptions::default() };
        let batch =
            legacy::to_batch(&built.bytes, options, LIMIT).expect("converts").expect("some");
        let header = BatchHeader::parse(&batch).expect("a header");
        assert_eq!((header.compression(), header.records_count), (Ok(built.codec), 4));
        for (i, record) in records(&header, &batch, LIMIT).expect("opens").enumerate() {
            check(i, &record.expect("a record"), built);
        }
        let messages = legacy::messages(&built.bytes, LIMIT).expect("reads");
        let offsets: Vec<i64> = messages.iter().map(|message| message.offset).collect();
        assert_eq!(offsets, [40, 41, 42, 43]);
    }
}

/// What Kafka was told to build, built here.
fn ours(codec: Compression, value_size: usize) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: BASE_OFFSET,
        compression: codec,
        ..BatchOptions::default()
    });
    for i in 0..4 {
        let (key, value, timestamp) = expected(i, 2, value_size);
        let headers: &[(&str, Option<&[u8]>)] =
            if i == 3 { &[("h", Some(b"v")), ("h", None)] } else { &[] };
        builder.push(timestamp, key.as_deref(), value.as_deref(), headers);
    }
    builder.build()
}

#[test]
fn our_batch_is_kafkas() {
    let mut compared = 0;
    for built in built().iter().filter(|built| built.magic == 2) {
        let batch = ours(built.codec, built.value_size);
        if built.codec == Compression::None {
            assert_eq!(batch, built.bytes);
            compared += 1;
        }
    }
    assert_eq!(compared, 1);
}
