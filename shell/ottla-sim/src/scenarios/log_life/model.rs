//! What one topic's log must be, from what its writer was told. It knows nothing of how the log works.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ottla_env::sim::Random;
use ottla_judge::Violation;
use ottla_protocol::Uuid;
use ottla_protocol::records::{BatchBuilder, BatchOptions};

/// Longest filling of a record.
const PADDING_MAX: usize = 1200;
/// Most records in a batch.
const RECORDS_MAX: u64 = 6;
/// What Kafka remembers of a producer.
const REMEMBERED: usize = 5;
/// Timestamps lie this far before the clock, in steps, so that many are out of order and many equal.
const TIME_STEPS: u64 = 20;
const TIME_STEP_MS: i64 = 50;

/// A record, by its number: its producer counts from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record(pub(super) u64);

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "record {}", self.0)
    }
}

/// A batch as it was sent.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    pub(super) bytes: Bytes,
    /// Once acknowledged.
    pub(super) base_offset: Option<i64>,
}

/// One life of a topic, from its creation to its deletion, with its one producer.
pub(super) struct Life {
    pub(super) id: Uuid,
    /// Its creation was durable.
    pub(super) created: bool,
    /// Its deletion was tried.
    pub(super) delete_tried: bool,
    /// The log start that was acknowledged, and the furthest that was asked for.
    pub(super) start_acked: i64,
    pub(super) start_tried: i64,
    next_sequence: i32,
    next_number: u64,
    /// Sent and not acknowledged, oldest first.
    pub(super) pending: VecDeque<Batch>,
    /// The newest that were acknowledged.
    pub(super) recent: VecDeque<Batch>,
    pub(super) acknowledged: BTreeMap<i64, Record>,
    pub(super) observed: BTreeMap<i64, Record>,
}

/// A log, read whole.
pub(super) struct Found {
    pub(super) log_start: i64,
    pub(super) high_watermark: i64,
    pub(super) records: Vec<(i64, Record)>,
}

impl Life {
    pub(super) fn new(id: Uuid) -> Life {
        Life {
            id,
            created: false,
            delete_tried: false,
            start_acked: 0,
            start_tried: 0,
            next_sequence: 0,
            next_number: 0,
            pending: VecDeque::new(),
            recent: VecDeque::new(),
            acknowledged: BTreeMap::new(),
            observed: BTreeMap::new(),
        }
    }

    /// Makes the next batch; it waits in `pending` from now on.
    pub(super) fn send(&mut self, now_ms: i64, random: &mut Random) -> Batch {
        let count = random.between(1, RECORDS_MAX);
        let mut builder = BatchBuilder::new(self.batch_options(self.next_sequence));
        let mut records = Vec::new();
        for _ in 0..count {
            let record = Record(self.next_number);
            self.next_number += 1;
            let padding = "x".repeat(random.index(PADDING_MAX));
            let timestamp = now_ms - random.below(TIME_STEPS) as i64 * TIME_STEP_MS;
            builder.push(timestamp, None, Some(format!("{} {padding}", record.0).as_bytes()), &[]);
            records.push(record);
        }
        self.next_sequence += count as i32;
        let batch = Batch { records, bytes: builder.build(), base_offset: None };
        self.pending.push_back(batch.clone());
        batch
    }

    /// A batch that leaves out some sequence numbers: to be refused.
    pub(super) fn with_gap(&self, now_ms: i64) -> Bytes {
        let mut builder = BatchBuilder::new(self.batch_options(self.next_sequence + 7));
        builder.push(now_ms, None, Some(b"999 gap"), &[]);
        builder.build()
    }

    fn batch_options(&self, base_sequence: i32) -> BatchOptions {
        BatchOptions { producer_id: 100, producer_epoch: 0, base_sequence, ..Default::default() }
    }

    /// The oldest pending batch was acknowledged.
    pub(super) fn acknowledge(&mut self, base_offset: i64) {
        let Some(mut batch) = self.pending.pop_front() else { return };
        for (offset, record) in (base_offset..).zip(&batch.records) {
            self.acknowledged.insert(offset, *record);
        }
        batch.base_offset = Some(base_offset);
        self.recent.push_back(batch);
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
    }

    /// A reader was given these; says what contradicts what readers were given before.
    pub(super) fn observe(&mut self, records: &[(i64, Record)]) -> Vec<Violation> {
        let mut wrong = Vec::new();
        for (offset, record) in records {
            if let Some(before) = self.observed.insert(*offset, *record)
                && before != *record
            {
                wrong.push(violation(
                    "observed",
                    format!("offset {offset} was {before}, is {record}"),
                ));
            }
        }
        wrong
    }

    /// Holds a whole log against what was promised.
    pub(super) fn judge(&self, found: &Found) -> Vec<Violation> {
        let mut wrong = Vec::new();
        let mut say = |promise, text| wrong.push(violation(promise, text));
        if found.log_start < self.start_acked || found.log_start > self.start_tried {
            let (acked, tried) = (self.start_acked, self.start_tried);
            say("log_start", format!("{} is not within {acked}..={tried}", found.log_start));
        }
        let mut expected = found.log_start;
        let mut newest = None;
        for (offset, record) in &found.records {
            if *offset != expected {
                say("contiguous", format!("{record} lies at {offset}, not at {expected}"));
            }
            expected = offset + 1;
            match newest {
                Some(number) if number == record.0 => {
                    say("doubled", format!("{record} lies at {} and {offset}", offset - 1));
                }
                Some(number) if number > record.0 => {
                    say("order", format!("{record} at {offset} comes after number {number}"));
                }
                _ => {}
            }
            newest = newest.max(Some(record.0));
        }
        if expected != found.high_watermark {
            let end = found.high_watermark;
            say("contiguous", format!("records end at {expected}, the high watermark is {end}"));
        }
        let by_offset: BTreeMap<i64, Record> = found.records.iter().copied().collect();
        let promises = [("acknowledged", &self.acknowledged), ("observed", &self.observed)];
        for (promise, promised) in promises {
            for (offset, record) in promised.range(found.log_start..) {
                let there = by_offset.get(offset);
                if there != Some(record) {
                    say(promise, format!("{record} was at {offset}, now there is {there:?}"));
                }
            }
        }
        wrong
    }
}

pub(super) fn violation(promise: &'static str, text: String) -> Violation {
    Violation { promise, text }
}
