//! Every order of events of two and three replicas, explored by `stateright` on the very machines that run in
//! production: fetches and answers in any order or never, syncs that come late, views of the cluster that are
//! old, crashes that take what was not synced, elections at any moment.
//!
//! The bounds are budgets: so many records, elections, crashes and lapses of time in all. Of messages of one kind
//! between two replicas the newest is under way, the older ones are lost.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use ottla_replica::leader::{self, Proposal};
use stateright::{Checker, Model, Property};

use crate::controller::{Controller, Ruling};
use crate::log::Record;
use crate::node::{FetchRequest, FetchResponse, LAG_MS, Node, Role};

/// Records in one answer: one at a time, so that a follower may be anywhere.
const FETCHED_MAX: usize = 1;

/// What the whole exploration may use up.
#[derive(Debug, Clone, Copy)]
struct Budget {
    records: u8,
    elections: u8,
    crashes: u8,
    lapses: u8,
}

struct Partition {
    replicas: usize,
    min_insync: usize,
    budget: Budget,
}

/// The place of a message: each kind has one on each wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wire {
    Fetch(i32),
    Answer(i32),
    Alter(i32),
    Ruling(i32),
}

#[derive(Debug, Clone)]
enum Letter {
    Fetch(FetchRequest),
    Answer(FetchResponse),
    Alter(Proposal),
    Ruling(Proposal, Ruling),
}

#[derive(Debug, Clone)]
struct World {
    nodes: Vec<Node>,
    controller: Controller,
    wires: BTreeMap<Wire, Letter>,
    budget: Budget,
    now_ms: i64,
    min_insync: usize,
    /// What any leader ever called committed.
    committed: Vec<Record>,
    broken: Option<String>,
}

/// A world, and the number that stands for it: machines are no keys, their descriptions are.
#[derive(Clone)]
struct State {
    world: World,
    print: u64,
}

impl State {
    fn new(world: World) -> State {
        let mut print = Print(0xcbf2_9ce4_8422_2325);
        fmt::write(&mut print, format_args!("{world:?}")).unwrap();
        State { print: print.0, world }
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.print.hash(state);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        self.print == other.print
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.world.controller.now();
        write!(f, "leader {} epoch {} isr {:?}", now.leader, now.leader_epoch, now.isr)?;
        for node in &self.world.nodes {
            let (log, id) = (&node.log, node.id);
            let (records, durable, mark) = (log.records(), log.durable, log.high_watermark);
            write!(f, " | {id} up {} {records:?} durable {durable} committed {mark}", node.is_up)?;
        }
        write!(f, " | {:?}", self.world.broken)
    }
}

/// FNV-1a over what a description writes.
struct Print(u64);

impl fmt::Write for Print {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Append(usize),
    Sync(usize),
    Fetch(usize),
    /// The place of the wire in the order of all that are in use.
    Deliver(usize),
    Lose(usize),
    Learn(usize),
    /// Of what was not synced nothing is left, or all.
    Crash(usize, bool),
    Restart(usize),
    Elect(usize),
    Lapse,
}

impl Model for Partition {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let nodes = (0..self.replicas).map(|id| Node::new(id as i32, id as i64)).collect();
        let mut world = World {
            nodes,
            controller: Controller::new(self.replicas),
            wires: BTreeMap::new(),
            budget: self.budget,
            now_ms: 0,
            min_insync: self.min_insync,
            committed: Vec::new(),
            broken: None,
        };
        (0..self.replicas).for_each(|id| world.learn(id));
        vec![State::new(world)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        let world = &state.world;
        let budget = &world.budget;
        for (at, wire) in world.wires.keys().enumerate() {
            actions.push(Step::Deliver(at));
            // A fetch that is lost is asked again; what is not answered is not known.
            if matches!(wire, Wire::Answer(_) | Wire::Ruling(_)) {
                actions.push(Step::Lose(at));
            }
        }
        for (id, node) in world.nodes.iter().enumerate() {
            if !node.is_up {
                actions.push(Step::Restart(id));
                continue;
            }
            let leads = matches!(node.role, Role::Leader(_));
            if leads && budget.records > 0 {
                actions.push(Step::Append(id));
            }
            if !node.log.is_synced() {
                actions.push(Step::Sync(id));
            }
            if !leads && !node.is_fetching {
                actions.push(Step::Fetch(id));
            }
            if node.seen < world.controller.history.len() {
                actions.push(Step::Learn(id));
            }
            if budget.crashes > 0 {
                actions.push(Step::Crash(id, false));
                if !node.log.is_synced() {
                    actions.push(Step::Crash(id, true));
                }
            }
        }
        if budget.elections > 0 {
            actions.extend((0..world.controller.now().isr.len()).map(Step::Elect));
        }
        if budget.lapses > 0 {
            actions.push(Step::Lapse);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut world = last.world.clone();
        world.take(step);
        world.check();
        Some(State::new(world))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(PROMISES, |_, state: &State| state.world.broken.is_none()),
            Property::sometimes("all records are committed", |model: &Partition, state: &State| {
                state.world.committed.len() == usize::from(model.budget.records)
            }),
            Property::sometimes("a replica is out of sync", |_, state: &State| {
                state.world.controller.now().isr.len() < state.world.nodes.len()
            }),
        ]
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.world.broken.is_none()
    }
}

impl World {
    fn take(&mut self, step: Step) {
        match step {
            Step::Append(id) => {
                self.budget.records -= 1;
                let node = &mut self.nodes[id];
                let Role::Leader(leader) = &node.role else { return };
                let value = u64::from(self.budget.records);
                node.log.append(Record { epoch: leader.leader_epoch(), value });
            }
            Step::Sync(id) => {
                self.nodes[id].log.sync();
                self.lead(id, |node, now_ms, out| {
                    let Role::Leader(leader) = &mut node.role else { return };
                    let (durable_end, log_end) = (node.log.durable as i64, node.log.end() as i64);
                    leader.handle(now_ms, leader::Event::Durable { durable_end, log_end }, out);
                });
            }
            Step::Fetch(id) => {
                if let Some(request) = self.nodes[id].fetch(self.now_ms) {
                    self.wires.insert(Wire::Fetch(request.from), Letter::Fetch(request));
                }
            }
            Step::Deliver(at) => {
                let wire = *self.wires.keys().nth(at).unwrap();
                let letter = self.wires.remove(&wire).unwrap();
                self.deliver(wire, letter);
            }
            Step::Lose(at) => {
                let wire = *self.wires.keys().nth(at).unwrap();
                match (wire, self.wires.remove(&wire)) {
                    (Wire::Answer(id), _) => self.nodes[id as usize].is_fetching = false,
                    (wire, Some(Letter::Ruling(proposal, Ruling::Noted(_) | Ruling::Refused))) => {
                        self.wires.insert(wire, Letter::Ruling(proposal, Ruling::Unknown));
                    }
                    _ => {}
                }
            }
            Step::Learn(id) => self.learn(id),
            Step::Crash(id, keeps_all) => {
                self.budget.crashes -= 1;
                let node = &mut self.nodes[id];
                (node.is_up, node.role, node.is_fetching) = (false, Role::None, false);
                node.log.crash(if keeps_all { node.log.unsynced() } else { 0 });
                self.controller.fence(id as i32);
            }
            Step::Restart(id) => {
                self.controller.register(id as i32);
                let node = &mut self.nodes[id];
                (node.is_up, node.view, node.is_fetching) = (true, None, false);
                node.broker_epoch = self.controller.now().brokers[id].0;
                node.seen = self.controller.history.len() - 1;
                self.learn(id);
            }
            Step::Elect(choice) => {
                self.budget.elections -= 1;
                self.controller.elect(choice);
            }
            Step::Lapse => {
                self.budget.lapses -= 1;
                self.now_ms += LAG_MS + 1;
                for id in 0..self.nodes.len() {
                    self.lead(id, |node, now_ms, out| {
                        let Role::Leader(leader) = &mut node.role else { return };
                        leader.handle(now_ms, leader::Event::Tick, out);
                    });
                }
            }
        }
    }

    fn deliver(&mut self, wire: Wire, letter: Letter) {
        match (wire, letter) {
            (_, Letter::Fetch(request)) => {
                let Ok(to) = usize::try_from(request.to) else { return };
                if !self.nodes[to].is_up {
                    self.nodes[request.from as usize].is_fetching = false;
                    return;
                }
                let mut response = None;
                self.lead(to, |node, now_ms, out| {
                    response = Some(node.serve(&request, FETCHED_MAX, now_ms, out));
                });
                self.wires.insert(Wire::Answer(request.from), Letter::Answer(response.unwrap()));
            }
            (_, Letter::Answer(response)) => {
                let node = &mut self.nodes[response.to as usize];
                node.is_fetching = false;
                if node.is_up {
                    node.take_in(response, self.now_ms, &self.committed);
                }
            }
            (Wire::Alter(id), Letter::Alter(proposal)) => {
                let ruling = self.controller.alter(id, &proposal);
                self.wires.insert(Wire::Ruling(id), Letter::Ruling(proposal, ruling));
            }
            (Wire::Ruling(id), Letter::Ruling(proposal, ruling)) => {
                self.lead(id as usize, |node, now_ms, out| {
                    node.ruled(&proposal, &ruling, now_ms, out);
                });
            }
            (wire, letter) => unreachable!("{letter:?} is not sent by {wire:?}"),
        }
    }

    fn learn(&mut self, id: usize) {
        let min_insync = self.min_insync;
        let view = self.controller.history[self.nodes[id].seen].clone();
        self.nodes[id].seen += 1;
        self.lead(id, |node, now_ms, out| node.learn(&view, now_ms, min_insync, out));
        let node = &self.nodes[id];
        if let Role::Leader(leader) = &node.role
            && leader.leader_epoch() == self.controller.now().leader_epoch
            && !node.log.records().starts_with(&self.committed)
        {
            self.broken = Some(format!("{id} leads and lacks what is committed"));
        }
    }

    fn lead(&mut self, id: usize, act: impl FnOnce(&mut Node, i64, &mut Vec<leader::Action>)) {
        let mut out = Vec::new();
        let node = &mut self.nodes[id];
        act(node, self.now_ms, &mut out);
        if !self.nodes[id].is_up {
            return;
        }
        for action in out {
            match action {
                leader::Action::RaiseHighWatermark(to) => self.commit(id, to as usize),
                leader::Action::AlterPartition(proposal) => {
                    self.wires.insert(Wire::Alter(id as i32), Letter::Alter(proposal));
                }
                leader::Action::IsrChanged => {}
            }
        }
    }

    fn commit(&mut self, id: usize, to: usize) {
        let log = &mut self.nodes[id].log;
        if to > log.durable {
            self.broken = Some(format!("{id} commits {to} and has synced {}", log.durable));
            return;
        }
        log.high_watermark = log.high_watermark.max(to);
        let seen = &log.records()[..to];
        let both = to.min(self.committed.len());
        if seen[..both] != self.committed[..both] {
            self.broken = Some(format!("{id} commits another record at one offset"));
        } else if to > both {
            self.committed = seen.to_vec();
        }
    }

    /// What is committed is on stable storage of everybody in sync, and nobody shows anything else.
    fn check(&mut self) {
        for node in &self.nodes {
            let mark = node.log.high_watermark;
            if !self.committed.starts_with(&node.log.records()[..mark]) {
                self.broken = Some(format!("{} shows what is not committed", node.id));
            }
        }
        for id in &self.controller.now().isr {
            let stable = self.nodes[*id as usize].log.stable();
            if !stable.starts_with(&self.committed) {
                self.broken = Some(format!("{id} is in sync and has not synced what is committed"));
            }
        }
    }
}

/// The property that nothing may break.
const PROMISES: &str = "every promise is kept";
/// States of one exploration in the usual run; `OTTLA_MODEL_STATES` asks for more, 0 for all.
const STATES_MAX: usize = 100_000;

fn explore(replicas: usize, min_insync: usize, budget: Budget) {
    let asked = std::env::var("OTTLA_MODEL_STATES").ok().and_then(|asked| asked.parse().ok());
    let states_max = match asked.unwrap_or(STATES_MAX) {
        0 => usize::MAX,
        some => some,
    };
    let checker = Partition { replicas, min_insync, budget }.checker().threads(2);
    let checker = checker.target_state_count(states_max).spawn_bfs().join();
    let states = checker.unique_state_count();
    eprintln!("{replicas} replicas, {budget:?}: {states} states, depth {}", checker.max_depth());
    if checker.state_count() < states_max {
        checker.assert_properties();
    } else {
        // Something good may lie beyond what was looked at; a broken promise may not lie within.
        checker.assert_no_discovery(PROMISES);
    }
}

/// All of it.
#[test]
fn two_replicas_with_a_crash() {
    explore(2, 1, Budget { records: 1, elections: 0, crashes: 1, lapses: 0 });
}

#[test]
fn two_replicas_with_elections() {
    explore(2, 1, Budget { records: 2, elections: 1, crashes: 0, lapses: 1 });
}

#[test]
fn three_replicas_of_which_one_lags_and_one_crashes() {
    explore(3, 2, Budget { records: 1, elections: 0, crashes: 1, lapses: 1 });
}
