//! What was refused for good is not there.
//!
//! Sources: KAFKA-7866, KAFKA-9666 (rows 9, 14): an error was answered, and the record appended.

use std::collections::BTreeSet;

use crate::case::Case;
use crate::event::What;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    let refused: BTreeSet<_> = case
        .events
        .iter()
        .filter_map(|event| match event.what {
            What::Refused { v, .. } => Some(v),
            _ => None,
        })
        .collect();
    if refused.is_empty() {
        return;
    }
    for (at, facts) in &case.places {
        for (v, o) in facts.values() {
            if refused.contains(&v) {
                let (at, v) = (case.place(*at), case.text(v));
                found.add(|| format!("{at}: {v} was refused and lies at {o}"));
            }
        }
    }
}
