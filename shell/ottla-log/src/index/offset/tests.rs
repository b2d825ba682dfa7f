//! Lookups in memory and in the file against a scan; damaged files.

use proptest::prelude::*;

use super::*;

fn index() -> impl Strategy<Value = OffsetIndex> {
    prop::collection::vec((1..40i64, 1..9000u64), 0..2000).prop_map(|steps| {
        let mut index = OffsetIndex::new(1000);
        let (mut offset, mut position) = (999, 0);
        for (more, bytes) in steps {
            offset += more;
            position += bytes;
            index.append(offset, position);
        }
        index
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn lookup_equals_scan(index in index(), back in 0..50_000i64) {
        let bytes = index.encode();
        let offset = 1000 + back;
        let scan = index.entries.iter().rfind(|e| 1000 + i64::from(e.0) <= offset);
        let expected = scan.map_or(OffsetEntry { offset: 1000, position: 0 }, |e| OffsetEntry {
            offset: 1000 + i64::from(e.0),
            position: e.1,
        });
        prop_assert_eq!(index.lookup(offset), expected);
        prop_assert_eq!(OffsetIndex::lookup_in(&bytes[..], 1000, offset).unwrap(), expected);
        prop_assert_eq!(OffsetIndex::decode_checked(&bytes, 1000, u64::MAX).unwrap(), index);
    }

    #[test]
    fn any_bytes_are_refused_or_in_order(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(index) = OffsetIndex::decode_checked(&bytes, 0, 1 << 40) {
            prop_assert!(index.entries.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}

#[test]
fn zeroes_after_a_crash_are_left_off() {
    let mut index = OffsetIndex::new(7);
    index.append(9, 4100);
    let mut bytes = index.encode();
    assert_eq!(bytes, [0, 0, 0, 2, 0, 0, 16, 4]);
    bytes.extend_from_slice(&[0; 64]);
    assert_eq!(OffsetIndex::decode_checked(&bytes, 7, 8000).unwrap(), index);
    assert!(OffsetIndex::decode_checked(&bytes, 7, 4100).is_err());
    assert!(OffsetIndex::decode_checked(&bytes[..9], 7, 8000).is_err());
}
