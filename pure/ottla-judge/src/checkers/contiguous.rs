//! Offsets have no gap, from where the closing read began to where it ended.
//!
//! Source: only compaction and transactions leave gaps in Kafka; a fetch cut by its size once
//! jumped to the next segment.

use crate::case::Case;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    for (at, facts) in case.living() {
        if case.topic(at.topic).is_compacted {
            continue;
        }
        let first = facts.finals.first().map(|(o, _)| *o);
        let Some(mut expected) = facts.bounds.map(|(start, _)| start).or(first) else { continue };
        for (o, v) in &facts.finals {
            if *o > expected {
                found.add(|| {
                    let (at, v) = (case.place(at), case.text(*v));
                    format!("{at}: nothing from {expected} on, then {v} at {o}")
                });
            }
            if *o < expected - 1 {
                let (at, v) = (case.place(at), case.text(*v));
                found.add(|| format!("{at}: {v} at {o}, before the log's start"));
            }
            expected = expected.max(o + 1);
        }
        if let Some((_, end)) = facts.bounds
            && expected != end
        {
            let at = case.place(at);
            found.add(|| format!("{at}: records end at {expected}, the log at {end}"));
        }
    }
}
