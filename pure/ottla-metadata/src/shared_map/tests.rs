use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Insert(u16, u8),
    Remove(u16),
    Change(u16, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0u16..600;
    prop_oneof![
        4 => (key.clone(), any::<u8>()).prop_map(|(k, v)| Step::Insert(k, v)),
        2 => key.clone().prop_map(Step::Remove),
        1 => (key, any::<u8>()).prop_map(|(k, v)| Step::Change(k, v)),
    ]
}

proptest! {
    /// Any history leaves what the same history leaves in a BTreeMap, and clones taken on the way
    /// do not move.
    #[test]
    fn behaves_as_a_btree_map(steps in prop::collection::vec(step(), 0..1500)) {
        let mut map = SharedMap::new();
        let mut model = BTreeMap::new();
        let mut kept = None;
        for (index, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(k, v) => assert_eq!(map.insert(k, v), model.insert(k, v)),
                Step::Remove(k) => assert_eq!(map.remove(&k), model.remove(&k)),
                Step::Change(k, v) => {
                    let (ours, theirs) = (map.get_mut(&k), model.get_mut(&k));
                    assert_eq!(ours, theirs);
                    if let (Some(ours), Some(theirs)) = (map.get_mut(&k), model.get_mut(&k)) {
                        (*ours, *theirs) = (v, v);
                    }
                }
            }
            if index == 400 {
                kept = Some((map.clone(), model.clone()));
            }
        }
        for (map, model) in kept.into_iter().chain([(map, model)]) {
            assert_eq!(map.len(), model.len());
            assert!(map.iter().eq(model.iter()));
            assert_eq!(map.last(), model.last_key_value());
            for probe in [0u16, 1, 77, 300, 599, 700] {
                assert_eq!(map.get(&probe), model.get(&probe));
                let from = (Bound::Included(probe), Bound::Unbounded);
                assert!(map.iter_from(Bound::Included(&probe)).eq(model.range(from)));
                let after = (Bound::Excluded(probe), Bound::Unbounded);
                assert!(map.iter_from(Bound::Excluded(&probe)).eq(model.range(after)));
            }
        }
    }
}

#[test]
fn ascending_keys_fill_whole_chunks() {
    let mut map = SharedMap::new();
    for key in 0..10_000 {
        map.insert(key, ());
    }
    assert!(map.chunks.len() <= 10_000 / CHUNK_MAX + 1);
}
