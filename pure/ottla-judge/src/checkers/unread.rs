//! What a consumer was given is there in the end.
//!
//! Sources: KAFKA-9835, KAFKA-14704 (rows 4, 8): served before it was committed, and gone after the
//! next failure.

use crate::case::Case;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    if !case.is_closed {
        return;
    }
    for (at, facts) in case.living() {
        let mut reads: Vec<_> = facts.reads.iter().map(|read| (read.o, read.v)).collect();
        reads.sort_unstable();
        reads.dedup();
        for (o, v) in reads {
            // Another value there is `one_value`'s to tell.
            if facts.final_at(o).is_none() && !case.may_be_gone(at, facts, o) {
                let (at, v) = (case.place(at), case.text(v));
                found.add(|| format!("{at}: a consumer was given {v} at {o}, now it is not there"));
            }
        }
    }
}
