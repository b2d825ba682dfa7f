//! Offsets begin at the log start, end at the high watermark and have no gap.
//!
//! Kafka: only compaction and transactions leave gaps, and neither runs here.

use crate::history::{Ending, History};

pub(super) fn check(_history: &History, ending: &Ending) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, end) in &ending.partitions {
        let mut expected = end.log_start;
        for (offset, record) in &end.records {
            if *offset != expected {
                wrong.push(format!(
                    "partition {index}: {record} lies at {offset}, not at {expected}"
                ));
            }
            expected = offset + 1;
        }
        if expected != end.high_watermark {
            wrong.push(format!(
                "partition {index}: records end at {expected}, the high watermark is {}",
                end.high_watermark
            ));
        }
    }
    wrong
}
