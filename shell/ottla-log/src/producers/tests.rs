//! Producer state: live equals rebuilt, retries are known, sequences wrap, Kafka's file reads back.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// A header as the log holds it.
fn batch(producer_id: i64, epoch: i16, sequence: i32, count: i32) -> BatchHeader {
    BatchHeader {
        base_offset: 0,
        batch_length: 100,
        partition_leader_epoch: 0,
        magic: 2,
        crc: 0,
        attributes: 0,
        last_offset_delta: count - 1,
        base_timestamp: 1000,
        max_timestamp: 1000,
        producer_id,
        producer_epoch: epoch,
        base_sequence: sequence,
        records_count: count,
    }
}

const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

fn at(offset: i64, header: BatchHeader) -> BatchHeader {
    BatchHeader { base_offset: offset, ..header }
}

fn transactional(header: BatchHeader) -> BatchHeader {
    BatchHeader { attributes: TRANSACTIONAL, ..header }
}

fn marker(producer_id: i64, epoch: i16) -> BatchHeader {
    BatchHeader { attributes: TRANSACTIONAL | CONTROL, ..batch(producer_id, epoch, -1, 1) }
}

const COMMIT: EndMarker = EndMarker { commit: true, coordinator_epoch: 0 };
const ABORT: EndMarker = EndMarker { commit: false, coordinator_epoch: 0 };

/// A log of headers and the state that was live while it was written.
#[derive(Default)]
struct Log {
    entries: Vec<(BatchHeader, Option<EndMarker>)>,
    live: Producers,
    high_watermark: i64,
}

impl Log {
    fn end(&self) -> i64 {
        self.entries.last().map_or(0, |(header, _)| header.next_offset())
    }
    fn send(&mut self, header: BatchHeader, end: Option<EndMarker>) {
        let fits = match end {
            Some(end) => self.live.check_marker(&header, end).is_ok(),
            None => self.live.check(&header, Origin::Client) == Ok(Verdict::Append),
        };
        if fits {
            let header = at(self.end(), header);
            self.live.apply(&header, end);
            self.entries.push((header, end));
        }
    }
    fn advance(&mut self, to: i64) {
        // It only ever stands between batches.
        let ends = self.entries.iter().map(|(header, _)| header.next_offset());
        let below = ends.filter(|end| *end <= to).max().unwrap_or(0);
        self.high_watermark = self.high_watermark.max(below);
        self.live.on_high_watermark(self.high_watermark);
    }
    fn rebuild(&self) -> Producers {
        let mut state = Producers::new();
        for (header, end) in &self.entries {
            state.apply(header, *end);
        }
        state.on_high_watermark(self.high_watermark);
        state
    }
    /// The first offset of the oldest transaction without a marker below the high watermark.
    fn first_unstable(&self) -> Option<i64> {
        let mut open: BTreeMap<i64, i64> = BTreeMap::new();
        let mut unstable = Vec::new();
        for (header, end) in &self.entries {
            match end {
                Some(_) => {
                    if let Some(first) = open.remove(&header.producer_id)
                        && header.base_offset >= self.high_watermark
                    {
                        unstable.push(first);
                    }
                }
                None if header.is_transactional() => {
                    open.entry(header.producer_id).or_insert(header.base_offset);
                }
                None => {}
            }
        }
        unstable.extend(open.into_values());
        unstable.into_iter().min()
    }
}

#[derive(Debug, Clone)]
enum Op {
    Data { id: i64, epoch: i16, sequence: i32, count: i32, transactional: bool },
    Next { id: i64, count: i32, transactional: bool },
    End { id: i64, bump: bool, commit: bool, coordinator_epoch: i32 },
    HighWatermark(i64),
    Truncate(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let id = 0..3i64;
    prop_oneof![
        1 => (id.clone(), 0..3i16, 0..4i32, 1..3i32, any::<bool>()).prop_map(
            |(id, epoch, sequence, count, transactional)| Op::Data { id, epoch, sequence, count, transactional }),
        4 => (id.clone(), 1..4i32, any::<bool>()).prop_map(
            |(id, count, transactional)| Op::Next { id, count, transactional }),
        2 => (id, any::<bool>(), any::<bool>(), 0..3i32).prop_map(
            |(id, bump, commit, coordinator_epoch)| Op::End { id, bump, commit, coordinator_epoch }),
        1 => (0..60i64).prop_map(Op::HighWatermark),
        1 => (0..4usize).prop_map(Op::Truncate),
    ]
}

fn run(log: &mut Log, op: Op) {
    match op {
        Op::Data { id, epoch, sequence, count, transactional: true } => {
            log.send(transactional(batch(id, epoch, sequence, count)), None);
        }
        Op::Data { id, epoch, sequence, count, .. } => {
            log.send(batch(id, epoch, sequence, count), None);
        }
        Op::Next { id, count, transactional: in_transaction } => {
            let known = log.live.get(id).map(|s| (s.epoch, add_sequence(s.last_sequence(), 1)));
            let (epoch, sequence) = known.unwrap_or((0, 0));
            let next = batch(id, epoch, sequence, count);
            log.send(if in_transaction { transactional(next) } else { next }, None);
        }
        Op::End { id, bump, commit, coordinator_epoch } => {
            let epoch = log.live.get(id).map_or(0, |s| s.epoch) + i16::from(bump);
            log.send(marker(id, epoch), Some(EndMarker { commit, coordinator_epoch }));
        }
        Op::HighWatermark(to) => log.advance(to),
        Op::Truncate(count) => {
            let committed = |entry: &(BatchHeader, _)| entry.0.next_offset() <= log.high_watermark;
            let keep = log.entries.iter().filter(|e| committed(e)).count();
            log.entries.truncate(keep.max(log.entries.len().saturating_sub(count)));
            log.live = log.rebuild();
        }
    }
}

proptest! {
    #[test]
    fn rebuilt_equals_live(ops in prop::collection::vec(op(), 0..60), snapshot_at in 0..30usize) {
        let mut log = Log::default();
        for op in ops {
            run(&mut log, op);
            prop_assert_eq!(&log.live, &log.rebuild());
            prop_assert_eq!(log.live.first_unstable_offset(), log.first_unstable());
        }
        // An exact snapshot anywhere, and the rest of the log, give the same.
        let at = snapshot_at.min(log.entries.len());
        let mut early = Producers::new();
        log.entries[..at].iter().for_each(|(h, end)| { early.apply(h, *end); });
        let mut bytes = Vec::new();
        early.encode(&mut bytes);
        let mut bytes = Bytes::from(bytes);
        let mut state = Producers::decode(&mut bytes).unwrap();
        prop_assert!(bytes.is_empty());
        prop_assert_eq!(&state, &early);
        log.entries[at..].iter().for_each(|(h, end)| { state.apply(h, *end); });
        state.on_high_watermark(log.high_watermark);
        prop_assert_eq!(&state, &log.live);
        // Kafka's snapshot keeps what decides about the next batch.
        let read = Producers::from_snapshot(log.live.to_snapshot(), 0, -1).unwrap();
        prop_assert_eq!(read.to_snapshot(), log.live.to_snapshot());
        for (id, state) in log.live.iter() {
            let next = batch(id, state.epoch, add_sequence(state.last_sequence(), 1), 1);
            prop_assert_eq!(read.check(&next, Origin::Client), log.live.check(&next, Origin::Client));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Producers::from_snapshot(bytes.clone().into(), 0, -1);
        let _ = Producers::decode(&mut bytes.into());
    }

    #[test]
    fn sequences_add_and_subtract(sequence in 0..=i32::MAX, by in 0..=i32::MAX) {
        let sum = add_sequence(sequence, by);
        prop_assert!(sum >= 0);
        prop_assert_eq!(subtract_sequence(sum, by), sequence);
    }
}

#[test]
fn each_of_five_in_flight_is_known_when_retried() {
    let mut log = Log::default();
    for sequence in 0..7 {
        log.send(batch(1, 0, sequence * 2, 2), None);
    }
    for sequence in 2..7 {
        let verdict = log.live.check(&batch(1, 0, sequence * 2, 2), Origin::Client);
        let Ok(Verdict::Duplicate(known)) = verdict else { panic!("{verdict:?}") };
        assert_eq!(known.first_offset(), i64::from(sequence) * 2);
    }
    for refused in [batch(1, 0, 2, 2), batch(1, 0, 13, 1), batch(1, 0, 15, 1), batch(1, 0, 0, 14)] {
        let error = log.live.check(&refused, Origin::Client).unwrap_err();
        assert_eq!(error.code, ErrorCode::OutOfOrderSequenceNumber);
    }
    assert_eq!(log.live.check(&batch(1, 0, 14, 1), Origin::Client), Ok(Verdict::Append));
}

#[test]
fn the_sequence_wraps() {
    let mut log = Log::default();
    log.send(batch(1, 0, i32::MAX - 1, 4), None);
    assert_eq!(log.live.get(1).unwrap().last_sequence(), 1);
    let retry = log.live.check(&batch(1, 0, i32::MAX - 1, 4), Origin::Client);
    assert!(matches!(retry, Ok(Verdict::Duplicate(_))));
    assert_eq!(log.live.check(&batch(1, 0, 2, 1), Origin::Client), Ok(Verdict::Append));
    log.send(batch(2, 0, i32::MAX, 1), None);
    assert_eq!(log.live.check(&batch(2, 0, 0, 1), Origin::Client), Ok(Verdict::Append));
}

#[test]
fn epochs_fence() {
    let mut log = Log::default();
    log.send(batch(1, 3, 0, 1), None);
    let old = log.live.check(&batch(1, 2, 1, 1), Origin::Client).unwrap_err();
    assert_eq!(old.code, ErrorCode::InvalidProducerEpoch);
    let jump = log.live.check(&batch(1, 4, 1, 1), Origin::Client).unwrap_err();
    assert_eq!(jump.code, ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(log.live.check(&batch(1, 4, 0, 1), Origin::Client), Ok(Verdict::Append));
    assert_eq!(log.live.check(&batch(1, 2, 9, 1), Origin::Replica), Ok(Verdict::Append));
    // A producer that is not known may begin anywhere: its past may have been deleted.
    assert_eq!(log.live.check(&batch(9, 5, 77, 1), Origin::Client), Ok(Verdict::Append));
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset() {
    let mut log = Log::default();
    log.send(batch(9, 0, 0, 5), None);
    log.send(transactional(batch(1, 0, 0, 2)), None);
    log.send(transactional(batch(2, 0, 0, 2)), None);
    log.advance(9);
    assert_eq!(log.live.first_unstable_offset(), Some(5));
    let plain = log.live.check(&batch(1, 0, 2, 1), Origin::Client).unwrap_err();
    assert_eq!(plain.code, ErrorCode::InvalidTxnState);

    let ended = log.live.apply(&at(9, marker(1, 0)), Some(ABORT)).unwrap();
    let expected = CompletedTransaction {
        producer_id: 1,
        first_offset: 5,
        last_offset: 9,
        aborted: true,
        last_stable_offset: 7,
    };
    assert_eq!(ended, expected);
    assert_eq!(log.live.first_unstable_offset(), Some(5), "the marker is not yet committed");
    log.live.on_high_watermark(10);
    assert_eq!(log.live.first_unstable_offset(), Some(7));
    let ended = log.live.apply(&at(10, marker(2, 0)), Some(COMMIT)).unwrap();
    assert_eq!(ended.last_stable_offset, 11);
    log.live.on_high_watermark(11);
    assert_eq!(log.live.first_unstable_offset(), None);
    assert_eq!(log.live.apply(&at(11, marker(2, 0)), Some(COMMIT)), None, "nothing was open");
}

#[test]
fn an_older_coordinator_is_fenced() {
    let mut log = Log::default();
    log.send(marker(1, 0), Some(EndMarker { commit: true, coordinator_epoch: 5 }));
    let error = log.live.check_marker(&marker(1, 0), COMMIT).unwrap_err();
    assert_eq!(error.code, ErrorCode::TransactionCoordinatorFenced);
}

#[test]
fn silence_forgets_but_not_an_open_transaction() {
    let mut log = Log::default();
    log.send(batch(1, 0, 0, 1), None);
    log.send(transactional(batch(2, 0, 0, 1)), None);
    assert_eq!(log.live.expire(1999, 1000), 0);
    assert_eq!(log.live.expire(2000, 1000), 1);
    assert!(log.live.get(1).is_none() && log.live.get(2).is_some());
}

/// Written by Kafka 4.3: a transactional producer after its 48th transaction.
const KAFKA_SNAPSHOT: &str = "00018a29ba9800000001000000000000000100\
30ffffffffffffffffffffffff00000000000001a20496ae1e00000000ffffffffffffffff";

#[test]
fn kafkas_own_snapshot() {
    let bytes: Vec<u8> = (0..KAFKA_SNAPSHOT.len() / 2)
        .map(|at| u8::from_str_radix(&KAFKA_SNAPSHOT[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    let producers = Producers::from_snapshot(bytes.clone().into(), 0, -1).unwrap();
    let state = producers.get(1).unwrap();
    assert_eq!((state.epoch, state.coordinator_epoch, state.batches.len()), (48, 0, 0));
    assert_eq!(producers.to_snapshot(), bytes);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(Producers::from_snapshot(damaged.into(), 0, -1).is_err(), "byte {at}");
    }
}

#[test]
fn a_cut_leaves_what_is_known_of_batches_that_are_deleted() {
    let at = |sequence: i32| BatchHeader {
        base_offset: i64::from(sequence),
        ..batch(1, 0, sequence, 1)
    };
    let mut live = Producers::new();
    for sequence in 0..5 {
        live.apply(&at(sequence), None);
    }
    live.apply(&BatchHeader { base_offset: 5, ..batch(2, 0, 0, 1) }, None);
    // Offsets 0 and 1 were deleted, the cut is at 4: of producer 2 nothing is left.
    let mut rebuilt = Producers::new();
    for sequence in 2..4 {
        rebuilt.apply(&at(sequence), None);
    }
    rebuilt.keep_older(&live, 4);
    let known = |sequence| rebuilt.check(&at(sequence), Origin::Client);
    for sequence in 0..4 {
        assert!(matches!(known(sequence), Ok(Verdict::Duplicate(_))), "{sequence}");
    }
    assert_eq!(known(4), Ok(Verdict::Append));
    assert_eq!(rebuilt.len(), 1);
    // All that was appended is deleted, and the next batch was cut off.
    let mut rebuilt = Producers::new();
    rebuilt.keep_older(&live, 4);
    assert_eq!(rebuilt.check(&at(4), Origin::Client), Ok(Verdict::Append));
    assert!(rebuilt.check(&at(6), Origin::Client).is_err());
}
