//! What an idempotent producer sent lies in the log once, however often it was sent.
//!
//! Sources: KIP-98, KAFKA-6683, KAFKA-9144 (rows 10, 15); a broker that remembered one batch of the
//! five in flight.

use crate::case::Case;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    let mut all = Vec::new();
    for (at, facts) in &case.places {
        let values = facts.values().into_iter().filter(|(v, _)| {
            case.sender(*v).is_some_and(|sender| case.producer(sender.who).is_idempotent)
        });
        all.extend(values.map(|(v, o)| (v, at.topic, at.id, at.p, o)));
    }
    all.sort_unstable();
    for pair in all.windows(2) {
        if let [(v, topic, id, p, o), (other, other_topic, other_id, other_p, other_o)] = pair
            && (v, topic, id) == (other, other_topic, other_id)
        {
            found.add(|| {
                let (v, topic) = (case.text(*v), case.text(*topic));
                format!("{v} lies at {o} of {topic}-{p} and at {other_o} of {topic}-{other_p}")
            });
        }
    }
}
