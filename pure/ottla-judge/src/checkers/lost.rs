//! Every acknowledged record is there in the end, at the offset the acknowledgement named.
//!
//! Sources: KIP-101, KIP-966, KAFKA-3968, KAFKA-5634, KAFKA-9892, KAFKA-10778 (rows 1, 5, 6, 7, 20
//! of the ways a broker has lost data); Jepsen's "lost write".

use crate::case::Case;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    if !case.is_closed {
        return;
    }
    for (at, facts) in case.living() {
        let mut there: Vec<_> = facts.finals.iter().map(|(o, v)| (*v, *o)).collect();
        there.sort_unstable();
        let end = facts.finals.last().map_or(0, |(o, _)| *o + 1);
        for ack in &facts.acks {
            let first = there.partition_point(|(v, _)| *v < ack.v);
            let place = there.get(first).filter(|(v, _)| *v == ack.v).map(|(_, o)| *o);
            match place {
                Some(o) if ack.o < 0 || o == ack.o => {}
                // Doubled records are another checker's; here one of them must be in its place.
                Some(_) if facts.final_at(ack.o) == Some(ack.v) => {}
                // Its own place was deleted; another copy was not.
                Some(_) if case.may_be_gone(at, facts, ack.o) => {}
                Some(o) => found.add(|| {
                    let (v, at) = (case.text(ack.v), case.place(at));
                    format!("{at}: {v} was acknowledged at {}, lies at {o}", ack.o)
                }),
                None if case.may_be_gone(at, facts, ack.o.max(0)) => {}
                None => found.add(|| {
                    let (v, at) = (case.text(ack.v), case.place(at));
                    format!("{at}: {v}, acknowledged at {}, is lost; the log ends at {end}", ack.o)
                }),
            }
        }
    }
}
