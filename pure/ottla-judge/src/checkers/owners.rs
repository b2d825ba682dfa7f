//! In one generation of a group a partition has one owner.
//!
//! Sources: the classic group protocol (each generation's assignment is one leader's), KAFKA-14422
//! (row 25).

use std::collections::BTreeMap;

use crate::case::Case;
use crate::event::What;
use crate::verdict::Found;

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    let mut owners = BTreeMap::new();
    for event in &case.events {
        match event.what {
            What::Assign { group, member, generation, at } => {
                let key = (group, generation, at.topic, at.p);
                let owner = *owners.entry(key).or_insert(member);
                if owner != member {
                    found.add(|| {
                        let place = case.place(at);
                        let (one, other) = (case.text(owner), case.text(member));
                        format!("{place}: {one} and {other} own it in generation {generation}")
                    });
                }
            }
            // A group that was deleted counts its generations from the beginning.
            What::Forget { group } => owners.retain(|(other, ..), _| *other != group),
            _ => {}
        }
    }
}
