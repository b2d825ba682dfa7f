//! What is refused and with which code; what passes unchanged; what is rewritten and how.

use ottla_protocol::records::{
    BatchBuilder, BatchOptions, Compression, NO_PRODUCER_ID, Record, batches,
    records as read_records, verify_crc,
};
use proptest::prelude::*;

use super::*;
use crate::config::{CleanupPolicy, CompressionTarget};

const NOW: i64 = 1_700_000_000_000;

fn rules(config: &LogConfig) -> Rules<'_> {
    Rules { config, origin: Origin::Client, depth: Depth::Full, now_ms: NOW }
}

fn build(options: BatchOptions, timestamps: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new(options);
    for timestamp in timestamps {
        builder.push(*timestamp, Some(b"key"), Some(&[9; 50]), &[("h", None), ("h", Some(b"x"))]);
    }
    builder.build()
}

fn plain(timestamps: &[i64]) -> Bytes {
    build(BatchOptions::default(), timestamps)
}

fn code(records: Bytes, config: &LogConfig) -> ErrorCode {
    validate(records, &rules(config)).unwrap_err().code
}

fn read(batch: &Bytes) -> Vec<Record> {
    let header = BatchHeader::parse(batch).unwrap();
    read_records(&header, batch, 1 << 20).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn good_batches_pass_as_they_came() {
    let config = LogConfig::default();
    for compression in Compression::ALL {
        let batch =
            build(BatchOptions { compression, ..BatchOptions::default() }, &[NOW, -1, NOW - 5]);
        for depth in [Depth::Full, Depth::Header] {
            let passed = validate(batch.clone(), &Rules { depth, ..rules(&config) }).unwrap();
            assert_eq!(passed.records.as_ptr(), batch.as_ptr(), "{compression:?} was copied");
            assert_eq!((passed.offsets_count, passed.max_timestamp), (3, NOW));
            assert_eq!(passed.log_append_time_ms, -1);
        }
    }
}

#[test]
fn offsets_are_assigned_in_place() {
    let mut two = plain(&[NOW, NOW]).to_vec();
    two.extend_from_slice(&plain(&[NOW; 3]));
    let passed = validate(two.into(), &rules(&LogConfig::default())).unwrap();
    assert_eq!((passed.batches.len(), passed.offsets_count), (2, 5));
    let mut buffer = passed.records.to_vec();
    assert_eq!(assign(&mut buffer, &passed.batches, 1000, 7), 1004);
    let found: Vec<_> = batches(&buffer.into())
        .map(|batch| batch.unwrap())
        .inspect(|(_, bytes)| verify_crc(bytes).unwrap())
        .map(|(header, _)| {
            (header.base_offset, header.last_offset(), header.partition_leader_epoch)
        })
        .collect();
    assert_eq!(found, [(1000, 1001, 7), (1002, 1004, 7)]);
}

#[test]
fn sizes_and_checksums() {
    let config = LogConfig::default();
    assert_eq!(code(Bytes::new(), &config), ErrorCode::InvalidRecord);
    assert_eq!(code(plain(&[NOW]).slice(..80), &config), ErrorCode::InvalidRecord);
    let small = LogConfig { max_message_bytes: 100, ..LogConfig::default() };
    assert_eq!(code(plain(&[NOW, NOW]), &small), ErrorCode::MessageTooLarge);
    let segment = LogConfig { segment_bytes: 100, ..LogConfig::default() };
    assert_eq!(code(plain(&[NOW, NOW]), &segment), ErrorCode::RecordListTooLarge);
    let mut trailing = plain(&[NOW]).to_vec();
    let whole = trailing.len();
    trailing.extend_from_slice(&plain(&[NOW])[..40]);
    assert_eq!(validate(trailing.into(), &rules(&config)).unwrap().records.len(), whole);
    let mut old = plain(&[NOW]).to_vec();
    old[16] = 1;
    assert_eq!(code(old.into(), &config), ErrorCode::InvalidRecord);
}

/// A batch with one header field changed and the CRC made right again.
fn altered(change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let batch = plain(&[NOW, NOW]);
    let mut header = BatchHeader::parse(&batch).unwrap();
    change(&mut header);
    let mut bytes = batch.to_vec();
    bytes[..61].copy_from_slice(&header.to_bytes());
    header.crc = ottla_protocol::records::crc32c(&bytes[21..]);
    bytes[..61].copy_from_slice(&header.to_bytes());
    bytes.into()
}

#[test]
fn headers_that_contradict_themselves() {
    let config = LogConfig::default();
    let cases: [(&str, Bytes); 6] = [
        ("base offset", altered(|h| h.base_offset = 1)),
        ("count of none", altered(|h| h.records_count = 0)),
        ("count too high", altered(|h| h.records_count = 3)),
        ("range too wide", altered(|h| h.last_offset_delta = 5)),
        ("control", altered(|h| h.attributes = 1 << 5)),
        ("sequence", altered(|h| h.producer_id = 5)),
    ];
    for (name, batch) in cases {
        assert_eq!(code(batch, &config), ErrorCode::InvalidRecord, "{name}");
    }
    let lying = altered(|h| {
        h.records_count = 3;
        h.last_offset_delta = 2;
    });
    assert_eq!(code(lying, &config), ErrorCode::InvalidRecord);
    let unknown = code(altered(|h| h.attributes = 7), &config);
    assert_eq!(unknown, ErrorCode::UnsupportedCompressionType);
}

#[test]
fn a_producer_sends_one_batch() {
    let options =
        BatchOptions { producer_id: 1, producer_epoch: 0, base_sequence: 0, ..Default::default() };
    let one = build(options.clone(), &[NOW]);
    assert!(validate(one.clone(), &rules(&LogConfig::default())).is_ok());
    let two = [one.clone(), one].concat();
    assert_eq!(code(two.into(), &LogConfig::default()), ErrorCode::InvalidRecord);
    assert_eq!(NO_PRODUCER_ID, -1);
}

#[test]
fn timestamps_out_of_range_name_their_records() {
    let config = LogConfig { message_timestamp_before_max_ms: 1000, ..LogConfig::default() };
    let batch = plain(&[NOW, NOW - 1001, NOW - 1000, NOW + 3_600_001, -1]);
    for depth in [Depth::Full, Depth::Header] {
        let rejection = validate(batch.clone(), &Rules { depth, ..rules(&config) }).unwrap_err();
        assert_eq!(rejection.code, ErrorCode::InvalidTimestamp);
        let at: Vec<i32> = rejection.record_errors.iter().map(|error| error.batch_index).collect();
        assert_eq!(at, [1, 3]);
    }
    let stamps = LogConfig { message_timestamp_type: TimestampKind::LogAppendTime, ..config };
    assert!(validate(batch, &rules(&stamps)).is_ok());
}

#[test]
fn a_compacted_topic_wants_keys() {
    let config = LogConfig {
        cleanup_policy: CleanupPolicy { delete: false, compact: true },
        ..LogConfig::default()
    };
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(NOW, Some(b"k"), None, &[]);
    builder.push(NOW, None, Some(b"v"), &[]);
    let rules = Rules { depth: Depth::Header, ..rules(&config) };
    let rejection = validate(builder.build(), &rules).unwrap_err();
    assert_eq!(rejection.code, ErrorCode::InvalidRecord);
    assert_eq!(rejection.record_errors[0].batch_index, 1);
}

#[test]
fn the_brokers_time_is_stamped() {
    let config =
        LogConfig { message_timestamp_type: TimestampKind::LogAppendTime, ..LogConfig::default() };
    let passed = validate(plain(&[5, 6]), &rules(&config)).unwrap();
    verify_crc(&passed.records).unwrap();
    assert_eq!((passed.max_timestamp, passed.log_append_time_ms), (NOW, NOW));
    assert!(read(&passed.records).iter().all(|record| record.timestamp == NOW));
}

#[test]
fn a_largest_timestamp_that_is_not_true_is_corrected() {
    let passed = validate(altered(|h| h.max_timestamp = 3), &rules(&LogConfig::default())).unwrap();
    assert_eq!(passed.max_timestamp, NOW);
    verify_crc(&passed.records).unwrap();
}

#[test]
fn coordinators_may_write_control_batches_and_replicas_keep_offsets() {
    let config = LogConfig::default();
    let control = build(BatchOptions { control: true, ..BatchOptions::default() }, &[NOW]);
    let by = |origin| validate(control.clone(), &Rules { origin, ..rules(&config) });
    assert!(by(Origin::Coordinator).is_ok() && by(Origin::Client).is_err());
    let first = build(BatchOptions { base_offset: 10, ..BatchOptions::default() }, &[NOW; 3]);
    let after = build(BatchOptions { base_offset: 20, ..BatchOptions::default() }, &[NOW]);
    let replica = Rules { origin: Origin::Replica, ..rules(&config) };
    assert!(validate([first.clone(), after.clone()].concat().into(), &replica).is_ok());
    let turned = validate([after, first].concat().into(), &replica).unwrap_err();
    assert_eq!(turned.code, ErrorCode::CorruptMessage);
}

fn target() -> impl Strategy<Value = CompressionTarget> {
    prop::sample::select(vec![
        CompressionTarget::Producer,
        CompressionTarget::Uncompressed,
        CompressionTarget::Gzip(-1),
        CompressionTarget::Snappy,
        CompressionTarget::Lz4(9),
        CompressionTarget::Zstd(3),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn conversion_keeps_the_records(
        sent in prop::sample::select(Compression::ALL.to_vec()),
        target in target(),
        timestamps in prop::collection::vec(NOW - 100..NOW, 1..20),
    ) {
        let options = BatchOptions { compression: sent, producer_id: 4, producer_epoch: 1,
            base_sequence: 77, transactional: true, ..BatchOptions::default() };
        let batch = build(options, &timestamps);
        let config = LogConfig { compression: target, ..LogConfig::default() };
        let passed = validate(batch.clone(), &rules(&config)).unwrap();
        verify_crc(&passed.records).unwrap();
        prop_assert_eq!(read(&passed.records), read(&batch));
        let (before, after) = (BatchHeader::parse(&batch).unwrap(), passed.batches[0]);
        prop_assert_eq!(
            (before.producer_id, before.producer_epoch, before.base_sequence, before.is_transactional()),
            (after.producer_id, after.producer_epoch, after.base_sequence, after.is_transactional())
        );
        prop_assert!(convert::matches(target, after.compression().unwrap()));
    }

    #[test]
    fn a_flipped_bit_never_passes(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bytes = plain(&[NOW, NOW]).to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // The leader epoch is the broker's to set.
        prop_assume!(!(12..16).contains(&at));
        prop_assert!(validate(bytes.into(), &rules(&LogConfig::default())).is_err());
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(validate(bytes.into(), &rules(&LogConfig::default())).is_err());
    }
}
