//! What clients did and were told, and what was there in the end. It judges nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// A partition of the one topic.
pub type PartitionIndex = i32;

/// A record as its producer made it: no two are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Written {
    /// Which producer.
    pub producer: u32,
    /// Counts that producer's records from 0.
    pub number: u64,
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.producer, self.number)
    }
}

impl Written {
    /// Reads what `Display` wrote, and whatever padding follows a space.
    pub fn parse(value: &[u8]) -> Option<Written> {
        let text = std::str::from_utf8(value).ok()?;
        let (producer, number) = text.split(' ').next()?.split_once(':')?;
        Some(Written { producer: producer.parse().ok()?, number: number.parse().ok()? })
    }
}

/// A batch the broker said it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Where the first record lies, if the broker said.
    pub base_offset: Option<i64>,
    /// The records, in order.
    pub records: Vec<Written>,
}

/// What is known of one partition.
#[derive(Debug, Clone, Default)]
pub struct PartitionHistory {
    /// In the order of the answers.
    pub acknowledged: Vec<Acknowledged>,
    /// What a consumer was given, while the broker lived, by offset.
    pub observed: BTreeMap<i64, Written>,
    /// A consumer saw two records at one offset.
    pub changed: Vec<String>,
    /// The highest offset whose commit was acknowledged.
    pub committed: Option<i64>,
    /// The highest offset whose commit was tried.
    pub commit_tried: Option<i64>,
}

/// What clients did and were told.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// By partition.
    pub partitions: BTreeMap<PartitionIndex, PartitionHistory>,
    /// Answers that no working broker gives.
    pub surprises: Vec<String>,
    /// Power cuts so far.
    pub cuts: u32,
    /// Killed processes so far.
    pub kills: u32,
}

/// One partition, read back at last.
#[derive(Debug, Clone, Default)]
pub struct PartitionEnd {
    /// Every record, in the order it was served.
    pub records: Vec<(i64, Written)>,
    /// The first offset there is.
    pub log_start: i64,
    /// The first offset that is not served.
    pub high_watermark: i64,
    /// The group's committed offset.
    pub committed: Option<i64>,
}

/// What was there in the end.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// By partition.
    pub partitions: BTreeMap<PartitionIndex, PartitionEnd>,
}

/// The history while it is being made; locked for moments only.
pub type SharedHistory = Arc<Mutex<History>>;

impl History {
    /// A partition's history, begun if there is none.
    pub fn partition(&mut self, index: PartitionIndex) -> &mut PartitionHistory {
        self.partitions.entry(index).or_default()
    }

    /// How many records were acknowledged.
    pub fn acknowledged_count(&self) -> usize {
        let batches = self.partitions.values().flat_map(|partition| &partition.acknowledged);
        batches.map(|batch| batch.records.len()).sum()
    }

    /// How many records consumers were given.
    pub fn observed_count(&self) -> usize {
        self.partitions.values().map(|partition| partition.observed.len()).sum()
    }
}

impl PartitionHistory {
    /// A consumer was given this.
    pub fn observe(&mut self, offset: i64, record: Written) {
        match self.observed.insert(offset, record) {
            Some(before) if before != record => {
                self.changed.push(format!("offset {offset} was {before}, then {record}"));
            }
            _ => {}
        }
    }
}
