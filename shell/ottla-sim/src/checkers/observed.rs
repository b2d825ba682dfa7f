//! What a consumer was given once stays: the same record at the same offset.
//!
//! Kafka: nothing above the high watermark is served, and the high watermark never goes back.

use std::collections::BTreeMap;

use crate::history::{Ending, History};

pub(super) fn check(history: &History, ending: &Ending) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, partition) in &history.partitions {
        for change in &partition.changed {
            wrong.push(format!("partition {index}: {change}"));
        }
        let end = ending.partitions.get(index);
        let records = end.map(|end| end.records.as_slice()).unwrap_or_default();
        let by_offset: BTreeMap<_, _> = records.iter().copied().collect();
        for (offset, record) in &partition.observed {
            match by_offset.get(offset) {
                Some(found) if found == record => {}
                found => wrong.push(format!(
                    "partition {index}: a consumer was given {record} at {offset}, now there is {found:?}"
                )),
            }
        }
    }
    wrong
}
