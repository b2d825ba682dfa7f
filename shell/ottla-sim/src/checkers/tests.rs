//! Each checker finds what it is for, and finds nothing in a good run.

use super::*;
use crate::history::{Acknowledged, PartitionEnd, Written};

fn record(number: u64) -> Written {
    Written { producer: 1, number }
}

/// Records 0, 1 and 2 at their offsets, acknowledged, observed, offset 2 committed.
fn good() -> (History, Ending) {
    let mut history = History::default();
    let partition = history.partition(0);
    let records: Vec<Written> = (0..3).map(record).collect();
    partition.acknowledged.push(Acknowledged { base_offset: Some(0), records });
    partition.observe(1, record(1));
    (partition.committed, partition.commit_tried) = (Some(2), Some(3));
    let mut ending = Ending::default();
    let end = PartitionEnd {
        records: (0..3).map(|at| (at as i64, record(at))).collect(),
        log_start: 0,
        high_watermark: 3,
        committed: Some(2),
    };
    ending.partitions.insert(0, end);
    (history, ending)
}

fn promises_broken(change: impl FnOnce(&mut History, &mut PartitionEnd)) -> Vec<&'static str> {
    let (mut history, mut ending) = good();
    change(&mut history, ending.partitions.get_mut(&0).unwrap());
    let mut broken: Vec<_> = check(&history, &ending).into_iter().map(|v| v.promise).collect();
    broken.dedup();
    broken
}

#[test]
fn a_good_run_has_no_violations() {
    assert!(promises_broken(|_, _| {}).is_empty());
}

#[test]
fn each_checker_finds_its_own() {
    let lost = promises_broken(|_, end| {
        end.records.pop();
        end.high_watermark = 2;
    });
    assert_eq!(lost, ["acknowledged"]);
    let moved = promises_broken(|history, _| history.partition(0).observe(0, record(9)));
    assert_eq!(moved, ["observed"]);
    let changed = promises_broken(|history, _| {
        history.partition(0).observe(1, record(9));
        history.partition(0).observe(1, record(1));
    });
    assert_eq!(changed, ["observed"]);
    let swapped = promises_broken(|history, end| {
        *history = History::default();
        end.committed = None;
        end.records.swap(0, 1);
        (end.records[0].0, end.records[1].0) = (0, 1);
    });
    assert_eq!(swapped, ["order"]);
    let doubled = promises_broken(|_, end| {
        end.records.push((3, record(2)));
        end.high_watermark = 4;
    });
    assert_eq!(doubled, ["doubled"]);
    assert_eq!(promises_broken(|_, end| end.high_watermark = 4), ["contiguous"]);
    assert_eq!(promises_broken(|_, end| end.committed = Some(1)), ["committed"]);
    assert_eq!(promises_broken(|_, end| end.committed = Some(4)), ["committed"]);
    assert_eq!(promises_broken(|history, _| history.surprises.push("!".into())), ["surprises"]);
}

#[test]
fn values_read_back() {
    let text = format!("{} padding", record(77));
    assert_eq!(Written::parse(text.as_bytes()), Some(record(77)));
    assert_eq!(Written::parse(b"nonsense"), None);
}
