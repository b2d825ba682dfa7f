//! Tests of `edit_distance`.

use proptest::prelude::*;

use super::{distance, nearest};

#[test]
fn slips_cost_one() {
    for slip in ["num.partition", "num.partitionss", "num.partitoins", "num_partitions"] {
        assert_eq!(distance(slip, "num.partitions"), 1, "{slip}");
    }
    assert_eq!(distance("", "abc"), 3);
}

#[test]
fn only_a_near_name_is_offered() {
    let names = ["log.dir", "log.dirs", "listeners"];
    assert_eq!(nearest("log.dis", names.into_iter()), Some("log.dir"));
    assert_eq!(nearest("listener", names.into_iter()), Some("listeners"));
    assert_eq!(nearest("advertised", names.into_iter()), None);
}

proptest! {
    #[test]
    fn distance_is_symmetric_and_bounded(a in "[a-c.]{0,8}", b in "[a-c.]{0,8}") {
        prop_assert_eq!(distance(&a, &b), distance(&b, &a));
        prop_assert!(distance(&a, &b) <= a.len().max(b.len()));
        prop_assert_eq!(distance(&a, &b) == 0, a == b);
    }
}
