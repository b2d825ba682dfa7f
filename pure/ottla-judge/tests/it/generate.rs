//! Right histories: a model of one broker, and clients that are told the truth about it.

use ottla_judge::{Event, History, Place, What};

/// An event with texts of its own.
pub(crate) type Owned = Event<String>;

/// Chance from a seed (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

#[derive(Default, Clone)]
struct Log {
    values: Vec<String>,
    start: usize,
}

struct Broker {
    dice: Dice,
    events: Vec<Owned>,
    /// The present id of the one topic.
    id: usize,
    logs: Vec<Log>,
    sent: [usize; PRODUCERS],
    /// Each consumer's position, by partition.
    positions: Vec<Vec<usize>>,
    committed: Vec<i64>,
    generation: i64,
}

const PRODUCERS: usize = 4;
const PARTITIONS: usize = 2;
const CONSUMERS: usize = 2;
const GROUP: &str = "g";

/// A history in which every promise is kept.
pub(crate) fn right(seed: u64, steps: usize) -> Vec<Owned> {
    let mut broker = Broker {
        dice: Dice::new(seed),
        events: Vec::new(),
        id: 0,
        logs: vec![Log::default(); PARTITIONS],
        sent: [0; PRODUCERS],
        positions: vec![vec![0; PARTITIONS]; CONSUMERS],
        committed: vec![-1; PARTITIONS],
        generation: 0,
    };
    broker.begin();
    for _ in 0..steps {
        match broker.dice.below(100) {
            0..50 => broker.produce(),
            50..80 => broker.consume(),
            80..88 => broker.commit(),
            88..92 => broker.ask_committed(),
            92..95 => broker.rebalance(),
            95..98 => broker.delete_records(),
            98 => broker.recreate(),
            _ => broker.seek(),
        }
    }
    broker.close();
    broker.events
}

/// The events as a history.
pub(crate) fn history(events: &[Owned]) -> History {
    let mut history = History::default();
    for event in events {
        let what = borrowed(&event.what);
        history.push(&Event { t: event.t, who: &event.who, what });
    }
    history
}

/// The same with texts of another.
pub(crate) fn borrowed(what: &What<String>) -> What<&str> {
    match what {
        What::Idempotent => What::Idempotent,
        What::Ordered => What::Ordered,
        What::Send { at, v } => What::Send { at: place(at), v },
        What::Ack { at, o, v } => What::Ack { at: place(at), o: *o, v },
        What::Fail { at, v } => What::Fail { at: place(at), v },
        What::Refused { at, v } => What::Refused { at: place(at), v },
        What::Read { at, o, v, since } => What::Read { at: place(at), o: *o, v, since: *since },
        What::Seek { at } => What::Seek { at: place(at) },
        What::Final { at, o, v } => What::Final { at: place(at), o: *o, v },
        What::End { at, start, end } => What::End { at: place(at), start: *start, end: *end },
        What::TryCommit { group, at, o } => What::TryCommit { group, at: place(at), o: *o },
        What::Commit { group, at, o } => What::Commit { group, at: place(at), o: *o },
        What::Committed { group, at, o, since } => {
            What::Committed { group, at: place(at), o: *o, since: *since }
        }
        What::Forget { group } => What::Forget { group },
        What::Assign { group, member, generation, at } => {
            What::Assign { group, member, generation: *generation, at: place(at) }
        }
        What::Revoke { group, member, generation, at } => {
            What::Revoke { group, member, generation: *generation, at: place(at) }
        }
        What::TryDelete { at, o } => What::TryDelete { at: place(at), o: *o },
        What::Deleted { at, o } => What::Deleted { at: place(at), o: *o },
        What::TopicCreated { topic, id } => What::TopicCreated { topic, id },
        What::TryDeleteTopic { topic, id } => What::TryDeleteTopic { topic, id },
        What::TopicDeleted { topic, id } => What::TopicDeleted { topic, id },
        What::Retention { topic, keep } => What::Retention { topic, keep: *keep },
        What::Compacted { topic } => What::Compacted { topic },
        What::Wrong { text } => What::Wrong { text },
    }
}

fn place(at: &Place<String>) -> Place<&str> {
    Place { topic: &at.topic, id: &at.id, p: at.p }
}

impl Broker {
    fn tell(&mut self, who: &str, what: What<&str>) {
        let t = self.events.len() as u64 + 1;
        let what = what.map(str::to_owned);
        self.events.push(Event { t, who: who.to_owned(), what });
    }

    fn at(&self, p: usize) -> Place<String> {
        Place { topic: "t".to_owned(), id: format!("id{}", self.id), p: p as i32 }
    }

    fn begin(&mut self) {
        for producer in 0..PRODUCERS {
            // Two are idempotent, one keeps the order, one promises nothing.
            let what = [What::Idempotent, What::Idempotent, What::Ordered];
            if let Some(what) = what.get(producer) {
                self.tell(&format!("p{producer}"), *what);
            }
        }
        self.tell("admin", What::TopicCreated { topic: "t", id: "id0" });
        self.rebalance();
    }

    fn produce(&mut self) {
        let producer = self.dice.below(PRODUCERS);
        let who = format!("p{producer}");
        let v = format!("{who}:{}", self.sent[producer]);
        self.sent[producer] += 1;
        let p = self.dice.below(PARTITIONS);
        let at = self.at(p);
        self.tell(&who, What::Send { at: place(&at), v: &v });
        let o = self.logs[p].values.len() as i64;
        match self.dice.below(10) {
            0 => self.tell(&who, What::Refused { at: place(&at), v: &v }),
            1 => self.tell(&who, What::Fail { at: place(&at), v: &v }),
            2 => {
                self.logs[p].values.push(v.clone());
                self.tell(&who, What::Fail { at: place(&at), v: &v });
            }
            3 => {
                self.logs[p].values.push(v.clone());
                self.tell(&who, What::Ack { at: place(&at), o: -1, v: &v });
            }
            4 if producer == PRODUCERS - 1 => {
                // It may double: it promised nothing.
                self.logs[p].values.extend([v.clone(), v.clone()]);
                self.tell(&who, What::Ack { at: place(&at), o, v: &v });
            }
            _ => {
                self.logs[p].values.push(v.clone());
                self.tell(&who, What::Ack { at: place(&at), o, v: &v });
            }
        }
    }

    fn consume(&mut self) {
        let (consumer, p) = (self.dice.below(CONSUMERS), self.dice.below(PARTITIONS));
        let who = format!("c{consumer}");
        let position = self.positions[consumer][p];
        if position < self.logs[p].start {
            self.positions[consumer][p] = self.logs[p].start;
            let at = self.at(p);
            return self.tell(&who, What::Seek { at: place(&at) });
        }
        let Some(v) = self.logs[p].values.get(position).cloned() else { return };
        self.positions[consumer][p] += 1;
        let (at, since) = (self.at(p), self.events.len() as u64);
        self.tell(&who, What::Read { at: place(&at), o: position as i64, v: &v, since });
    }

    fn seek(&mut self) {
        let consumer = self.dice.below(CONSUMERS);
        for p in 0..PARTITIONS {
            let Log { values, start } = &self.logs[p];
            self.positions[consumer][p] = start + self.dice.below(values.len() - start + 1);
        }
        self.tell(&format!("c{consumer}"), What::Seek { at: Place::default() });
    }

    fn commit(&mut self) {
        let p = self.dice.below(PARTITIONS);
        let who = format!("c{}", self.dice.below(CONSUMERS));
        let at = self.at(p);
        let o = self.dice.below(1000) as i64;
        self.tell(&who, What::TryCommit { group: GROUP, at: place(&at), o });
        if self.dice.chance(80) {
            self.committed[p] = o;
            self.tell(&who, What::Commit { group: GROUP, at: place(&at), o });
        } else if self.dice.chance(50) {
            self.committed[p] = o;
        }
    }

    fn ask_committed(&mut self) {
        let p = self.dice.below(PARTITIONS);
        let (at, o, since) = (self.at(p), self.committed[p], self.events.len() as u64);
        self.tell("c0", What::Committed { group: GROUP, at: place(&at), o, since });
    }

    fn rebalance(&mut self) {
        self.generation += 1;
        let generation = self.generation;
        for p in 0..PARTITIONS {
            let consumer = self.dice.below(CONSUMERS);
            let at = self.at(p);
            let member = format!("c{consumer}");
            self.tell(
                &member,
                What::Assign { group: GROUP, member: &member, generation, at: place(&at) },
            );
        }
    }

    fn delete_records(&mut self) {
        let p = self.dice.below(PARTITIONS);
        let Log { values, start } = &self.logs[p];
        let o = start + self.dice.below(values.len() - start + 1);
        let at = self.at(p);
        self.tell("admin", What::TryDelete { at: place(&at), o: o as i64 });
        self.logs[p].start = o;
        if self.dice.chance(70) {
            self.tell("admin", What::Deleted { at: place(&at), o: o as i64 });
        }
    }

    fn recreate(&mut self) {
        let id = format!("id{}", self.id);
        self.tell("admin", What::TryDeleteTopic { topic: "t", id: &id });
        self.tell("admin", What::TopicDeleted { topic: "t", id: &id });
        self.id += 1;
        let id = format!("id{}", self.id);
        self.tell("admin", What::TopicCreated { topic: "t", id: &id });
        self.logs = vec![Log::default(); PARTITIONS];
        self.positions = vec![vec![0; PARTITIONS]; CONSUMERS];
        self.committed = vec![-1; PARTITIONS];
    }

    fn close(&mut self) {
        for p in 0..PARTITIONS {
            let (at, log) = (self.at(p), self.logs[p].clone());
            for (o, v) in log.values.iter().enumerate().skip(log.start) {
                self.tell("end", What::Final { at: place(&at), o: o as i64, v });
            }
            let (start, end) = (log.start as i64, log.values.len() as i64);
            self.tell("end", What::End { at: place(&at), start, end });
        }
    }
}
