//! Every acknowledged record is there, at the offset the acknowledgement named.
//!
//! Kafka: acks=all means that the record is not lost as long as one in-sync replica lives; with
//! `ottla.flush=wal` that replica's disk is enough.

use std::collections::BTreeMap;

use crate::history::{Ending, History};

pub(super) fn check(history: &History, ending: &Ending) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, partition) in &history.partitions {
        let end = ending.partitions.get(index);
        let records = end.map(|end| end.records.as_slice()).unwrap_or_default();
        // Of a doubled record the first place counts; `doubled` finds the rest.
        let by_record: BTreeMap<_, _> =
            records.iter().rev().map(|(at, record)| (*record, *at)).collect();
        for batch in &partition.acknowledged {
            for (step, record) in batch.records.iter().enumerate() {
                let promised = batch.base_offset.map(|base| base + step as i64);
                match (by_record.get(record), promised) {
                    (None, _) => wrong.push(format!(
                        "partition {index}: record {record} (offset {promised:?}) is lost; the log ends at {}",
                        end.map_or(0, |end| end.high_watermark)
                    )),
                    (Some(at), Some(promised)) if *at != promised => wrong.push(format!(
                        "partition {index}: record {record} was acknowledged at {promised}, lies at {at}"
                    )),
                    _ => {}
                }
            }
        }
    }
    wrong
}
