//! Deleted records stay deleted.
//!
//! Source: a trim by DeleteRecords that was forgotten by a restart (KIP-107's low watermark). Only
//! answers to questions asked after the deletion's acknowledgement count.

use crate::case::Case;
use crate::event::UNKNOWN;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    for (at, facts) in &case.places {
        let Some((_, start)) = facts.deleted.last() else { continue };
        for (o, v) in facts.finals.iter().take_while(|(o, _)| o < start) {
            let (at, v) = (case.place(*at), case.text(*v));
            found.add(|| format!("{at}: {v} at {o} is there, deleted up to {start}"));
        }
        if let Some((first, _)) = facts.bounds
            && first < *start
        {
            let at = case.place(*at);
            found.add(|| format!("{at}: begins at {first}, deleted up to {start}"));
        }
        for read in facts.reads.iter().filter(|read| read.since != UNKNOWN) {
            let before = facts.deleted.partition_point(|(t, _)| *t < read.since);
            let start = before.checked_sub(1).map_or(0, |last| facts.deleted[last].1);
            if read.o < start {
                let (at, v, o) = (case.place(*at), case.text(read.v), read.o);
                found.add(|| format!("{at}: {v} at {o} was served, deleted up to {start}"));
            }
        }
    }
}
