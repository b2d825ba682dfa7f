//! A segment against the plain list of its batches: reads, lookups, cuts, recovery, damage.

use ottla_protocol::records::{BatchBuilder, BatchHeader, BatchOptions, batches};
use proptest::prelude::*;

use super::names::{Kind, Stage};
use super::*;

const BASE: i64 = 100;

/// A segment and the bytes of its file.
#[derive(Debug, Clone)]
struct Log {
    segment: Segment,
    bytes: Vec<u8>,
    batches: Vec<(BatchHeader, Vec<(i64, i64)>)>,
}

fn config() -> LogConfig {
    LogConfig { index_interval_bytes: 150, ..LogConfig::default() }
}

fn empty() -> Segment {
    Segment::new(BASE, 7, 0)
}

/// Batches as (gap before, timestamps of the records, bytes per record).
type Shape = Vec<(i64, Vec<i64>, usize)>;

fn shapes() -> impl Strategy<Value = Shape> {
    let batch = (
        prop_oneof![8 => Just(0i64), 1 => 1..1000i64],
        prop::collection::vec(-1..500i64, 1..5),
        0..120usize,
    );
    prop::collection::vec(batch, 0..40)
}

fn build(shape: &Shape) -> Log {
    let mut log = Log { segment: empty(), bytes: Vec::new(), batches: Vec::new() };
    for (gap, timestamps, size) in shape {
        let options = BatchOptions {
            base_offset: log.segment.next_offset() + gap,
            ..BatchOptions::default()
        };
        let first = options.base_offset;
        let mut builder = BatchBuilder::new(options);
        for timestamp in timestamps {
            builder.push(*timestamp, None, Some(&vec![7; *size]), &[]);
        }
        let batch = builder.build();
        let header = BatchHeader::parse(&batch).unwrap();
        log.segment.append(&header, &config());
        log.bytes.extend_from_slice(&batch);
        let records =
            timestamps.iter().zip(first..).map(|(time, offset)| (offset, *time)).collect();
        log.batches.push((header, records));
    }
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn recovered_and_reopened_equal_live(shape in shapes(), saved_part in 0.0..=1.0f64) {
        let log = build(&shape);
        let mut seen = Vec::new();
        let recovered = recover(empty(), &log.bytes[..], &config(), |_, header, batch| {
            seen.push(*header);
            assert_eq!(batch.len(), header.size_in_bytes());
        }).unwrap();
        prop_assert_eq!(recovered.corruption, None);
        prop_assert_eq!(&recovered.segment, &log.segment);
        prop_assert_eq!(seen, log.batches.iter().map(|b| b.0).collect::<Vec<_>>());

        let saved = build(&shape[..(shape.len() as f64 * saved_part) as usize].to_vec());
        let files = saved.segment.index_files();
        let opened = Segment::open(empty(), &files, &log.bytes[..], &config()).unwrap().unwrap();
        prop_assert_eq!(opened, log.segment);
    }

    #[test]
    fn concatenated_reads_equal_the_log(shape in shapes(), max_bytes in 0..900usize, one in any::<bool>()) {
        let log = build(&shape);
        let (mut offset, mut joined) = (BASE, Vec::new());
        let end = log.segment.next_offset();
        loop {
            let start = log.segment.start_position(offset);
            let run = read_batches(&log.bytes[..], start, offset, end, max_bytes, one).unwrap();
            let Some(run) = run else { break };
            if run.bytes.is_empty() {
                prop_assert!(!one);
                break;
            }
            prop_assert!(run.next_offset > offset);
            prop_assert_eq!(run.position as usize, joined.len());
            joined.extend_from_slice(&run.bytes);
            offset = run.next_offset;
        }
        prop_assert!(log.bytes.starts_with(&joined));
        if one {
            prop_assert_eq!(joined, log.bytes);
        }
    }

    #[test]
    fn reads_never_pass_the_upper_offset(shape in shapes(), upper in 0..300i64, from in 0..300i64) {
        let log = build(&shape);
        let (from, upper) = (BASE + from, BASE + upper);
        let start = log.segment.start_position(from);
        let run = read_batches(&log.bytes[..], start, from, upper, 1 << 20, true).unwrap();
        let expected: Vec<BatchHeader> = log.batches.iter().map(|b| b.0)
            .filter(|h| h.last_offset() >= from && h.last_offset() < upper).collect();
        let bytes = run.map(|run| run.bytes).unwrap_or_default();
        let read: Vec<BatchHeader> = batches(&bytes).map(|b| b.unwrap().0).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn timestamp_lookup_equals_scan(shape in shapes(), timestamp in -1..510i64, from in 0..150i64) {
        let log = build(&shape);
        let from = BASE + from;
        let hint = log.segment.time_index.lookup(timestamp).offset.max(from);
        let start = log.segment.start_position(hint);
        let found = find_timestamp(&log.bytes[..], start, timestamp, from, 1 << 20).unwrap();
        let records = log.batches.iter().flat_map(|b| &b.1);
        let expected = records.clone().find(|(offset, time)| *offset >= from && *time >= timestamp);
        prop_assert_eq!(found.map(|found| (found.offset, found.timestamp)), expected.copied());
        let max = records.map(|(_, time)| *time).max().unwrap_or(-1);
        prop_assert_eq!(log.segment.max_timestamp(), max);
    }

    #[test]
    fn cut_equals_never_written(shape in shapes(), offset in 0..400i64) {
        let log = build(&shape);
        let offset = BASE + offset;
        let keep = log.batches.iter().take_while(|b| b.0.last_offset() < offset).count();
        let expected = build(&shape[..keep].to_vec());
        let mut cut = log.segment.clone();
        let size = cut.truncate(offset, &log.bytes[..], &config(), 7).unwrap();
        prop_assert_eq!(size as usize, expected.bytes.len());
        prop_assert_eq!(cut, expected.segment);
    }

    #[test]
    fn damage_ends_the_log_before_it(shape in shapes(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut log = build(&shape);
        prop_assume!(!log.bytes.is_empty());
        let at = at.index(log.bytes.len());
        let mut begin = 0;
        for (header, _) in &log.batches {
            let end = begin + header.size_in_bytes();
            if at < end {
                // Offset and epoch lie outside the CRC.
                prop_assume!(!matches!(at - begin, 0..8 | 12..16));
                break;
            }
            begin = end;
        }
        log.bytes[at] ^= 1 << bit;
        let recovered = recover(empty(), &log.bytes[..], &config(), |_, _, _| {}).unwrap();
        prop_assert!(recovered.corruption.is_some());
        prop_assert_eq!(recovered.segment.size() as usize, begin);
    }

    #[test]
    fn a_torn_tail_is_cut(shape in shapes(), at in any::<prop::sample::Index>()) {
        let log = build(&shape);
        let at = at.index(log.bytes.len() + 1);
        let recovered = recover(empty(), &log.bytes[..at], &config(), |_, _, _| {}).unwrap();
        let mut ends = vec![0];
        for (header, _) in &log.batches {
            ends.push(ends.last().unwrap() + header.size_in_bytes());
        }
        let whole = ends.iter().rfind(|end| **end <= at).unwrap();
        prop_assert_eq!(recovered.segment.size() as usize, *whole);
        prop_assert_eq!(recovered.corruption.is_some(), *whole != at);
    }

    #[test]
    fn sealed_indexes_find_what_memory_finds(shape in shapes(), offset in 0..400i64, time in -1..510i64) {
        let log = build(&shape);
        let offset = BASE + offset;
        let (facts, files) = log.segment.clone().seal(9);
        prop_assert_eq!(facts.next_offset, log.segment.next_offset());
        let entry = OffsetIndex::lookup_in(&files.offset[..], BASE, offset).unwrap();
        prop_assert_eq!(entry, log.segment.offset_index.lookup(offset));
        let entry = TimeIndex::lookup_in(&files.time[..], BASE, time).unwrap();
        let start = OffsetIndex::lookup_in(&files.offset[..], BASE, entry.offset).unwrap().position;
        let found = find_timestamp(&log.bytes[..], start.into(), time, BASE, 1 << 20).unwrap();
        let scan = find_timestamp(&log.bytes[..], 0, time, BASE, 1 << 20).unwrap();
        prop_assert_eq!(found, scan);
    }

    #[test]
    fn any_bytes_are_scanned_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        recover(empty(), &bytes[..], &config(), |_, _, _| {}).unwrap();
        let _ = find_batch(&bytes[..], 0, 0);
        let _ = find_timestamp(&bytes[..], 0, 0, 0, 1000);
    }
}

fn incoming(size: u64, max_timestamp: i64, last_offset: i64) -> Incoming {
    Incoming { size, max_timestamp, last_offset }
}

#[test]
fn rolls_for_each_reason() {
    let log = build(&vec![(0, vec![1000], 10)]);
    let config = LogConfig { segment_bytes: 200, segment_ms: 500, ..config() };
    let reason = |incoming: Incoming, config: &LogConfig| {
        log.segment.roll_reason(&incoming, config, 1 << 40)
    };
    let size = log.segment.size();
    assert_eq!(reason(incoming(200 - size, 1500, 101), &config), None);
    assert_eq!(reason(incoming(201 - size, 1500, 101), &config), Some(RollReason::Size));
    assert_eq!(reason(incoming(1, 1501, 101), &config), Some(RollReason::Time));
    let far = BASE + i64::from(i32::MAX);
    assert_eq!(reason(incoming(1, 1000, far), &config), None);
    assert_eq!(reason(incoming(1, 1000, far + 1), &config), Some(RollReason::OffsetRange));
    let config = LogConfig { segment_index_bytes: 12, ..config };
    assert_eq!(reason(incoming(1, 1000, 101), &config), Some(RollReason::IndexFull));
}

#[test]
fn without_timestamps_the_clock_rolls() {
    let log = build(&vec![(0, vec![-1], 10)]);
    let config = LogConfig { segment_ms: 500, ..config() };
    assert_eq!(log.segment.roll_reason(&incoming(1, -1, 101), &config, 507), None);
    let later = log.segment.roll_reason(&incoming(1, -1, 101), &config, 508);
    assert_eq!(later, Some(RollReason::Time));
    assert_eq!(empty().roll_reason(&incoming(1, -1, 101), &config, 508), None);
}

#[test]
fn names_there_and_back() {
    for kind in Kind::ALL {
        assert_eq!(names::parse(&names::name(17, kind)), Some((17, kind, Stage::Live)));
        for stage in [Stage::Deleted, Stage::Cleaned, Stage::Swap] {
            let name = names::staged(i64::MAX, kind, stage);
            assert_eq!(names::parse(&name), Some((i64::MAX, kind, stage)));
        }
    }
    assert_eq!(names::name(5, Kind::Log), "00000000000000000005.log");
    for other in
        ["5.log", "partition.metadata", "0000000000000000000x.log", "99999999999999999999.log"]
    {
        assert_eq!(names::parse(other), None);
    }
}

#[test]
fn an_index_that_does_not_fit_is_refused() {
    let log = build(&vec![(0, vec![1], 100); 10]);
    let mut files = log.segment.index_files();
    assert!(files.offset.len() >= 16);
    files.offset[3] = 0xff;
    files.offset[0] = 0x7f;
    let source: &[u8] = &log.bytes;
    assert!(Segment::open(empty(), &files, source, &config()).unwrap().is_err());
}
