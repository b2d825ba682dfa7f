//! Round trips; every flipped bit and every cut is noticed; golden first bytes.

use bytes::Bytes;
use ottla_protocol::{Str, Uuid};
use proptest::prelude::*;

use super::{
    Builder, Checkpoint, CheckpointError, CheckpointHeader, Copying, PartitionRecord,
    SegmentRecord, decode_name, encode_name,
};
use crate::epochs::EpochEntry;
use crate::index::AbortedTransaction;
use crate::options::TopicPartition;
use crate::producers::Producers;

fn header(clean: bool) -> CheckpointHeader {
    CheckpointHeader { directory: Uuid([3; 16]), epoch: 4, wal_start_lsn: 5, next_number: 6, clean }
}

fn producers() -> Producers {
    use ottla_protocol::records::{BatchBuilder, BatchHeader, BatchOptions};
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: 8,
        producer_epoch: 1,
        base_sequence: 0,
        transactional: true,
        ..BatchOptions::default()
    });
    builder.push(1, None, Some(b"x"), &[]);
    let mut producers = Producers::new();
    producers.apply(&BatchHeader::parse(&builder.build()).unwrap(), None);
    producers
}

fn record(number: u64, topic: &str, offsets: (i64, i64, i64), segments: usize) -> PartitionRecord {
    let segment = |index: usize| SegmentRecord {
        size: 100 + index as u64,
        max_timestamp: 7,
        ..SegmentRecord::empty(index as i64, 9)
    };
    PartitionRecord {
        number,
        id: TopicPartition {
            topic: Str::copy_from(topic),
            topic_id: Uuid([number as u8; 16]),
            partition: 2,
        },
        applied_lsn: 77,
        log_start: offsets.0,
        high_watermark: offsets.0 + offsets.1,
        log_end: offsets.0 + offsets.1 + offsets.2,
        segment_bytes: 4096,
        has_folder: number.is_multiple_of(2),
        index_saved: number.is_multiple_of(3),
        replicated: number.is_multiple_of(5),
        copying: Copying { is_copy: number.is_multiple_of(7), moves: (number % 16) as u8 },
        segments: (0..segments).map(segment).collect(),
        epochs: vec![EpochEntry { epoch: 1, start_offset: 0 }],
        producers: producers(),
        aborted: vec![AbortedTransaction {
            producer_id: 8,
            first_offset: 1,
            last_offset: 2,
            last_stable_offset: 3,
        }],
    }
}

fn encode(partitions: &[PartitionRecord], clean: bool) -> Vec<u8> {
    let mut builder = Builder::new();
    partitions.iter().for_each(|partition| builder.push(partition));
    builder.finish(&header(clean))
}

proptest! {
    #[test]
    fn comes_back(
        parts in prop::collection::vec(("[a-z]{1,9}", 50i64..90, 0i64..9, 0i64..9, 0usize..4), 0..5),
        clean: bool,
    ) {
        let partitions: Vec<_> = parts
            .iter()
            .enumerate()
            .map(|(number, (topic, a, b, c, segments))| {
                record(number as u64, topic, (*a, *b, *c), *segments)
            })
            .collect();
        let decoded = Checkpoint::decode(&encode(&partitions, clean)).unwrap();
        prop_assert_eq!(decoded, Checkpoint { header: header(clean), partitions });
    }
}

#[test]
fn damage_is_noticed() {
    let bytes = encode(&[record(1, "t", (50, 2, 3), 2), record(2, "u", (60, 0, 0), 0)], true);
    for at in 0..bytes.len() {
        assert!(Checkpoint::decode(&bytes[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(Checkpoint::decode(&flipped).is_err(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn a_later_version_is_named() {
    let mut bytes = encode(&[], false);
    bytes[5] = 2;
    assert_eq!(Checkpoint::decode(&bytes), Err(CheckpointError::Version(2)));
}

#[test]
fn header_bytes() {
    let bytes = encode(&[], true);
    assert_eq!(bytes.len(), 80);
    assert_eq!(&bytes[..8], b"OCKP\x00\x01\x00\x01");
    assert_eq!(
        bytes[40..64],
        [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6]
    );
}

#[test]
fn a_name_comes_back() {
    let id = record(3, "orders", (0, 0, 0), 0).id;
    let name = encode_name(&id, 1234);
    assert_eq!(decode_name(&name).unwrap(), (id, 1234));
    assert!(decode_name(&name[..name.len() - 1]).is_err());
    assert!(decode_name(&Bytes::from([&name[..], b"x"].concat())).is_err());
}

/// Goal: of two logs that follow each other in a move the later one is known, however often a replica was moved.
#[test]
fn moves_are_told_apart_all_the_way_round() {
    let mut log = Copying::default();
    for _ in 0..40 {
        let copy = log.next();
        assert!(!copy.follows(log), "it is only a copy");
        let moved = Copying { is_copy: false, ..copy };
        assert!(moved.follows(log) && !log.follows(moved) && !moved.follows(moved));
        assert_eq!(Copying::from_bits(moved.to_bits()), moved);
        let (offset, extra) = copy.to_entry();
        assert_eq!(Copying::from_entry(offset, extra), copy);
        log = moved;
    }
}
