//! An offset never names two records.
//!
//! Sources: KIP-101, KIP-279, KAFKA-6361, KAFKA-7866 (rows 1, 2, 9); Jepsen's "inconsistent
//! offsets". Holds for acknowledgements, consumers and the closing read together.

use crate::case::Case;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    for (at, facts) in &case.places {
        let mut by_offset: Vec<_> = facts.values().into_iter().map(|(v, o)| (o, v)).collect();
        by_offset.sort_unstable();
        for pair in by_offset.windows(2) {
            if let [(o, one), (other_o, other)] = pair
                && o == other_o
            {
                found.add(|| {
                    let (one, other) = (case.text(*one), case.text(*other));
                    format!("{}: offset {o} holds {one} and {other}", case.place(*at))
                });
            }
        }
    }
}
