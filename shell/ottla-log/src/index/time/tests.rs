//! Lookups in memory and in the file against a scan; damaged files.

use proptest::prelude::*;

use super::*;

fn index() -> impl Strategy<Value = TimeIndex> {
    prop::collection::vec((-5..40i64, 1..50i64), 0..2000).prop_map(|steps| {
        let mut index = TimeIndex::new(1000);
        let (mut timestamp, mut offset) = (0, 999);
        for (later, more) in steps {
            timestamp += later;
            offset += more;
            index.append(timestamp, offset);
        }
        index
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn lookup_equals_scan(index in index(), timestamp in -2..40_000i64) {
        let bytes = index.encode();
        let scan = index.entries.iter().rfind(|e| e.0 <= timestamp);
        let expected = scan.map_or(TimeEntry { timestamp: -1, offset: 1000 }, |e| TimeEntry {
            timestamp: e.0,
            offset: 1000 + i64::from(e.1),
        });
        prop_assert_eq!(index.lookup(timestamp), expected);
        prop_assert_eq!(TimeIndex::lookup_in(&bytes[..], 1000, timestamp).unwrap(), expected);
        prop_assert_eq!(TimeIndex::decode_checked(&bytes, 1000, i64::MAX).unwrap(), index);
    }

    #[test]
    fn any_bytes_are_refused_or_in_order(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(index) = TimeIndex::decode_checked(&bytes, 0, 1 << 40) {
            prop_assert!(index.entries.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}

#[test]
fn an_entry_outside_the_segment_is_refused() {
    let mut index = TimeIndex::new(7);
    index.append(5, 9);
    index.append(5, 10);
    index.append(4, 11);
    let bytes = index.encode();
    assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2]);
    assert!(TimeIndex::decode_checked(&bytes, 7, 10).is_ok());
    assert!(TimeIndex::decode_checked(&bytes, 7, 9).is_err());
}
