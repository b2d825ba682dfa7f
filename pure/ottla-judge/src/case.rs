//! A history sorted by what the checkers ask for. It draws no conclusions.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Event, Place, UNKNOWN, What};
use crate::history::History;
use crate::names::{Name, Names};

/// Who sent a value, and as which of that producer's values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) who: Name,
    pub(crate) nth: u32,
    /// As the producer named it: without an id, if it gave none.
    pub(crate) at: Place<Name>,
}

/// A value at an offset, told to a question of `since`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) since: u64,
    pub(crate) o: i64,
    pub(crate) v: Name,
}

/// One partition.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// In the order of time.
    pub(crate) acks: Vec<Seen>,
    pub(crate) reads: Vec<Seen>,
    /// By offset, each (offset, value) once.
    pub(crate) finals: Vec<(i64, Name)>,
    /// Where the closing read began and ended, if it said so.
    pub(crate) bounds: Option<(i64, i64)>,
    /// Acknowledged deletions: time, first offset left. Both grow.
    pub(crate) deleted: Vec<(u64, i64)>,
    /// No deletion was tried beyond this.
    pub(crate) delete_tried: i64,
}

/// What a producer promises.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Producer {
    pub(crate) is_idempotent: bool,
    pub(crate) is_ordered: bool,
}

/// A topic, whatever its ids.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Topic {
    /// How many of the last offsets retention must leave, if there is any retention.
    pub(crate) keep: Option<i64>,
    pub(crate) is_compacted: bool,
}

/// Everything that is known.
pub(crate) struct Case<'a> {
    pub(crate) names: &'a Names,
    /// In the order of time; every place has its id.
    pub(crate) events: Vec<Event<Name>>,
    pub(crate) places: BTreeMap<Place<Name>, Facts>,
    /// By value.
    pub(crate) senders: Vec<Option<Sender>>,
    pub(crate) producers: BTreeMap<Name, Producer>,
    pub(crate) topics: BTreeMap<Name, Topic>,
    /// Topic and id of what was deleted, or may have been.
    pub(crate) gone: BTreeSet<(Name, Name)>,
    /// There was a closing read.
    pub(crate) is_closed: bool,
}

impl<'a> Case<'a> {
    pub(crate) fn new(history: &'a History) -> Case<'a> {
        let names = &history.names;
        let mut case = Case {
            names,
            events: Vec::with_capacity(history.events.len()),
            places: BTreeMap::new(),
            senders: vec![None; names.count()],
            producers: BTreeMap::new(),
            topics: BTreeMap::new(),
            gone: BTreeSet::new(),
            is_closed: false,
        };
        let mut ids = BTreeMap::new();
        let mut sent = BTreeMap::new();
        for event in &history.events {
            case.take_in(event, &mut ids, &mut sent);
        }
        for facts in case.places.values_mut() {
            facts.finals.sort_unstable();
            facts.finals.dedup();
        }
        case
    }

    fn take_in(
        &mut self,
        event: &Event<Name>,
        ids: &mut BTreeMap<Name, Name>,
        sent: &mut BTreeMap<Name, u32>,
    ) {
        if let What::Send { at, v } = event.what {
            let nth = sent.entry(event.who).or_default();
            self.senders[v.0 as usize] = Some(Sender { who: event.who, nth: *nth, at });
            *nth += 1;
        }
        if let What::TopicCreated { topic, id } = event.what {
            ids.insert(topic, id);
        }
        let event = Event { what: with_id(event.what, ids), ..*event };
        self.note(&event);
        self.events.push(event);
    }

    fn note(&mut self, event: &Event<Name>) {
        let seen = |o, v, since: u64| Seen { since, o, v };
        match event.what {
            What::Idempotent => {
                self.producers.entry(event.who).or_default().is_idempotent = true;
            }
            What::Ordered => self.producers.entry(event.who).or_default().is_ordered = true,
            What::Ack { at, o, v } => self.facts(at).acks.push(seen(o, v, UNKNOWN)),
            What::Read { at, o, v, since } => self.facts(at).reads.push(seen(o, v, since)),
            What::Final { at, o, v } => {
                self.is_closed = true;
                self.facts(at).finals.push((o, v));
            }
            What::End { at, start, end } => {
                self.is_closed = true;
                self.facts(at).bounds = Some((start, end));
            }
            What::TryDelete { at, o } => {
                let facts = self.facts(at);
                facts.delete_tried = facts.delete_tried.max(o);
            }
            What::Deleted { at, o } => {
                let facts = self.facts(at);
                facts.delete_tried = facts.delete_tried.max(o);
                let before = facts.deleted.last().map_or(0, |(_, o)| *o);
                facts.deleted.push((event.t, o.max(before)));
            }
            What::TryDeleteTopic { topic, id } | What::TopicDeleted { topic, id } => {
                self.gone.insert((topic, id));
            }
            What::Retention { topic, keep } => {
                let topic = self.topics.entry(topic).or_default();
                topic.keep = Some(topic.keep.map_or(keep, |before| before.min(keep)));
            }
            What::Compacted { topic } => self.topics.entry(topic).or_default().is_compacted = true,
            _ => {}
        }
    }

    fn facts(&mut self, at: Place<Name>) -> &mut Facts {
        self.places.entry(at).or_default()
    }

    pub(crate) fn sender(&self, v: Name) -> Option<Sender> {
        self.senders.get(v.0 as usize).copied().flatten()
    }

    pub(crate) fn producer(&self, who: Name) -> Producer {
        self.producers.get(&who).copied().unwrap_or_default()
    }

    pub(crate) fn topic(&self, topic: Name) -> Topic {
        self.topics.get(&topic).copied().unwrap_or_default()
    }

    pub(crate) fn text(&self, name: Name) -> &str {
        self.names.text(name)
    }

    /// Where, for a person.
    pub(crate) fn place(&self, at: Place<Name>) -> String {
        let topic = self.text(at.topic);
        match self.text(at.id) {
            "" => format!("{topic}-{}", at.p),
            id => format!("{topic}-{} ({id})", at.p),
        }
    }

    /// Partitions of topics that were not deleted.
    pub(crate) fn living(&self) -> impl Iterator<Item = (Place<Name>, &Facts)> {
        let lives = |at: &Place<Name>| !self.gone.contains(&(at.topic, at.id));
        self.places.iter().map(|(at, facts)| (*at, facts)).filter(move |(at, _)| lives(at))
    }

    /// Whether the record of an offset may be gone by now.
    pub(crate) fn may_be_gone(&self, at: Place<Name>, facts: &Facts, o: i64) -> bool {
        if o < facts.delete_tried {
            return true;
        }
        let Some(keep) = self.topic(at.topic).keep else { return false };
        let (first, last) = (facts.finals.first(), facts.finals.last());
        let start = facts.bounds.map_or(first.map_or(i64::MAX, |(o, _)| *o), |(start, _)| start);
        let end = facts.bounds.map_or(last.map_or(i64::MAX, |(o, _)| *o + 1), |(_, end)| end);
        o < start && o < end.saturating_sub(keep)
    }
}

impl Facts {
    /// What the closing read found at an offset.
    pub(crate) fn final_at(&self, o: i64) -> Option<Name> {
        let at = self.finals.partition_point(|(other, _)| *other < o);
        self.finals.get(at).filter(|(other, _)| *other == o).map(|(_, v)| *v)
    }

    /// Every offset a value was seen or promised at: (value, offset), each once.
    pub(crate) fn values(&self) -> Vec<(Name, i64)> {
        let acks = self.acks.iter().filter(|seen| seen.o >= 0).map(|seen| (seen.v, seen.o));
        let reads = self.reads.iter().map(|seen| (seen.v, seen.o));
        let finals = self.finals.iter().map(|(o, v)| (*v, *o));
        let mut values: Vec<_> = acks.chain(reads).chain(finals).collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// The event with the id that a topic's name stands for at this time.
fn with_id(what: What<Name>, ids: &BTreeMap<Name, Name>) -> What<Name> {
    let none = Name::default();
    let named = |mut at: Place<Name>| {
        if at.id == none {
            at.id = ids.get(&at.topic).copied().unwrap_or(none);
        }
        at
    };
    match what {
        What::Send { at, v } => What::Send { at: named(at), v },
        What::Ack { at, o, v } => What::Ack { at: named(at), o, v },
        What::Fail { at, v } => What::Fail { at: named(at), v },
        What::Refused { at, v } => What::Refused { at: named(at), v },
        What::Read { at, o, v, since } => What::Read { at: named(at), o, v, since },
        What::Final { at, o, v } => What::Final { at: named(at), o, v },
        What::End { at, start, end } => What::End { at: named(at), start, end },
        What::TryDelete { at, o } => What::TryDelete { at: named(at), o },
        What::Deleted { at, o } => What::Deleted { at: named(at), o },
        What::TryDeleteTopic { topic, id } => {
            let id = named(Place { topic, id, p: -1 }).id;
            What::TryDeleteTopic { topic, id }
        }
        What::TopicDeleted { topic, id } => {
            What::TopicDeleted { topic, id: named(Place { topic, id, p: -1 }).id }
        }
        other => other,
    }
}
