//! A member of the group: comes, reads, commits, leaves, dies, comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ottla_client::assignor::Assignor;
use ottla_client::offsets::Committed;
use ottla_client::{Consumer, ConsumerOptions, OffsetSpec, TopicPartition};
use ottla_env::sim::{Random, SimEnv};
use ottla_env::{Env, MonoTime};
use ottla_judge::{Place, What};

use super::super::diary::name_of;
use super::{GROUP, REQUEST_LIMIT, RETRY, STEADY, Setup, connect, pause, place};

const POLL: Duration = Duration::from_millis(400);
/// A member without heartbeats is dead after this.
const SESSION: Duration = Duration::from_secs(6);

struct Session<E: Env> {
    env: E,
    setup: Arc<Setup>,
    random: Random,
    who: String,
    /// A static member keeps its place under its name, whatever id it is given.
    instance: Option<String>,
    consumer: Consumer<E>,
    /// Generation and partitions as last noted.
    noted: (i32, BTreeSet<TopicPartition>),
    /// What was read and not committed: the next offset.
    read: BTreeMap<TopicPartition, i64>,
}

/// Comes and goes until the run stops.
pub(super) async fn run(env: SimEnv, setup: Arc<Setup>, mut random: Random, number: u64) {
    let is_static = random.chance(30);
    // All members of a group have to have an assignor in common.
    let assignors = match setup.choice.members % 3 {
        0 => vec![Assignor::CooperativeSticky],
        1 => vec![Assignor::Range, Assignor::CooperativeSticky],
        _ => vec![Assignor::Range],
    };
    for session in 0.. {
        if setup.is_stopping() {
            return;
        }
        let instance = is_static.then(|| format!("i{number}"));
        let options = ConsumerOptions {
            group: Some(GROUP.into()),
            group_instance_id: instance.clone().map(Into::into),
            reset: Some(OffsetSpec::Earliest),
            auto_commit: None,
            session_timeout: SESSION,
            heartbeat_interval: Duration::from_secs(1),
            rebalance_timeout: Duration::from_secs(10),
            assignors: assignors.clone(),
            ..ConsumerOptions::default()
        };
        let session = Session {
            consumer: Consumer::new(connect(&env, &setup.bootstrap), options),
            env: env.clone(),
            setup: setup.clone(),
            random: Random::new(random.next_u64()),
            who: format!("m{number}.{session}"),
            instance,
            noted: (-1, BTreeSet::new()),
            read: BTreeMap::new(),
        };
        session.run().await;
        pause(&env, &mut random, 3_000).await;
    }
}

impl<E: Env> Session<E> {
    async fn run(mut self) {
        if self.consumer.subscribe([STEADY.into()]).is_err() {
            return;
        }
        let polls = self.random.between(3, 60);
        for _ in 0..polls {
            if self.setup.is_stopping() {
                break;
            }
            let polled = self.consumer.poll(POLL).await;
            self.note_assignment();
            match polled {
                Ok(records) => {
                    for record in records {
                        let place = place(&record.topic, record.partition);
                        let value = record.value.unwrap_or_default();
                        let told = (record.offset, name_of(&value));
                        self.setup.diary.read(self.env.now(), &self.who, place, told);
                        let partition = TopicPartition::new(record.topic, record.partition);
                        self.read.insert(partition, record.offset + 1);
                    }
                }
                Err(_) => self.env.sleep(RETRY).await,
            }
            if self.random.chance(30) {
                self.commit().await;
            }
        }
        if self.random.chance(50) && !self.setup.is_stopping() {
            // It dies: neither a commit nor a word to the group.
            return;
        }
        self.commit().await;
        let _ = self.consumer.close().await;
    }

    /// Notes what it owns, when that or the generation is another.
    fn note_assignment(&mut self) {
        let (member, generation) = self.consumer.membership();
        let owned: BTreeSet<TopicPartition> = self.consumer.assignment().cloned().collect();
        if self.noted == (generation, owned.clone()) {
            return;
        }
        let (now, diary) = (self.env.now(), &self.setup.diary);
        diary.note(now, &self.who, What::Seek { at: Place::named("", -1) });
        self.read.retain(|partition, _| owned.contains(partition));
        if generation >= 0 {
            for partition in &owned {
                let at = place(&partition.topic, partition.partition);
                let generation = i64::from(generation);
                let member = self.instance.as_deref().unwrap_or(&member);
                let what = What::Assign { group: GROUP, member, generation, at };
                diary.note(now, &self.who, what);
            }
        }
        self.noted = (generation, owned);
    }

    async fn commit(&mut self) {
        let offsets = std::mem::take(&mut self.read);
        if offsets.is_empty() {
            return;
        }
        let began = self.env.now();
        self.tell(began, &offsets, |at, o| What::TryCommit { group: GROUP, at, o });
        let committed = offsets.iter().map(|(partition, offset)| {
            let (leader_epoch, metadata) = (-1, String::new().into());
            (partition.clone(), Committed { offset: *offset, leader_epoch, metadata })
        });
        let outcome = self.consumer.commit_offsets(&committed.collect()).await;
        let now = self.env.now();
        if outcome.is_ok() {
            self.tell(now, &offsets, |at, o| What::Commit { group: GROUP, at, o });
            if now - began >= REQUEST_LIMIT {
                // An earlier attempt may still be under way, and arrive after the next commit.
                self.tell(now, &offsets, |at, o| What::TryCommit { group: GROUP, at, o });
            }
        }
    }

    fn tell<'a>(
        &self,
        now: MonoTime,
        offsets: &'a BTreeMap<TopicPartition, i64>,
        what: impl Fn(Place<&'a str>, i64) -> What<&'a str>,
    ) {
        for (partition, offset) in offsets {
            let at = place(&partition.topic, partition.partition);
            self.setup.diary.note(now, &self.who, what(at, *offset));
        }
    }
}
