//! The world of a partition: nodes, wires, time, faults, and clients that produce.

mod deliver;
mod perform;

use std::collections::{BTreeMap, BTreeSet};

use ottla_env::sim::Random;
use ottla_judge::watch::Entry;
use ottla_replica::follower::Answer;
use ottla_replica::leader::{self, Proposal};
use ottla_replica::{FetchPoint, Leader, follower};

use super::controller::{Controller, Decision, State};
use super::node::{Node, Role};
use super::watchers::Watchers;

/// A run ends by itself long before.
const STEPS_MAX: u64 = 3_000_000;
const STEPS_AT_ONCE_MAX: u64 = 20_000;
/// `replica.lag.time.max.ms`, `replica.fetch.wait.max.ms`, a fetch that is taken for lost.
pub(super) const LAG_MS: i64 = 3_000;
const WAIT_MS: u64 = 200;
const LOST_MS: u64 = 2_000;
/// When the controller notices that a broker is gone, and lets in one that is back.
const SESSION_MS: u64 = 2_000;
const UNFENCE_MS: u64 = 300;

/// What is on its way, or due.
#[derive(Debug, Clone)]
pub(super) enum Letter {
    /// A decision of the controller, the `number`th of this life.
    Told {
        to: i32,
        boot: u64,
        number: u64,
        state: State,
    },
    Fetch {
        from: i32,
        to: i32,
        boot: u64,
        number: u64,
        point: FetchPoint,
        broker_epoch: i64,
    },
    /// `log` is what the leader's log had from the point on.
    Answer {
        from: i32,
        to: i32,
        boot: u64,
        number: u64,
        point: FetchPoint,
        answer: Answer,
        log: Vec<Entry>,
    },
    AskBounds {
        from: i32,
        to: i32,
        boot: u64,
        leader_epoch: i32,
    },
    Bounds {
        from: i32,
        to: i32,
        boot: u64,
        leader_epoch: i32,
        log_end: i64,
    },
    Alter {
        from: i32,
        boot: u64,
        proposal: Proposal,
    },
    Altered {
        to: i32,
        boot: u64,
        proposal: Proposal,
        decision: Decision,
    },
    /// A node's disk has synced so far.
    Synced {
        node: i32,
        life: u64,
        end: i64,
    },
    /// A node's follower looks whether it is to fetch.
    Look {
        node: i32,
        boot: u64,
    },
    /// A fetch was not answered in time.
    Lost {
        node: i32,
        boot: u64,
        number: u64,
    },
    /// The controller counts a broker out, or in.
    Fence {
        node: i32,
        epoch: i64,
    },
    Unfence {
        node: i32,
        epoch: i64,
    },
}

/// How bad the wires and disks are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    lost_percent: u64,
    doubled_percent: u64,
    /// Of questions to the controller, how many lie on the way until nobody waits for an answer.
    late_percent: u64,
    delay_ms: u64,
    /// News of the controller take so long.
    news_ms: u64,
    sync_ms: u64,
}

impl Manner {
    pub(super) const QUIET: Manner = Manner {
        lost_percent: 0,
        doubled_percent: 0,
        late_percent: 0,
        delay_ms: 2,
        news_ms: 2,
        sync_ms: 2,
    };

    /// The same, where the controller is far away and the followers are near.
    pub(super) fn slow_to_decide(self) -> Manner {
        Manner { late_percent: 80, delay_ms: 20, ..self }
    }

    pub(super) fn new(random: &mut Random) -> Manner {
        Manner {
            lost_percent: [0, 0, 2, 20][random.index(4)],
            doubled_percent: [0, 3, 30][random.index(3)],
            late_percent: [0, 0, 20, 60][random.index(4)],
            delay_ms: [2, 20, 400, 3_000][random.index(4)],
            news_ms: [2, 100, 2_000][random.index(3)],
            sync_ms: [1, 10, 300][random.index(3)],
        }
    }
}

/// See the module's first line.
pub(super) struct World {
    pub(super) random: Random,
    pub(super) now_ms: i64,
    pub(super) nodes: BTreeMap<i32, Node>,
    pub(super) controller: Controller,
    /// Decisions so far; each node is told all of them, in order.
    decisions: u64,
    min_insync: usize,
    wire: BTreeMap<(i64, u64), Letter>,
    letters: u64,
    fetches: u64,
    values: u64,
    pub(super) manner: Manner,
    /// Pairs that cannot reach each other, in this direction; 0 is the controller.
    pub(super) cut: BTreeSet<(i32, i32)>,
    pub(super) watchers: Watchers,
    pub(super) crashes: u32,
    pub(super) steps: u64,
    steps_at_once: u64,
    trace: u64,
}

impl World {
    pub(super) fn new(random: Random, replicas: i32, min_insync: usize, manner: Manner) -> World {
        let ids: Vec<i32> = (1..=replicas).collect();
        let mut world = World {
            random,
            now_ms: 0,
            nodes: ids.iter().map(|id| (*id, Node::new())).collect(),
            controller: Controller::new(ids.clone()),
            decisions: 0,
            min_insync,
            wire: BTreeMap::new(),
            letters: 0,
            fetches: 0,
            values: 0,
            manner,
            cut: BTreeSet::new(),
            watchers: Watchers::default(),
            crashes: 0,
            steps: 0,
            steps_at_once: 0,
            trace: 0,
        };
        ids.iter().for_each(|id| world.start(*id));
        world
    }

    fn node(&mut self, id: i32) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node of this world")
    }

    /// The process begins, if none runs: it registers, and is let in a little later.
    pub(super) fn start(&mut self, id: i32) {
        if self.nodes[&id].up {
            return;
        }
        let epoch = self.controller.register(id);
        tracing::debug!(now_ms = self.now_ms, id, epoch, "started");
        let node = self.node(id);
        node.up = true;
        node.boot += 1;
        node.broker_epoch = epoch;
        node.role = Role::None;
        node.seen = 0;
        self.tell_all();
        self.post(Letter::Unfence { node: id, epoch }, UNFENCE_MS);
    }

    /// The process ends: by a kill, or with the machine's power.
    pub(super) fn stop(&mut self, id: i32, kill: bool) {
        let survives = self.random.below(4) as i64;
        let node = self.node(id);
        if !node.up {
            return;
        }
        node.up = false;
        node.paused = false;
        node.held.clear();
        node.life += 1;
        node.role = Role::None;
        node.awaits = None;
        node.waiting.clear();
        if kill {
            node.disk.kill()
        } else {
            node.disk.crash(survives)
        }
        let epoch = node.broker_epoch;
        self.crashes += 1;
        tracing::debug!(now_ms = self.now_ms, id, kill, part = self.part_of(id), "stopped");
        self.check_in_sync();
        self.post(Letter::Fence { node: id, epoch }, SESSION_MS);
    }

    pub(super) fn pause(&mut self, id: i32) {
        let node = self.node(id);
        node.paused = node.up;
        if node.up {
            let epoch = node.broker_epoch;
            self.post(Letter::Fence { node: id, epoch }, SESSION_MS);
        }
    }

    pub(super) fn resume(&mut self, id: i32) {
        let node = self.node(id);
        if !std::mem::take(&mut node.paused) {
            return;
        }
        let (held, epoch) = (std::mem::take(&mut node.held), node.broker_epoch);
        held.into_iter().for_each(|letter| self.post(letter, 0));
        self.post(Letter::Unfence { node: id, epoch }, UNFENCE_MS);
    }

    /// The controller has decided something: everybody hears of it, in order.
    pub(super) fn tell_all(&mut self) {
        self.decisions += 1;
        let number = self.decisions;
        let up = self.nodes.iter().filter(|(_, node)| node.up);
        let ids: Vec<i32> = up.map(|(id, _)| *id).collect();
        for to in ids {
            let (state, boot) = (self.controller.state.clone(), self.nodes[&to].boot);
            let delay_ms = self.random.between(1, self.manner.news_ms);
            self.post(Letter::Told { to, boot, number, state }, delay_ms);
        }
    }

    pub(super) fn run(&mut self, for_ms: i64) {
        let until_ms = self.now_ms + for_ms;
        while self.step(until_ms) {}
    }

    /// Does what is due next; false if that is after `until_ms`, or something is wrong already.
    fn step(&mut self, until_ms: i64) -> bool {
        let deadline = |node: &Node| match &node.role {
            Role::Leader(leader) if node.works() => leader.deadline_ms(),
            // A follower's pause ends with a letter.
            _ => None,
        };
        let ticks = self.nodes.iter().filter_map(|(id, node)| Some((deadline(node)?, *id)));
        let tick = ticks.min().map(|(at_ms, id)| (at_ms.max(self.now_ms), id));
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
                self.note(u64::from(id.unsigned_abs()) << 48);
                self.lead(id, leader::Event::Tick);
            }
            _ => {
                self.now_ms = until_ms;
                return false;
            }
        }
        self.steps += 1;
        self.steps_at_once = if self.now_ms == before_ms { self.steps_at_once + 1 } else { 0 };
        if self.steps_at_once > STEPS_AT_ONCE_MAX || self.steps > STEPS_MAX {
            self.watchers.liveness(format!("{} steps at {} ms: it spins", self.steps, self.now_ms));
        }
        self.watchers.is_content()
    }

    fn note(&mut self, what: u64) {
        let mixed = self.trace.rotate_left(5) ^ what ^ self.now_ms.cast_unsigned();
        self.trace = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    pub(super) fn trace_hash(&self) -> u64 {
        self.trace
    }

    /// The leader by the controller's word, if it knows of that.
    pub(super) fn leader(&self) -> Option<i32> {
        let state = &self.controller.state;
        let node = self.nodes.get(&state.leader)?;
        let leads = |leader: &Leader| leader.leader_epoch() == state.leader_epoch;
        matches!(&node.role, Role::Leader(leader) if leads(leader)).then_some(state.leader)
    }

    /// What a node takes itself for, to be read when something is wrong.
    pub(super) fn part_of(&self, id: i32) -> String {
        let node = &self.nodes[&id];
        format!("{id} {:?}, awaits {:?}, {:?}", node.role, node.awaits, node.disk.bounds())
    }

    /// A client produces `count` records with acks=all to `id`, whether that leads or not.
    pub(super) fn produce(&mut self, id: i32, count: u64) {
        let first = self.values;
        let node = self.node(id);
        if !node.works() {
            return;
        }
        let Role::Leader(leader) = &node.role else { return };
        if !leader.has_enough_in_sync() {
            return;
        }
        let epoch = leader.leader_epoch();
        let values: Vec<u64> = (1..=count).map(|number| first + number).collect();
        node.disk.entries.extend(values.iter().map(|value| Entry { epoch, value: *value }));
        node.waiting.insert(node.disk.end() - 1, (epoch, values));
        self.values += count;
        self.sync_later(id);
        self.settle(id);
    }

    pub(super) fn check_in_sync(&mut self) {
        let isr = &self.controller.state.isr;
        let disks = self.nodes.iter().map(|(id, node)| (*id, &node.disk));
        self.watchers.in_sync(isr, disks, self.min_insync);
    }

    pub(super) fn check_the_end(&mut self) {
        let logs = self.nodes.iter().map(|(id, node)| (*id, node.disk.entries.clone())).collect();
        self.watchers.end(&logs);
    }

    fn sync_later(&mut self, id: i32) {
        let node = &self.nodes[&id];
        let (life, end) = (node.life, node.disk.end());
        let delay_ms = self.random.between(1, self.manner.sync_ms);
        self.post(Letter::Synced { node: id, life, end }, delay_ms);
    }

    fn send(&mut self, letter: Letter) {
        if self.random.chance(self.manner.lost_percent) {
            return;
        }
        let doubled = self.random.chance(self.manner.doubled_percent);
        // Only fetches are told apart by what they say; a decision is asked for and answered once.
        let is_decision = matches!(letter, Letter::Alter { .. } | Letter::Altered { .. });
        let copies = 1 + u32::from(doubled && !is_decision);
        let is_late =
            matches!(letter, Letter::Alter { .. }) && self.random.chance(self.manner.late_percent);
        let late_ms = if is_late { self.random.between(LOST_MS, 3 * LOST_MS) } else { 0 };
        for _ in 0..copies {
            let delay_ms = self.random.between(1, self.manner.delay_ms);
            self.post(letter.clone(), delay_ms + late_ms);
        }
    }

    pub(super) fn post(&mut self, letter: Letter, delay_ms: u64) {
        self.letters += 1;
        self.wire.insert((self.now_ms + delay_ms.cast_signed(), self.letters), letter);
    }

    /// The follower fetches, if that is what there is to do.
    pub(super) fn look(&mut self, id: i32) {
        let (now_ms, number) = (self.now_ms, self.fetches + 1);
        let node = self.node(id);
        if !node.works() || node.awaits.is_some() {
            return;
        }
        let Role::Follower(follower) = &node.role else { return };
        if follower.asks_for_bounds() {
            let (to, boot, leader_epoch) = (follower.leader(), node.boot, follower.leader_epoch());
            self.send(Letter::AskBounds { from: id, to, boot, leader_epoch });
            return self.post(Letter::Look { node: id, boot }, LOST_MS);
        }
        let Some(point) = follower.fetch_point(now_ms, &node.disk.bounds()) else { return };
        let (to, boot, broker_epoch) = (follower.leader(), node.boot, node.broker_epoch);
        node.awaits = Some(number);
        self.fetches = number;
        self.send(Letter::Fetch { from: id, to, boot, number, point, broker_epoch });
        self.post(Letter::Lost { node: id, boot, number }, LOST_MS);
    }

    /// Something happened to the node's follower.
    pub(super) fn follow(&mut self, id: i32, event: follower::Event, log: &[Entry]) {
        let now_ms = self.now_ms;
        let node = self.node(id);
        let Role::Follower(follower) = &mut node.role else { return };
        let mut actions = Vec::new();
        follower.handle(now_ms, &node.disk.bounds(), event, &mut actions);
        let (pause_ends_ms, boot) = (follower.deadline_ms(), node.boot);
        self.perform_following(id, &actions, log);
        if let Some(at_ms) = pause_ends_ms {
            let delay_ms = at_ms.saturating_sub(now_ms).max(0).unsigned_abs();
            self.post(Letter::Look { node: id, boot }, delay_ms);
        }
    }

    /// Something happened to the node's leader.
    pub(super) fn lead(&mut self, id: i32, event: leader::Event<'_>) {
        let now_ms = self.now_ms;
        let node = self.node(id);
        let Role::Leader(leader) = &mut node.role else { return };
        let mut actions = Vec::new();
        leader.handle(now_ms, event, &mut actions);
        self.perform_leading(id, actions);
    }
}
