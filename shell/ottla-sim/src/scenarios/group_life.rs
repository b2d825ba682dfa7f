//! One shard of the group coordinator, alone, for hours of virtual time: members that come, leave,
//! die, restart and go on with what they believed before, commits, deleted topics, crashes.
//!
//! Promises: no partition has two owners in one generation; an old generation and a replaced static
//! member are refused; a group whose members stop coming and going settles; what was committed stays
//! while the group has members, and goes with its topic.

mod member;
mod world;

use std::collections::BTreeMap;

use ottla_coordinator::group::classic::State;
use ottla_coordinator::{Command, GroupSettings, Reply, Token};
use ottla_env::sim::Random;
use ottla_judge::Violation;
use ottla_protocol::messages::JoinGroupResponse;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::{LeaveGroupRequest, SyncGroupResponse};
use ottla_protocol::{ErrorCode, Str, Uuid};

use member::{
    Doing, GROUP, HEARTBEAT_MS, Identity, Member, PARTITIONS, REBALANCE_MS, SESSION_MS, TOPIC,
};
use world::World;

const STEPS: u64 = 200;
const MEMBERS_MAX: usize = 6;
const VERSIONS: [i16; 7] = [0, 1, 3, 4, 5, 8, 9];
const INSTANCES: [&str; 2] = ["one", "two"];
/// Offsets outlive the last member by this much.
const RETENTION_MS: i64 = 120_000;
/// Longer than that, with everyone there.
const QUIET_MS: i64 = 150_000;
/// Between two looks at the clients.
const TICK_MS: i64 = 500;

/// How a run went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Broken promises; none, if all is well.
    pub violations: Vec<Violation>,
    pub records: usize,
    pub crashes: u32,
    /// The newest generation a member was told.
    pub generation: i32,
    /// Virtual time.
    pub took_ms: u64,
}

/// A question whose right answer is known when it is asked.
enum Probe {
    /// Must be refused.
    OldGeneration(Token, String),
    Fenced(Token, String),
    Commit {
        token: Token,
        index: u8,
        offset: i64,
        topic_id: Uuid,
    },
    /// All that is committed, as of a moment.
    Fetch {
        token: Token,
        expected: BTreeMap<u8, i64>,
        topic_id: Uuid,
        asked_ms: i64,
    },
}

struct Story {
    world: World,
    random: Random,
    members: Vec<Member>,
    probes: Vec<Probe>,
    /// Static members whose successor has joined.
    fenced: Vec<Identity>,
    /// A restarted static member, until its successor has joined.
    former: BTreeMap<&'static str, Identity>,
    /// Who was told to own a partition, by generation.
    owners: BTreeMap<(i32, u8), Str>,
    topic_id: Uuid,
    next_offset: i64,
    committed: BTreeMap<u8, i64>,
    /// When the group was last seen without members.
    empty_ms: i64,
    outcome: Outcome,
}

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    let mut random = Random::new(seed.rotate_left(32) ^ 0x6772_6f75);
    let settings = GroupSettings {
        initial_rebalance_delay_ms: [0, 0, 3_000][random.index(3)],
        offsets_retention_ms: RETENTION_MS,
        offsets_retention_check_interval_ms: 10_000,
        ..GroupSettings::default()
    };
    let mut story = Story {
        world: World::new(settings),
        random,
        members: Vec::new(),
        probes: Vec::new(),
        fenced: Vec::new(),
        former: BTreeMap::new(),
        owners: BTreeMap::new(),
        topic_id: Uuid([1; 16]),
        next_offset: 1,
        committed: BTreeMap::new(),
        empty_ms: 0,
        outcome: Outcome::default(),
    };
    for _ in 0..STEPS {
        story.step();
    }
    story.settle();
    story.outcome.records = story.world.len();
    story.outcome.took_ms = story.world.now.mono_ms.unsigned_abs();
    story.outcome
}

impl Story {
    fn say(&mut self, promise: &'static str, text: String) {
        self.outcome.violations.push(Violation { promise, text });
    }

    fn step(&mut self) {
        match self.random.below(40) {
            0..6 if self.members.len() < MEMBERS_MAX => self.arrive(),
            6..8 => self.leave(),
            8 if !self.members.is_empty() => {
                // Killed without a word.
                let index = self.random.index(self.members.len());
                self.members.remove(index);
            }
            9..11 if !self.members.is_empty() => self.restart_one(),
            11 => self.crash(),
            12 => self.delete_topic(),
            13 => self.pass(QUIET_MS),
            14..17 => self.ask_old_generation(),
            17..20 => self.ask_fenced(),
            20..24 => self.commit(),
            24..26 => self.fetch(),
            26..29 => {
                let ms = self.random.below(12_000) as i64;
                self.pass(ms);
            }
            _ => {
                let ms = self.random.below(400) as i64;
                self.world.advance(ms);
            }
        }
        if self.random.chance(60) {
            self.world.sync();
        }
        self.act();
    }

    fn arrive(&mut self) {
        let version = VERSIONS[self.random.index(VERSIONS.len())];
        let taken = |name: &&str| self.members.iter().any(|m| m.identity.instance == Some(name));
        let free = INSTANCES.iter().find(|name| !taken(name)).copied();
        let instance = free.filter(|_| version >= 5 && self.random.chance(50));
        self.members.push(Member::new(version, instance));
    }

    fn leave(&mut self) {
        if self.members.is_empty() {
            return;
        }
        let member = self.members.remove(self.random.index(self.members.len()));
        if member.identity.instance.is_some() || member.identity.member_id.is_empty() {
            return;
        }
        let member_id = member.identity.member_id;
        let members = vec![MemberIdentity { member_id, ..Default::default() }];
        let request = LeaveGroupRequest { group_id: GROUP.into(), members, ..Default::default() };
        self.world.ask(|token| Command::LeaveGroup { token, version: 5, request });
    }

    /// The client's process starts anew; a static member comes back under its name.
    fn restart_one(&mut self) {
        let index = self.random.index(self.members.len());
        let member = &mut self.members[index];
        let was = member.identity.clone();
        member.start_over(true);
        if let Some(instance) = was.instance.filter(|_| !was.member_id.is_empty()) {
            self.former.insert(instance, was);
        }
    }

    fn crash(&mut self) {
        self.outcome.crashes += 1;
        if let Err(text) = self.world.crash() {
            self.say("replay", text);
        }
        self.probes.clear();
        // A replacement is written down with its generation's assignment; before that a crash undoes it.
        self.fenced.clear();
        for member in &mut self.members {
            member.beating = None;
            if matches!(member.doing, Doing::Joining(_) | Doing::Syncing(_)) {
                member.start_over(false);
            }
        }
    }

    fn delete_topic(&mut self) {
        let topics = vec![(Str::from(TOPIC), self.topic_id)];
        self.world.handle(Command::TopicsDeleted { topics });
        self.world.sync();
        self.committed.clear();
        self.topic_id.0[15] = self.topic_id.0[15].wrapping_add(1);
    }

    fn pass(&mut self, ms: i64) {
        let end = self.world.now.mono_ms + ms;
        while self.world.now.mono_ms < end {
            self.world.advance(TICK_MS.min(end - self.world.now.mono_ms));
            self.world.sync();
            self.act();
        }
    }

    /// Some member that owns something.
    fn some_owner(&mut self) -> Option<usize> {
        let owning = |index: &usize| !self.members[*index].owned().is_empty();
        let owners: Vec<usize> = (0..self.members.len()).filter(owning).collect();
        (!owners.is_empty()).then(|| owners[self.random.index(owners.len())])
    }

    /// A request that was long under way.
    fn ask_old_generation(&mut self) {
        let Some(index) = self.some_owner() else { return };
        let mut old = self.members[index].identity.clone();
        old.generation -= 1;
        if old.generation < 1 {
            return;
        }
        let text = format!("SyncGroup of generation {} in a later one", old.generation);
        let request = old.sync_request(&[]);
        let token = self.world.ask(|token| Command::SyncGroup { token, request });
        self.probes.push(Probe::OldGeneration(token, text));
    }

    fn ask_fenced(&mut self) {
        if self.fenced.is_empty() {
            return;
        }
        let former = self.fenced[self.random.index(self.fenced.len())].clone();
        let text = format!("a heartbeat of {}, which was replaced", former.member_id);
        let request = former.heartbeat_request();
        let token = self.world.ask(|token| Command::Heartbeat { token, request });
        self.probes.push(Probe::Fenced(token, text));
    }

    fn commit(&mut self) {
        let Some(at) = self.some_owner() else { return };
        let (index, offset, topic_id) =
            (self.members[at].owned()[0], self.next_offset, self.topic_id);
        self.next_offset += 1;
        let request = self.members[at].identity.commit_request(topic_id, index, offset);
        let token = self.world.ask(|token| Command::OffsetCommit { token, version: 8, request });
        self.probes.push(Probe::Commit { token, index, offset, topic_id });
    }

    fn fetch(&mut self) {
        let group =
            OffsetFetchRequestGroup { group_id: GROUP.into(), topics: None, ..Default::default() };
        let token =
            self.world.ask(|token| Command::OffsetFetch { token, require_stable: false, group });
        let (expected, topic_id) = (self.committed.clone(), self.topic_id);
        let asked_ms = self.world.now.mono_ms;
        self.probes.push(Probe::Fetch { token, expected, topic_id, asked_ms });
    }

    /// Everyone reads what was answered and does what follows.
    fn act(&mut self) {
        let group = self.world.soft.group(GROUP);
        if group.is_none_or(|group| group.state() == State::Empty) {
            self.empty_ms = self.world.now.mono_ms;
            self.committed.clear();
        }
        if !self.world.knows(GROUP) {
            // A group that went with its last offset counts from the beginning when it is made again.
            self.owners.clear();
        }
        self.hear_probes();
        for index in 0..self.members.len() {
            self.act_one(index);
        }
    }

    fn act_one(&mut self, index: usize) {
        let now_ms = self.world.now.mono_ms;
        match self.members[index].doing {
            Doing::Nothing => {
                let member = &self.members[index];
                let (version, request) = (member.version, member.identity.join_request());
                let token = self.world.join(version, request);
                self.members[index].doing = Doing::Joining(token);
            }
            Doing::Joining(token) => {
                if let Some(Reply::JoinGroup(answer)) = self.world.answer(token) {
                    self.joined(index, answer);
                }
            }
            Doing::Syncing(token) => {
                if let Some(Reply::SyncGroup(answer)) = self.world.answer(token) {
                    self.synced(index, &answer);
                } else {
                    self.beat(index, now_ms);
                }
            }
            Doing::Owning(_) => self.beat(index, now_ms),
        }
    }

    fn joined(&mut self, index: usize, answer: JoinGroupResponse) {
        let member = &mut self.members[index];
        match code(answer.error_code) {
            ErrorCode::None => {
                member.identity.member_id = answer.member_id.clone();
                member.identity.generation = answer.generation_id;
                let leads = answer.leader == answer.member_id && !answer.skip_assignment;
                let shown = if leads { &answer.members[..] } else { &[] };
                let request = member.identity.sync_request(shown);
                let token = self.world.ask(|token| Command::SyncGroup { token, request });
                member.doing = Doing::Syncing(token);
                member.next_heartbeat_ms = self.world.now.mono_ms + HEARTBEAT_MS;
                self.outcome.generation = self.outcome.generation.max(answer.generation_id);
                let former = member.identity.instance.and_then(|name| self.former.remove(name));
                self.fenced.extend(former.filter(|former| former.member_id != answer.member_id));
            }
            ErrorCode::MemberIdRequired => {
                member.start_over(false);
                member.identity.member_id = answer.member_id;
            }
            ErrorCode::RebalanceInProgress => member.start_over(false),
            ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => member.start_over(true),
            other => self.say("answers", format!("JoinGroup answered {other:?}")),
        }
    }

    fn synced(&mut self, index: usize, answer: &SyncGroupResponse) {
        let member = &mut self.members[index];
        match code(answer.error_code) {
            ErrorCode::None => {
                let (generation, owner) = (member.identity.generation, member.owner());
                member.doing = Doing::Owning(answer.assignment.to_vec());
                for partition in &answer.assignment {
                    let before = self.owners.insert((generation, *partition), owner.clone());
                    if let Some(before) = before.filter(|before| *before != owner) {
                        let text = format!(
                            "partition {partition} belongs to {before} and to {owner} in generation {generation}"
                        );
                        self.say("owners", text);
                    }
                }
            }
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => {
                member.start_over(false)
            }
            ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => member.start_over(true),
            other => self.say("answers", format!("SyncGroup answered {other:?}")),
        }
    }

    /// Hears the last heartbeat's answer, and sends the next when it is due.
    fn beat(&mut self, index: usize, now_ms: i64) {
        let member = &mut self.members[index];
        if let Some(token) = member.beating {
            let Some(Reply::Heartbeat(answer)) = self.world.answer(token) else { return };
            member.beating = None;
            if !matches!(member.doing, Doing::Owning(_)) {
                // Its SyncGroup will tell.
                return;
            }
            match code(answer.error_code) {
                ErrorCode::None => {}
                ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => {
                    return member.start_over(false);
                }
                _ => return member.start_over(true),
            }
        }
        if member.next_heartbeat_ms <= now_ms {
            member.next_heartbeat_ms = now_ms + HEARTBEAT_MS;
            let request = member.identity.heartbeat_request();
            member.beating = Some(self.world.ask(|token| Command::Heartbeat { token, request }));
        }
    }

    fn hear_probes(&mut self) {
        for probe in std::mem::take(&mut self.probes) {
            let token = match &probe {
                Probe::OldGeneration(token, _) | Probe::Fenced(token, _) => *token,
                Probe::Commit { token, .. } | Probe::Fetch { token, .. } => *token,
            };
            match self.world.answer(token) {
                Some(reply) => self.heard(probe, reply),
                None => self.probes.push(probe),
            }
        }
    }

    fn heard(&mut self, probe: Probe, reply: Reply) {
        match (probe, reply) {
            (Probe::OldGeneration(_, text), Reply::SyncGroup(answer)) if answer.error_code == 0 => {
                self.say("generation", format!("{text} is answered"));
            }
            (Probe::Fenced(_, text), Reply::Heartbeat(answer)) if answer.error_code == 0 => {
                self.say("fenced", format!("{text}, is welcome"));
            }
            (Probe::Commit { index, offset, topic_id, .. }, Reply::OffsetCommit(answer)) => {
                let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
                if partition.is_some_and(|p| p.error_code == 0) && topic_id == self.topic_id {
                    let known = self.committed.entry(index).or_insert(offset);
                    *known = offset.max(*known);
                }
            }
            (Probe::Fetch { expected, topic_id, asked_ms, .. }, Reply::OffsetFetch(answer)) => {
                if topic_id != self.topic_id {
                    return;
                }
                let topics = answer.topics.iter().filter(|topic| topic.name == TOPIC);
                let offsets = topics.flat_map(|topic| {
                    if topic.topic_id != topic_id {
                        let text = "offsets of a deleted topic are there".to_owned();
                        self.outcome.violations.push(Violation { promise: "ghosts", text });
                    }
                    topic.partitions.iter().map(|p| (p.partition_index as u8, p.committed_offset))
                });
                let found: BTreeMap<u8, i64> = offsets.collect();
                for (index, offset) in expected {
                    let there = found.get(&index);
                    if asked_ms > self.empty_ms && there.is_none_or(|there| *there < offset) {
                        let text = format!(
                            "partition {index}: {offset} was committed, {there:?} is there"
                        );
                        self.say("committed", text);
                    }
                }
            }
            _ => {}
        }
    }

    /// Nobody comes or goes any more: everyone owns a share, and every partition is owned.
    fn settle(&mut self) {
        self.pass(2 * i64::from(REBALANCE_MS) + 2 * i64::from(SESSION_MS));
        self.fetch();
        self.pass(TICK_MS);
        if self.members.is_empty() {
            return;
        }
        let mut owned: Vec<u8> = self.members.iter().flat_map(|m| m.owned().to_vec()).collect();
        owned.sort_unstable();
        if owned != (0..PARTITIONS).collect::<Vec<_>>() {
            let state = self.world.soft.group(GROUP).map(|group| group.state());
            let members = self.members.len();
            self.say("settles", format!("{members} members own {owned:?}, the group is {state:?}"));
        }
    }
}

fn code(code: i16) -> ErrorCode {
    ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError)
}
