//! A group's committed offset is the last that was committed: it does not go back.
//!
//! Sources: KIP-211, KAFKA-4682, KAFKA-15784, KAFKA-19862 (rows 16, 23). A commit that was tried
//! and not answered may count from then on, or not.

use std::collections::BTreeMap;

use crate::case::Case;
use crate::event::{Event, Place, UNKNOWN, What};
use crate::names::Name;
use crate::verdict::Found;

/// Answered commits that are kept although a later one replaced them, for answers that were long
/// under way.
const REPLACED_MAX: usize = 1000;
/// What is told where nothing is committed.
const NOTHING: i64 = -1;

#[derive(Default)]
struct Committed {
    /// Tried and not answered yet: offset, client, time.
    tried: Vec<(i64, Name, u64)>,
    /// Answered: offset, time, when one that began later was answered.
    answered: Vec<(i64, u64, Option<u64>)>,
    /// Commits are written down before they are tried.
    tells_tries: bool,
}

type Key = (Name, Name, i32);

pub(super) fn check(case: &Case<'_>, found: &mut Found) {
    let mut offsets: BTreeMap<Key, Committed> = BTreeMap::new();
    for event in &case.events {
        match event.what {
            What::TryCommit { group, at, o } => {
                let committed = offsets.entry(key(group, at)).or_default();
                committed.tells_tries = true;
                committed.tried.push((o, event.who, event.t));
            }
            What::Commit { group, at, o } => {
                offsets.entry(key(group, at)).or_default().commit(o, event);
            }
            What::Committed { group, at, o, since } => {
                let Some(committed) = offsets.get(&key(group, at)) else {
                    if o >= 0 {
                        found.add(|| said(case, group, at, o, "nobody committed it"));
                    }
                    continue;
                };
                let since = if since == UNKNOWN { event.t } else { since };
                if let Some(reason) = committed.objection(o, since) {
                    found.add(|| said(case, group, at, o, &reason));
                }
            }
            What::Forget { group } => offsets.retain(|(other, ..), _| *other != group),
            What::TryDeleteTopic { topic, .. } | What::TopicDeleted { topic, .. } => {
                offsets.retain(|(_, other, _), _| *other != topic);
            }
            _ => {}
        }
    }
}

impl Committed {
    fn commit(&mut self, o: i64, event: &Event<Name>) {
        let tried = self.tried.iter().position(|(other, who, _)| (*other, *who) == (o, event.who));
        let began = tried.map_or(event.t, |at| self.tried.remove(at).2);
        for (_, answered, replaced) in &mut self.answered {
            if *answered < began || !self.tells_tries {
                replaced.get_or_insert(event.t);
            }
        }
        if self.answered.is_empty() {
            // Until now nothing was committed; who asked before may be told so.
            self.answered.push((NOTHING, 0, Some(event.t)));
        }
        let surplus = self.answered.len().saturating_sub(REPLACED_MAX);
        self.answered.drain(..surplus);
        self.answered.push((o, event.t, None));
    }

    /// What speaks against this answer to a question asked at `since`.
    fn objection(&self, o: i64, since: u64) -> Option<String> {
        let valid = |replaced: &Option<u64>| replaced.is_none_or(|at| at >= since);
        let mut answered = self.answered.iter().filter(|(_, _, replaced)| valid(replaced));
        if answered.clone().any(|(other, ..)| *other == o) {
            return None;
        }
        if self.tried.iter().any(|(other, ..)| *other == o) {
            return None;
        }
        let least = answered.clone().map(|(o, ..)| *o).min();
        if !self.tells_tries {
            // Only what goes back is wrong for sure.
            return least.filter(|least| o < *least).map(|least| format!("{least} was committed"));
        }
        match answered.next_back() {
            None if o < 0 => None,
            None => Some("nobody committed it".to_owned()),
            Some((last, ..)) => Some(format!("{last} was committed last")),
        }
    }
}

fn key(group: Name, at: Place<Name>) -> Key {
    (group, at.topic, at.p)
}

fn said(case: &Case<'_>, group: Name, at: Place<Name>, o: i64, reason: &str) -> String {
    let (group, topic, p) = (case.text(group), case.text(at.topic), at.p);
    format!("{group} at {topic}-{p}: {o} was said to be committed; {reason}")
}
