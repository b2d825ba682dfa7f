//! No record lies in the log twice, however often it was sent.
//!
//! Kafka: idempotence (KIP-98), across restarts of the broker, too.

use std::collections::BTreeMap;

use crate::history::{Ending, History};

pub(super) fn check(_history: &History, ending: &Ending) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, end) in &ending.partitions {
        let mut seen = BTreeMap::new();
        for (offset, record) in &end.records {
            if let Some(first) = seen.insert(*record, *offset) {
                wrong.push(format!("partition {index}: {record} lies at {first} and {offset}"));
            }
        }
    }
    wrong
}
