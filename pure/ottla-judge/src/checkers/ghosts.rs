//! No record of a deleted topic under the id of a new one of the same name.
//!
//! Sources: KAFKA-12257, KAFKA-19154, KAFKA-19383 (row 24).

use std::collections::BTreeMap;

use crate::case::Case;
use crate::names::Name;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    let none = Name::default();
    // The id each value belongs to: the one it was sent to, or else, if that topic was deleted
    // later, the one that acknowledged it.
    let mut homes: BTreeMap<Name, Name> = BTreeMap::new();
    for (at, facts) in &case.places {
        if case.gone.contains(&(at.topic, at.id)) {
            homes.extend(facts.acks.iter().map(|ack| (ack.v, at.id)));
        }
    }
    for (at, facts) in &case.places {
        let finals = facts.finals.iter().map(|(o, v)| (*o, *v, true));
        let reads = facts.reads.iter().map(|read| (read.o, read.v, false));
        for (o, v, is_final) in finals.chain(reads) {
            let sent_to = case.sender(v).map(|sender| sender.at.id).filter(|id| *id != none);
            // A consumer that named no id may have been answered before the deletion.
            let home = sent_to.or_else(|| homes.get(&v).copied().filter(|_| is_final));
            if home.is_some_and(|home| home != at.id) {
                found.add(|| {
                    let (place, v) = (case.place(*at), case.text(v));
                    let home = home.map_or("", |home| case.text(home));
                    format!("{place}: {v} at {o} belongs to the topic's former id {home}")
                });
            }
        }
    }
}
