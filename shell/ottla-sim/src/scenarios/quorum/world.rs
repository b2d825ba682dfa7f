//! The world of a quorum: nodes, the wire between them, time, and faults.

mod deliver;
mod perform;

use std::collections::{BTreeMap, BTreeSet};

use ottla_env::sim::Random;
use ottla_judge::watch::Entry;
use ottla_protocol::Uuid;
use ottla_raft::message::{Request, Response};
use ottla_raft::replica::Endpoints;
use ottla_raft::{
    Endpoint, Event, NodeId, OffsetAndEpoch, Raft, ReplicaKey, RoleName, Settings, Start, Token,
    Voter, VoterSet,
};

use super::disk::Disk;
use super::watchers::Watchers;

/// Steps at one and the same moment at most: more are a machine that spins.
const STEPS_AT_ONCE_MAX: u64 = 20_000;
/// A run ends by itself long before.
const STEPS_MAX: u64 = 3_000_000;
/// A leader that was not fetched from by a majority for this long has resigned: its clock is one and a half
/// fetch timeouts, and starts anew when a majority was heard of.
const FORSAKEN_MS: i64 = 6_500;
/// The latest that an answer comes once more.
const LATE_MS: u64 = 4_000;
/// The name of the listener.
const LISTENER: &str = "CONTROLLER";

/// What is on its way.
#[derive(Debug, Clone)]
enum Letter {
    Request {
        from: NodeId,
        to: NodeId,
        correlation: u64,
        request: Request,
    },
    Response {
        from: NodeId,
        to: NodeId,
        correlation: u64,
        response: Response,
    },
    /// The disk of a node finished a sync; void after a crash or a cut of the log (`life`).
    Synced {
        node: NodeId,
        life: u64,
        at: OffsetAndEpoch,
    },
    Installed {
        node: NodeId,
        life: u64,
        snapshot: OffsetAndEpoch,
    },
}

/// A replica.
pub(super) struct Node {
    pub(super) raft: Option<Raft>,
    pub(super) disk: Disk,
    /// Counts crashes and cuts of the log.
    life: u64,
    /// Counts processes.
    boot: u64,
    pub(super) paused: bool,
    /// What arrived while it was paused.
    held: Vec<Letter>,
    /// Requests that came in and were not answered yet: from whom, under which number, and whether for a snapshot.
    open: BTreeMap<Token, (NodeId, u64, bool)>,
    /// When each voter's last fetch came in, and since when this node leads.
    heard_ms: BTreeMap<NodeId, i64>,
    leads_since_ms: i64,
}

/// How bad the wires and disks are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    lost_percent: u64,
    doubled_percent: u64,
    /// Of answers, how many come once more when nobody waits for them.
    late_percent: u64,
    delay_ms: u64,
    sync_ms: u64,
}

impl Manner {
    pub(super) const QUIET: Manner =
        Manner { lost_percent: 0, doubled_percent: 0, late_percent: 0, delay_ms: 2, sync_ms: 2 };

    /// A request and its answer, and a sync between them, at most.
    pub(super) fn round_trip_ms(&self) -> u64 {
        2 * self.delay_ms + self.sync_ms
    }

    pub(super) fn new(random: &mut Random) -> Manner {
        Manner {
            lost_percent: [0, 0, 2, 20][random.index(4)],
            doubled_percent: [0, 3, 30][random.index(3)],
            late_percent: [0, 0, 5, 40][random.index(4)],
            delay_ms: [2, 20, 400, 3_000][random.index(4)],
            sync_ms: [1, 10, 300][random.index(3)],
        }
    }
}

/// See the module's first line.
pub(super) struct World {
    pub(super) random: Random,
    pub(super) now_ms: i64,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    voters: VoterSet,
    wire: BTreeMap<(i64, u64), Letter>,
    letters: u64,
    tokens: u64,
    values: u64,
    pub(super) manner: Manner,
    /// Pairs that cannot reach each other, in this direction.
    pub(super) cut: BTreeSet<(NodeId, NodeId)>,
    pub(super) watchers: Watchers,
    pub(super) crashes: u32,
    pub(super) steps: u64,
    steps_at_once: u64,
    trace: u64,
}

fn key(id: NodeId) -> ReplicaKey {
    ReplicaKey::new(id, Uuid::from_u128(1000 + u128::from(id.0.unsigned_abs())))
}

fn endpoints(id: NodeId) -> Endpoints {
    let port = u16::try_from(id.0).unwrap_or(0);
    Endpoints::from([(LISTENER.into(), Endpoint { host: "node".into(), port })])
}

impl World {
    pub(super) fn new(random: Random, voters: i32, observers: i32, manner: Manner) -> World {
        let voter = |id| Voter {
            key: ReplicaKey { id: NodeId(id), directory_id: None },
            endpoints: endpoints(NodeId(id)),
            kraft_versions: (0, 1),
        };
        let mut world = World {
            random,
            now_ms: 0,
            nodes: BTreeMap::new(),
            voters: VoterSet::new((1..=voters).map(voter)),
            wire: BTreeMap::new(),
            letters: 0,
            tokens: 0,
            values: 0,
            manner,
            cut: BTreeSet::new(),
            watchers: Watchers::default(),
            crashes: 0,
            steps: 0,
            steps_at_once: 0,
            trace: 0,
        };
        for id in (1..=voters + observers).map(NodeId) {
            let node = Node {
                raft: None,
                disk: Disk::default(),
                life: 0,
                boot: 0,
                paused: false,
                held: Vec::new(),
                open: BTreeMap::new(),
                heard_ms: BTreeMap::new(),
                leads_since_ms: 0,
            };
            world.nodes.insert(id, node);
            world.start(id);
        }
        world
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node of this world")
    }

    pub(super) fn start(&mut self, id: NodeId) {
        let bootstrap = self.voters.ids().into_iter().filter(|voter| *voter != id);
        let bootstrap = bootstrap.map(|voter| endpoints(voter)[LISTENER].clone()).collect();
        let seed = self.random.next_u64();
        let node = &self.nodes[&id];
        let start = Start {
            me: key(id),
            listener: LISTENER.into(),
            endpoints: endpoints(id),
            settings: Settings::default(),
            kraft_versions: (0, 1),
            auto_join: false,
            bootstrap,
            static_voters: self.voters.clone(),
            voters: Vec::new(),
            election: node.disk.election.clone(),
            log: node.disk.view(),
            seed,
        };
        let mut actions = Vec::new();
        let raft = Raft::new(self.now_ms, start, &mut actions);
        let node = self.node(id);
        node.boot += 1;
        node.raft = Some(raft);
        self.perform(id, actions);
    }

    pub(super) fn crash(&mut self, id: NodeId) {
        let survives = self.random.below(4) as i64;
        let node = self.node(id);
        if node.raft.take().is_none() {
            return;
        }
        node.life += 1;
        node.paused = false;
        node.held.clear();
        node.open.clear();
        node.disk.crash(survives);
        self.crashes += 1;
        self.check_stable();
    }

    pub(super) fn pause(&mut self, id: NodeId) {
        let node = self.node(id);
        node.paused = node.raft.is_some();
    }

    pub(super) fn resume(&mut self, id: NodeId) {
        let now_ms = self.now_ms;
        let node = self.node(id);
        if std::mem::take(&mut node.paused) {
            // Whatever came meanwhile it takes for fresh.
            node.leads_since_ms = now_ms;
        }
        for letter in std::mem::take(&mut node.held) {
            self.post(letter, 0);
        }
    }

    /// Does what is due next; false if that is after `until_ms`, or something is wrong already.
    fn step(&mut self, until_ms: i64) -> bool {
        let awake = self.nodes.iter().filter(|(_, node)| !node.paused);
        let ticks = awake.filter_map(|(id, node)| {
            Some((node.raft.as_ref()?.deadline_ms().max(self.now_ms), *id))
        });
        let tick = ticks.min();
        let letter = self.wire.keys().next().copied();
        let before_ms = self.now_ms;
        match (tick, letter) {
            (tick, Some((due, n))) if tick.is_none_or(|(at, _)| due <= at) && due <= until_ms => {
                self.now_ms = self.now_ms.max(due);
                let letter = self.wire.remove(&(due, n)).expect("the first letter");
                self.note(n);
                self.deliver(letter);
            }
            (Some((due, id)), _) if due <= until_ms => {
                self.now_ms = due;
                self.note(u64::from(id.0.unsigned_abs()) << 48);
                self.event(id, Event::Tick);
            }
            _ => {
                self.now_ms = until_ms;
                return false;
            }
        }
        self.count_step(before_ms);
        self.watchers.is_content()
    }

    fn count_step(&mut self, before_ms: i64) {
        self.steps += 1;
        self.steps_at_once = if self.now_ms == before_ms { self.steps_at_once + 1 } else { 0 };
        if self.steps_at_once > STEPS_AT_ONCE_MAX || self.steps > STEPS_MAX {
            self.watchers.liveness(format!("{} steps at {} ms: it spins", self.steps, self.now_ms));
        }
    }

    fn note(&mut self, what: u64) {
        let mixed = self.trace.rotate_left(5) ^ what ^ self.now_ms.cast_unsigned();
        self.trace = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    pub(super) fn trace_hash(&self) -> u64 {
        self.trace
    }

    pub(super) fn run(&mut self, for_ms: i64) {
        let until_ms = self.now_ms + for_ms;
        while self.step(until_ms) {}
    }

    /// Runs until something holds, looking often; says whether it does.
    pub(super) fn run_until(&mut self, limit_ms: i64, holds: impl Fn(&World) -> bool) -> bool {
        let end_ms = self.now_ms + limit_ms;
        while self.watchers.is_content() && !holds(self) {
            if self.now_ms >= end_ms {
                return false;
            }
            self.run(1);
        }
        self.watchers.is_content()
    }

    pub(super) fn voters(&self) -> Vec<NodeId> {
        self.voters.ids().into_iter().collect()
    }

    pub(super) fn leader(&self) -> Option<NodeId> {
        let epoch = |node: &Node| {
            let raft = node.raft.as_ref()?;
            (raft.role() == RoleName::Leader).then(|| raft.election().epoch)
        };
        let leaders = self.nodes.iter().filter_map(|(id, node)| Some((epoch(node)?, *id)));
        leaders.max().map(|(_, id)| id)
    }

    /// A client writes `count` records through `id`.
    pub(super) fn propose(&mut self, id: NodeId, count: i64) -> bool {
        let (now_ms, first) = (self.now_ms, self.values);
        let node = self.node(id);
        let Some(raft) = node.raft.as_mut().filter(|_| !node.paused) else { return false };
        let mut actions = Vec::new();
        let Ok((base, epoch)) = raft.propose(now_ms, count, &mut actions) else { return false };
        let count = count.unsigned_abs();
        let value = |number| Entry { epoch, value: first + number };
        let entries: Vec<Entry> = (1..=count).map(value).collect();
        node.disk.append(base, &entries);
        self.values += count;
        self.sync_later(id);
        self.perform(id, actions);
        true
    }

    pub(super) fn event(&mut self, id: NodeId, event: Event) {
        let now_ms = self.now_ms;
        let node = self.node(id);
        let Some(raft) = node.raft.as_mut().filter(|_| !node.paused) else { return };
        let mut actions = Vec::new();
        raft.handle(now_ms, event, &mut actions);
        self.perform(id, actions);
        self.check_followed(id);
    }

    /// A replica takes a snapshot of what it knows to be committed.
    pub(super) fn snapshot(&mut self, id: NodeId) {
        let node = self.node(id);
        let Some(raft) = node.raft.as_ref().filter(|_| !node.paused) else { return };
        let end = raft.committed();
        if end <= node.disk.start || end > node.disk.synced {
            return;
        }
        let snapshot = node.disk.take_snapshot(end);
        self.event(id, Event::SnapshotTaken { snapshot, log_start: end });
    }

    /// A leader is followed by a majority, or has resigned (check-quorum, KIP-595).
    fn check_followed(&mut self, id: NodeId) {
        let node = &self.nodes[&id];
        let leads = node.raft.as_ref().is_some_and(|raft| raft.role() == RoleName::Leader);
        let since_ms = self.now_ms - FORSAKEN_MS;
        if !leads || node.leads_since_ms > since_ms || self.voters.len() == 1 {
            return;
        }
        let heard = node.heard_ms.values().filter(|at_ms| **at_ms >= since_ms).count();
        if heard < self.voters.len() / 2 {
            let text = format!("{id} leads and was fetched from by {heard} voters lately");
            self.watchers.liveness(text);
        }
    }

    fn check_stable(&mut self) {
        let voters = self.voters.ids();
        let disks = voters.iter().map(|id| (*id, &self.nodes[id].disk));
        self.watchers.stable(disks);
    }

    fn sync_later(&mut self, id: NodeId) {
        let node = &self.nodes[&id];
        let end = node.disk.end();
        let at = OffsetAndEpoch::new(end, node.disk.epoch_before(end));
        let letter = Letter::Synced { node: id, life: node.life, at };
        let delay_ms = self.random.between(1, self.manner.sync_ms);
        self.post(letter, delay_ms);
    }

    fn send(&mut self, letter: Letter) {
        if self.random.chance(self.manner.lost_percent) {
            return;
        }
        let copies = 1 + u32::from(self.random.chance(self.manner.doubled_percent));
        for _ in 0..copies {
            let delay_ms = self.random.between(1, self.manner.delay_ms);
            self.post(letter.clone(), delay_ms);
        }
        let is_answer = matches!(letter, Letter::Response { .. });
        if is_answer && self.random.chance(self.manner.late_percent) {
            let delay_ms = self.random.between(1, LATE_MS);
            self.post(letter, delay_ms);
        }
    }

    fn post(&mut self, letter: Letter, delay_ms: u64) {
        self.letters += 1;
        self.wire.insert((self.now_ms + delay_ms.cast_signed(), self.letters), letter);
    }
}
