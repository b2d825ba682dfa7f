//! Goal: whatever members do, no partition has two owners in one generation, generations only grow,
//! state is what the log says, and a group whose members stop coming and going settles.
//! Method: random schedules of well-behaved, crashing, leaving and restarting members of every
//! JoinGroup version, against one shard that may itself be restarted.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_coordinator::group::classic::State;
use ottla_coordinator::{GroupSettings, Token};
use ottla_protocol::messages::join_group_response::JoinGroupResponseMember;
use ottla_protocol::{ErrorCode, Str};

use crate::offsets::{commit, commit_request};
use crate::world::{
    GROUP, REBALANCE_MS, SESSION_MS, World, error, join_request, settings, sync_request,
};

const PARTITIONS: usize = 12;
const HEARTBEAT_MS: i64 = 3_000;
const SEEDS: u64 = 300;
const STEPS: usize = 250;
const MEMBERS_MAX: usize = 9;
const INSTANCES: [&str; 3] = ["one", "two", "three"];

/// A small generator, so that a seed is a schedule.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// A consumer as a client library behaves.
#[derive(Debug)]
struct Consumer {
    version: i16,
    instance: Option<&'static str>,
    member_id: Str,
    generation: i32,
    doing: Doing,
    next_heartbeat_ms: i64,
    waiting_since_ms: i64,
}

#[derive(Debug, PartialEq)]
enum Doing {
    Nothing,
    Joining(Token),
    Syncing(Token),
    Owning(Vec<u8>),
}

/// What must never be contradicted.
#[derive(Default)]
struct Promises {
    /// Who was told to own a partition, by generation.
    owners: BTreeMap<(i32, u8), Str>,
    last_generation: i32,
}

impl Promises {
    fn owns(&mut self, generation: i32, partition: u8, owner: &Str) {
        let earlier = self.owners.insert((generation, partition), owner.clone());
        assert!(
            earlier.as_ref().is_none_or(|earlier| earlier == owner),
            "partition {partition} has two owners in generation {generation}"
        );
    }

    fn joined(&mut self, generation: i32) {
        assert!(generation >= self.last_generation, "generation {generation} came again");
        self.last_generation = generation;
    }
}

struct Schedule {
    world: World,
    random: Random,
    consumers: Vec<Consumer>,
    promises: Promises,
    /// A restarted shard may count the same generation again, as it forgets what nobody synced.
    restarts: bool,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let initial_rebalance_delay_ms = [0, 0, 3_000][random.below(3)];
        let max_size = [usize::MAX, usize::MAX, 5][random.below(3)];
        let settings = GroupSettings { initial_rebalance_delay_ms, max_size, ..settings() };
        Self {
            world: World::new(settings),
            restarts: random.below(4) == 0,
            random,
            consumers: Vec::new(),
            promises: Promises::default(),
        }
    }

    fn step(&mut self) {
        let count = self.consumers.len();
        match self.random.below(20) {
            0..=2 if count < MEMBERS_MAX => self.arrive(),
            3 if count > 0 => {
                let consumer = self.consumers.remove(self.random.below(count));
                if consumer.instance.is_none() && !consumer.member_id.is_empty() {
                    self.world.leave(&[(&consumer.member_id, None)]);
                }
            }
            4 if count > 0 => {
                // Killed without a word.
                self.consumers.remove(self.random.below(count));
            }
            5 if count > 0 => {
                // Restarted: a static member comes back under its name.
                let index = self.random.below(count);
                self.consumers[index].member_id = Str::default();
                self.consumers[index].doing = Doing::Nothing;
            }
            6 if count > 0 => self.rejoin_changed(),
            7 if self.restarts => {
                self.world.restart();
                self.promises = Promises::default();
                for consumer in &mut self.consumers {
                    // Connections broke; parked requests are asked again.
                    if matches!(consumer.doing, Doing::Joining(_) | Doing::Syncing(_)) {
                        consumer.doing = Doing::Nothing;
                    }
                }
            }
            8 => {
                let ms = self.random.below(12_000) as i64;
                self.pass(ms);
            }
            _ => {
                let ms = self.random.below(500) as i64;
                self.pass(ms);
            }
        }
        self.everyone_acts();
        self.check();
    }

    fn arrive(&mut self) {
        let version = [0, 1, 3, 4, 5, 8, 9][self.random.below(7)];
        let free = INSTANCES.iter().find(|i| self.consumers.iter().all(|c| c.instance != Some(i)));
        let instance = free.copied().filter(|_| version >= 5 && self.random.below(2) == 0);
        self.consumers.push(Consumer {
            version,
            instance,
            member_id: Str::default(),
            generation: -1,
            doing: Doing::Nothing,
            next_heartbeat_ms: 0,
            waiting_since_ms: 0,
        });
    }

    /// A subscription changed.
    fn rejoin_changed(&mut self) {
        let index = self.random.below(self.consumers.len());
        if matches!(self.consumers[index].doing, Doing::Owning(_)) {
            let topic = [b'a' + self.random.below(3) as u8];
            self.join(index, Some(&topic));
        }
    }

    fn pass(&mut self, ms: i64) {
        let end = self.world.now.mono_ms + ms;
        while self.world.now.mono_ms < end {
            let next = (end - self.world.now.mono_ms).min(500);
            self.world.advance(next);
            self.everyone_acts();
        }
    }

    /// Everyone reads what was answered and does what follows, until nobody can.
    fn everyone_acts(&mut self) {
        for _ in 0..100 {
            let acted = (0..self.consumers.len()).filter(|index| self.act(*index)).count();
            if acted == 0 {
                return;
            }
        }
        panic!("members never come to rest: {:#?}", self.consumers);
    }

    /// Whether the consumer did anything.
    fn act(&mut self, index: usize) -> bool {
        let now_ms = self.world.now.mono_ms;
        match &self.consumers[index].doing {
            Doing::Nothing => {
                // A refused one backs off.
                if self.consumers[index].next_heartbeat_ms > now_ms {
                    return false;
                }
                self.join(index, None);
                true
            }
            Doing::Joining(token) => {
                let answer = self.world.joined(*token);
                answer.map(|answer| self.joined(index, answer)).is_some()
            }
            Doing::Syncing(token) => {
                let token = *token;
                match self.world.synced(token) {
                    Some(answer) => {
                        self.synced(index, error(answer.error_code), &answer.assignment)
                    }
                    None => {
                        self.heartbeat(index);
                        return false;
                    }
                }
                true
            }
            Doing::Owning(_) => self.heartbeat(index),
        }
    }

    fn join(&mut self, index: usize, topic: Option<&[u8]>) {
        let consumer = &self.consumers[index];
        let mut request = join_request(&consumer.member_id, consumer.instance);
        if let Some(topic) = topic {
            let mut metadata = b"\0\0\0\0\0\x01\0\x01".to_vec();
            metadata.extend_from_slice(topic);
            metadata.extend_from_slice(b"\0\0\0\0");
            request.protocols[0].metadata = Bytes::from(metadata);
        }
        let token = self.world.join(consumer.version, request);
        let consumer = &mut self.consumers[index];
        consumer.doing = Doing::Joining(token);
        consumer.waiting_since_ms = self.world.now.mono_ms;
    }

    fn joined(&mut self, index: usize, answer: ottla_protocol::messages::JoinGroupResponse) {
        let consumer = &mut self.consumers[index];
        match error(answer.error_code) {
            ErrorCode::None => {
                assert_eq!(answer.protocol_name.as_deref(), Some("range"));
                consumer.member_id = answer.member_id.clone();
                consumer.generation = answer.generation_id;
                self.promises.joined(answer.generation_id);
                let leads = answer.leader == answer.member_id && !answer.skip_assignment;
                self.sync(index, if leads { &answer.members } else { &[] });
            }
            ErrorCode::MemberIdRequired => {
                consumer.member_id = answer.member_id;
                consumer.doing = Doing::Nothing;
            }
            ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => {
                consumer.member_id = Str::default();
                consumer.doing = Doing::Nothing;
            }
            ErrorCode::RebalanceInProgress => consumer.doing = Doing::Nothing,
            ErrorCode::GroupMaxSizeReached => {
                consumer.member_id = Str::default();
                consumer.doing = Doing::Nothing;
                consumer.next_heartbeat_ms = self.world.now.mono_ms + 5_000;
            }
            other => panic!("JoinGroup answered {other:?}"),
        }
    }

    fn sync(&mut self, index: usize, members: &[JoinGroupResponseMember]) {
        let mut shares: Vec<Vec<u8>> = vec![Vec::new(); members.len()];
        for partition in 0..PARTITIONS {
            if !members.is_empty() {
                shares[partition % members.len()].push(partition as u8);
            }
        }
        let consumer = &self.consumers[index];
        let mut request = sync_request(&consumer.member_id, consumer.generation, &[]);
        request.group_instance_id = consumer.instance.map(Str::from);
        for (member, share) in members.iter().zip(shares) {
            request.assignments.push(
                ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment {
                    member_id: member.member_id.clone(),
                    assignment: Bytes::from(share),
                    ..Default::default()
                },
            );
        }
        let token = self.world.sync(request);
        self.consumers[index].doing = Doing::Syncing(token);
        self.consumers[index].next_heartbeat_ms = self.world.now.mono_ms + HEARTBEAT_MS;
    }

    fn synced(&mut self, index: usize, result: ErrorCode, assignment: &Bytes) {
        let consumer = &mut self.consumers[index];
        match result {
            ErrorCode::None => {
                for partition in assignment {
                    // A static member's successor owns what it owned.
                    let owner = consumer.instance.map_or(consumer.member_id.clone(), Str::from);
                    self.promises.owns(consumer.generation, *partition, &owner);
                }
                consumer.doing = Doing::Owning(assignment.to_vec());
            }
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => {
                consumer.doing = Doing::Nothing;
            }
            ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => {
                consumer.member_id = Str::default();
                consumer.doing = Doing::Nothing;
            }
            other => panic!("SyncGroup answered {other:?}"),
        }
        self.consumers[index].next_heartbeat_ms = self.world.now.mono_ms;
    }

    /// Whether it was due.
    fn heartbeat(&mut self, index: usize) -> bool {
        let now_ms = self.world.now.mono_ms;
        let consumer = &mut self.consumers[index];
        if consumer.next_heartbeat_ms > now_ms {
            return false;
        }
        consumer.next_heartbeat_ms = now_ms + HEARTBEAT_MS;
        let (member_id, generation) = (consumer.member_id.clone(), consumer.generation);
        let owns = matches!(consumer.doing, Doing::Owning(_));
        if owns && self.random.below(3) == 0 {
            let offset = self.random.below(1_000) as i64;
            commit(&mut self.world, 8, commit_request(&member_id, generation, offset));
        }
        let instance = self.consumers[index].instance;
        let result = self.world.heartbeat_as(&member_id, instance, generation);
        if !owns {
            // Its SyncGroup will tell.
            return true;
        }
        let consumer = &mut self.consumers[index];
        match result {
            ErrorCode::None => return true,
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => {}
            ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => {
                consumer.member_id = Str::default();
            }
            other => panic!("Heartbeat answered {other:?}"),
        }
        consumer.doing = Doing::Nothing;
        consumer.next_heartbeat_ms = now_ms;
        true
    }

    /// The live state is what the log says, and nobody waits longer than a rebalance may take.
    fn check(&self) {
        for consumer in &self.consumers {
            if let Doing::Joining(_) = consumer.doing {
                let waited_ms = self.world.now.mono_ms - consumer.waiting_since_ms;
                assert!(waited_ms <= 2 * i64::from(REBALANCE_MS) + 1_000, "{consumer:?}");
            }
        }
    }

    /// Churn stops: the group settles, everybody owns something, all partitions are owned.
    fn settle(&mut self, max_size: usize) {
        let limit_ms = 2 * i64::from(REBALANCE_MS) + i64::from(SESSION_MS);
        self.pass(limit_ms);
        let members = self.consumers.len();
        if members == 0 {
            return;
        }
        if members > max_size {
            return;
        }
        assert_eq!(self.world.state(), Some(State::Stable), "{:#?}", self.consumers);
        let mut owned = Vec::new();
        for consumer in &self.consumers {
            let Doing::Owning(partitions) = &consumer.doing else { panic!("{consumer:?}") };
            owned.extend_from_slice(partitions);
            assert_eq!(consumer.generation, self.world.soft.group(GROUP).unwrap().generation());
        }
        owned.sort_unstable();
        // Static members that were killed keep their share until their session has ended; the
        // session is shorter than what has passed.
        assert_eq!(owned, (0..PARTITIONS as u8).collect::<Vec<_>>(), "{:#?}", self.consumers);
    }
}

/// The log alone gives the same hard state.
fn check_replay(schedule: &mut Schedule) {
    let live = schedule.world.shard.hard().clone();
    schedule.world.restart();
    assert_eq!(*schedule.world.shard.hard(), live);
}

#[test]
fn random_schedules_keep_every_promise() {
    for seed in 0..SEEDS {
        let mut schedule = Schedule::new(seed);
        eprintln!("seed {seed}");
        for _ in 0..STEPS {
            schedule.step();
        }
        let max_size = if schedule.world_is_limited() { 5 } else { usize::MAX };
        schedule.settle(max_size);
        check_replay(&mut schedule);
    }
}

impl Schedule {
    fn world_is_limited(&self) -> bool {
        self.world.max_size() != usize::MAX
    }
}
