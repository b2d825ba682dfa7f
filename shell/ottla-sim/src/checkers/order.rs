//! A producer's records lie in the order they were sent.
//!
//! Kafka: an idempotent producer's batches are appended in the order of their sequence numbers.

use std::collections::BTreeMap;

use crate::history::{Ending, History};

pub(super) fn check(_history: &History, ending: &Ending) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, end) in &ending.partitions {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for (offset, record) in &end.records {
            if let Some(before) = last.insert(record.producer, record.number)
                && record.number < before
            {
                wrong.push(format!(
                    "partition {index}: {record} at {offset} comes after number {before}"
                ));
            }
        }
    }
    wrong
}
