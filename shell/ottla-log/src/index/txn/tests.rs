//! What a fetch collects, and the file's bytes.

use super::*;

fn aborted(producer_id: i64, first: i64, last: i64, stable: i64) -> AbortedTransaction {
    AbortedTransaction {
        producer_id,
        first_offset: first,
        last_offset: last,
        last_stable_offset: stable,
    }
}

fn index() -> TxnIndex {
    let mut index = TxnIndex::new();
    for entry in [aborted(1, 0, 10, 2), aborted(2, 2, 20, 21), aborted(3, 25, 30, 31)] {
        index.append(entry);
    }
    index
}

#[test]
fn collects_what_overlaps_and_stops_when_stable() {
    let mut found = Vec::new();
    assert!(index().collect(11, 21, &mut found));
    assert_eq!(found, [aborted(2, 2, 20, 21)]);
    found.clear();
    assert!(!index().collect(0, 100, &mut found));
    assert_eq!(found.len(), 3);
}

#[test]
fn bytes_and_back() {
    let bytes = index().encode();
    assert_eq!(bytes.len(), 3 * 34);
    assert_eq!(TxnIndex::decode_checked(&bytes, 0).unwrap(), index());
    assert!(TxnIndex::decode_checked(&bytes[1..], 0).is_err());
    assert!(TxnIndex::decode_checked(&bytes, 11).is_err());
    let mut cut = index();
    cut.truncate(20);
    assert_eq!(cut.entries().len(), 1);
}
