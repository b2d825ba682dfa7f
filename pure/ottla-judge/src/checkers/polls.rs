//! A consumer's offsets grow by one from record to record, unless it was rebalanced or sought.
//!
//! Source: Jepsen's "nonmonotonic poll" and "poll skip". In a compacted topic they only grow.

use std::collections::BTreeMap;

use crate::case::Case;
use crate::event::What;
use crate::names::Name;
use crate::verdict::Found;

/// Topic id and last offset, by topic and partition.
type Positions = BTreeMap<(Name, i32), (Name, i64)>;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    let mut last: BTreeMap<Name, Positions> = BTreeMap::new();
    for event in &case.events {
        match event.what {
            What::Assign { member, .. } | What::Revoke { member, .. } => {
                last.remove(&event.who);
                last.remove(&member);
            }
            What::Seek { at } => {
                let of_consumer = last.entry(event.who).or_default();
                of_consumer.retain(|(topic, p), _| {
                    at.topic != Name::default() && (at.topic != *topic || at.p >= 0 && at.p != *p)
                });
            }
            What::Read { at, o, v, .. } => {
                let of_consumer = last.entry(event.who).or_default();
                let Some((id, before)) = of_consumer.insert((at.topic, at.p), (at.id, o)) else {
                    continue;
                };
                let skips = o > before + 1 && !case.topic(at.topic).is_compacted;
                if id == at.id && (o <= before || skips) {
                    found.add(|| {
                        let (who, v) = (case.text(event.who), case.text(v));
                        format!("{}: {who} was given {v} at {o} after {before}", case.place(at))
                    });
                }
            }
            _ => {}
        }
    }
}
