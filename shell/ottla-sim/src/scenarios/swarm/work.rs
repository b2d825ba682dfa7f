//! What clients do while things go wrong. They are real clients (`ottla-client`); what they do and are
//! told goes into the diary.

mod admin;
mod ends;
mod member;
mod mover;
mod observer;
mod producer;
mod reader;
mod stranger;
pub(super) mod upgrader;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI16, AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use ottla_client::{Client, ClientOptions};
use ottla_env::sim::{Random, SimEnv};
use ottla_env::{Env, Task};
use ottla_judge::Place;
use parking_lot::Mutex;

pub(super) use observer::Seen;

use super::choice::{Choice, Work};
use super::diary::Diary;

/// Written by all, read by all.
pub(super) const STEADY: &str = "steady";
/// Loses its beginning by DeleteRecords.
pub(super) const TRIMMED: &str = "trimmed";
/// Loses its beginning by retention.
pub(super) const SHORT: &str = "short";
/// Is deleted and made again.
pub(super) const FLEETING: &str = "fleeting";
/// Gets more partitions.
pub(super) const GROWING: &str = "growing";
/// The group.
pub(super) const GROUP: &str = "billing";

/// What `SHORT` keeps, in bytes.
pub(super) const KEPT_BYTES: u64 = 1 << 16;
/// The most partitions `GROWING` gets.
pub(super) const GROWN_MAX: i32 = 4;
/// Of what a producer sends, in one run.
const SENDS_MAX: u64 = 1_500;
/// Before a failed call is made again.
const RETRY: Duration = Duration::from_millis(200);
/// For one answer; a client of the real world is more patient.
const REQUEST_LIMIT: Duration = Duration::from_secs(4);
/// For a call with its retries, and for the delivery of a record.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// A topic's name, its partitions and its settings.
pub(super) type NewTopic = (&'static str, i32, Vec<(&'static str, String)>);

/// What all clients of a run share.
pub(super) struct Setup {
    pub(super) choice: Choice,
    pub(super) bootstrap: String,
    /// Where each node takes clients.
    pub(super) nodes: Vec<SocketAddr>,
    pub(super) diary: Diary,
    pub(super) seen: Mutex<Seen>,
    /// Nothing new is begun.
    pub(super) stopping: AtomicBool,
    /// Counts the lives and deaths of `FLEETING`: odd while it may not be there.
    pub(super) lives: AtomicU64,
    /// Partitions `GROWING` has for sure.
    pub(super) grown: AtomicI32,
    /// The level of metadata.version the cluster has agreed on for sure.
    pub(super) level: AtomicI16,
}

impl Setup {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Topics that are there from the beginning, with their partitions and settings.
    pub(super) fn topics(&self) -> Vec<NewTopic> {
        let choice = &self.choice;
        let segment = ("internal.segment.bytes", choice.segment_bytes.to_string());
        let mut topics = vec![(STEADY, choice.partitions, vec![segment.clone()])];
        if choice.has(Work::Trim) {
            topics.push((TRIMMED, 1, vec![segment]));
        }
        if choice.has(Work::Retention) {
            let small = ("internal.segment.bytes", (KEPT_BYTES / 4).to_string());
            topics.push((SHORT, 1, vec![small, ("retention.bytes", KEPT_BYTES.to_string())]));
        }
        if choice.has(Work::Fleeting) {
            topics.push((FLEETING, 1, Vec::new()));
        }
        if choice.has(Work::Growth) {
            topics.push((GROWING, 1, Vec::new()));
        }
        topics
    }

    /// Names of topics that are there from the beginning to the end. `FLEETING` is not: a deletion whose
    /// answer was not awaited may come after it was made again.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.topics().into_iter().map(|(name, ..)| name).filter(|name| *name != FLEETING).collect()
    }

    /// Of the last records of `SHORT`, how many retention must leave at least.
    pub(super) fn kept_records(&self) -> i64 {
        // No batch takes more than its records, its header and what each record adds.
        KEPT_BYTES.cast_signed() / (self.choice.padding as i64 + 200)
    }
}

/// Starts all clients, by what they do; each ends some time after `stopping` is set.
pub(super) fn begin(
    clients: &[SimEnv],
    setup: &Arc<Setup>,
    random: &mut Random,
    later: &mut Random,
) -> Vec<(&'static str, Task)> {
    let choice = setup.choice.clone();
    let mut tasks = Vec::new();
    let mut turn = 0;
    let mut next = |random: &mut Random| {
        turn += 1;
        (clients[turn % clients.len()].clone(), setup.clone(), Random::new(random.next_u64()))
    };
    for number in 0..choice.producers as u32 {
        for (work, idempotent) in [(Work::Idempotent, true), (Work::Plain, false)] {
            if choice.has(work) {
                let (env, setup, random) = next(random);
                let name = format!("{}{number}", if idempotent { "p" } else { "q" });
                let run = producer::run(env.clone(), setup, random, name, idempotent);
                tasks.push(spawn(&env, "producer", run));
            }
        }
    }
    if choice.has(Work::Group) {
        for number in 0..choice.members {
            let (env, setup, random) = next(random);
            tasks.push(spawn(&env, "member", member::run(env.clone(), setup, random, number)));
        }
    }
    if choice.has(Work::Reader) {
        let (env, setup, random) = next(random);
        tasks.push(spawn(&env, "reader", reader::run(env.clone(), setup, random)));
    }
    if choice.has(Work::Trim) {
        let (env, setup, random) = next(random);
        tasks.push(spawn(&env, "trimmer", admin::trim(env.clone(), setup, random)));
    }
    if choice.has(Work::Fleeting) {
        let (env, setup, random) = next(random);
        tasks.push(spawn(&env, "remaker", admin::make_again(env.clone(), setup, random)));
    }
    if choice.has(Work::Growth) {
        let (env, setup, random) = next(random);
        tasks.push(spawn(&env, "grower", admin::grow(env.clone(), setup, random)));
    }
    if choice.nodes > 1 {
        let (env, setup, random) = next(random);
        tasks.push(spawn(&env, "ends", ends::run(env.clone(), setup, random)));
    }
    if choice.has_stranger {
        let (env, setup, random) = next(random);
        tasks.push(spawn(&env, "stranger", stranger::run(env.clone(), setup, random)));
    }
    if choice.begins_at.is_some() {
        let (env, setup, random) = next(random);
        tasks.push(spawn(&env, "upgrader", upgrader::run(env.clone(), setup, random)));
    }
    let (env, setup, random) = next(random);
    tasks.push(spawn(&env, "observer", observer::run(env.clone(), setup, random)));
    if let Some(moves) = choice.moves {
        let (env, setup, random) = next(later);
        tasks.push(spawn(&env, "mover", mover::run(env.clone(), setup, random, moves)));
    }
    tasks
}

/// A client with its own connections.
pub(super) fn connect<E: Env>(env: &E, bootstrap: &str) -> Client<E> {
    let options = ClientOptions {
        connect_timeout: Duration::from_secs(2),
        request_timeout: REQUEST_LIMIT,
        api_timeout: CALL_LIMIT,
        metadata_max_age: Duration::from_secs(5),
        ..ClientOptions::new(bootstrap)
    };
    Client::new(env.clone(), options)
}

/// A partition, as a client names it: without an id.
pub(super) fn place(topic: &str, partition: i32) -> Place<&str> {
    Place::named(topic, partition)
}

/// Generic, so that the future's being `Send` is settled where the environment is unknown.
fn spawn<E: Env>(
    env: &E,
    name: &'static str,
    future: impl Future<Output = ()> + Send + 'static,
) -> (&'static str, Task) {
    (name, env.spawn(name, future))
}

/// A pause of the seed's choosing.
async fn pause<E: Env>(env: &E, random: &mut Random, most_ms: u64) {
    let nanos = random.below(most_ms * 1_000_000);
    env.sleep(Duration::from_nanos(nanos)).await;
}
