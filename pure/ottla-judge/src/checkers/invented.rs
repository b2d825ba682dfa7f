//! Nobody is given a record that was not sent, or that was sent to another partition.
//!
//! Sources: KAFKA-19012 (row 27: a buffer used again), bit rot; the reliability promise (6): a
//! corrupt byte is found by its CRC, never served.

use crate::case::Case;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    for (at, facts) in &case.places {
        for (v, o) in facts.values() {
            let sender = case.sender(v);
            if sender.is_some_and(|sender| {
                sender.at.topic == at.topic && (sender.at.p < 0 || sender.at.p == at.p)
            }) {
                continue;
            }
            found.add(|| {
                let (place, v) = (case.place(*at), case.text(v));
                match sender {
                    None => format!("{place}: {v:?} at {o} was sent by nobody"),
                    Some(sender) => {
                        format!("{place}: {v} at {o} was sent to {}", case.place(sender.at))
                    }
                }
            });
        }
    }
}
