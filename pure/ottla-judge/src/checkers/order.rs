//! In a partition a producer's records lie in the order they were sent.
//!
//! Sources: KIP-98 (sequence numbers), Jepsen's "nonmonotonic send". Only of producers that promise
//! it: idempotent ones, and those with one request under way.

use std::collections::BTreeMap;

use crate::case::Case;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    for (at, facts) in &case.places {
        let mut last = BTreeMap::new();
        for (o, v) in &facts.finals {
            let Some(sender) = case.sender(*v) else { continue };
            let producer = case.producer(sender.who);
            if !producer.is_idempotent && !producer.is_ordered {
                continue;
            }
            if let Some((before, nth)) = last.insert(sender.who, (*v, sender.nth))
                && sender.nth < nth
            {
                found.add(|| {
                    let (v, before) = (case.text(*v), case.text(before));
                    format!("{}: {v} at {o} comes after {before}", case.place(*at))
                });
            }
        }
    }
}
