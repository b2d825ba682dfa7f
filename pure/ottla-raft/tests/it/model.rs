//! Every order of events of a small quorum, explored by `stateright` on the very machines that run in production:
//! deliveries in any order or never, time-outs, syncs that come late, crashes that take what was not synced.
//!
//! The bounds are budgets: so many time-outs, proposals and crashes in all. Of messages of one kind between two
//! replicas the newest is under way, the older ones are lost.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use ottla_protocol::Uuid;
use ottla_raft::message::{FetchAnswer, Request, Response};
use ottla_raft::replica::Endpoints;
use ottla_raft::{
    Action, Endpoint, Event, FetchReply, NodeId, OffsetAndEpoch, Raft, ReadFrom, ReplicaKey,
    RoleName, Settings, Start, Token, Voter, VoterSet,
};
use stateright::{Checker, Model, Property};

use crate::disk::{Disk, Entry};

/// More than any time-out of a voter, less than a leader's clock.
const ELAPSE_MS: i64 = 2_100;

/// What the whole exploration may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Budget {
    elapses: u8,
    proposals: u8,
    crashes: u8,
}

struct Quorum {
    voters: i32,
    budget: Budget,
}

#[derive(Clone, Debug)]
struct Replica {
    raft: Raft,
    disk: Disk,
    now_ms: i64,
    open: BTreeMap<Token, (NodeId, u64)>,
}

/// Kind of a message: each kind has one place on each wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Vote,
    Begin,
    End,
    Fetch,
    Answer,
}

#[derive(Debug, Clone)]
enum Letter {
    Request(u64, Request),
    Response(u64, Response),
}

#[derive(Clone, Debug)]
struct World {
    replicas: BTreeMap<NodeId, Replica>,
    wire: BTreeMap<(NodeId, NodeId, Kind), Letter>,
    budget: Budget,
    tokens: u64,
    leaders: BTreeMap<i32, NodeId>,
    committed: Vec<Entry>,
    broken: Option<String>,
}

/// A world, and the number that stands for it: machines are no keys, their descriptions are.
#[derive(Clone)]
struct State {
    world: World,
    print: u64,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.print.hash(state);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = |(id, replica): (&NodeId, &Replica)| {
            let (raft, disk) = (&replica.raft, &replica.disk);
            format!(
                "{id}: {:?} {:?} log {} synced {}",
                raft.role(),
                raft.election(),
                disk.end(),
                disk.synced
            )
        };
        let roles: Vec<String> = self.world.replicas.iter().map(role).collect();
        write!(
            f,
            "{roles:?} committed {} broken {:?}",
            self.world.committed.len(),
            self.world.broken
        )
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

impl State {
    fn new(world: World) -> Self {
        let mut print = Print(0xcbf2_9ce4_8422_2325);
        // The number of a token names nothing that matters.
        let World { replicas, wire, budget, leaders, committed, broken, .. } = &world;
        fmt::write(
            &mut print,
            format_args!("{replicas:?}{wire:?}{budget:?}{leaders:?}{committed:?}{broken:?}"),
        )
        .unwrap();
        Self { print: print.0, world }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    Deliver(NodeId, NodeId, Kind),
    Elapse(NodeId),
    Sync(NodeId),
    Propose(NodeId),
    Crash(NodeId),
}

fn endpoints(id: NodeId) -> Endpoints {
    let port = u16::try_from(id.0).unwrap();
    Endpoints::from([("CONTROLLER".into(), Endpoint { host: "node".into(), port })])
}

fn start(id: NodeId, voters: i32, disk: &Disk, now_ms: i64, out: &mut Vec<Action>) -> Raft {
    let voter = |id| Voter {
        key: ReplicaKey { id: NodeId(id), directory_id: None },
        endpoints: endpoints(NodeId(id)),
        kraft_versions: (0, 1),
    };
    let start = Start {
        me: ReplicaKey::new(id, Uuid::from_u128(1000 + id.0 as u128)),
        listener: "CONTROLLER".into(),
        endpoints: endpoints(id),
        settings: Settings::default(),
        kraft_versions: (0, 1),
        auto_join: false,
        bootstrap: Vec::new(),
        static_voters: VoterSet::new((1..=voters).map(voter)),
        voters: Vec::new(),
        election: disk.election.clone(),
        log: disk.view(),
        seed: u64::from(id.0.unsigned_abs()),
    };
    Raft::new(now_ms, start, out)
}

impl Model for Quorum {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let replica = |id| {
            let disk = Disk::default();
            // What it asks at the start is lost.
            let raft = start(NodeId(id), self.voters, &disk, 0, &mut Vec::new());
            (NodeId(id), Replica { raft, disk, now_ms: 0, open: BTreeMap::new() })
        };
        vec![State::new(World {
            replicas: (1..=self.voters).map(replica).collect(),
            wire: BTreeMap::new(),
            budget: self.budget,
            tokens: 0,
            leaders: BTreeMap::new(),
            committed: Vec::new(),
            broken: None,
        })]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        let world = &state.world;
        actions.extend(world.wire.keys().map(|(from, to, kind)| Step::Deliver(*from, *to, *kind)));
        for (id, replica) in &world.replicas {
            if world.budget.elapses > 0 {
                actions.push(Step::Elapse(*id));
            }
            if replica.disk.synced < replica.disk.end() {
                actions.push(Step::Sync(*id));
            }
            if world.budget.proposals > 0 && replica.raft.role() == RoleName::Leader {
                actions.push(Step::Propose(*id));
            }
            if world.budget.crashes > 0 {
                actions.push(Step::Crash(*id));
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut world = last.world.clone();
        world.take(step, self.voters);
        Some(State::new(world))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(PROMISES, |_, state: &State| state.world.broken.is_none()),
            Property::sometimes("a record is committed", |_, state: &State| {
                state.world.committed.iter().any(|entry| entry.value < u64::from(u32::MAX))
            }),
            Property::sometimes("there is a second epoch", |_, state: &State| {
                state.world.leaders.len() > 1
            }),
        ]
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.world.broken.is_none()
    }
}

impl World {
    fn take(&mut self, step: Step, voters: i32) {
        match step {
            Step::Deliver(from, to, kind) => {
                let letter = self.wire.remove(&(from, to, kind)).unwrap();
                self.deliver(from, to, letter);
            }
            Step::Elapse(id) => {
                self.budget.elapses -= 1;
                self.replicas.get_mut(&id).unwrap().now_ms += ELAPSE_MS;
                self.event(id, Event::Tick);
            }
            Step::Sync(id) => {
                let disk = &mut self.replicas.get_mut(&id).unwrap().disk;
                disk.synced = disk.end();
                let at = OffsetAndEpoch::new(disk.end(), disk.epoch_before(disk.end()));
                self.event(id, Event::Durable { at });
            }
            Step::Propose(id) => {
                self.budget.proposals -= 1;
                let value = u64::from(self.budget.proposals) + 1;
                let replica = self.replicas.get_mut(&id).unwrap();
                let mut out = Vec::new();
                let placed = replica.raft.propose(replica.now_ms, 1, &mut out);
                let (base, epoch) = placed.unwrap_or_else(|_| panic!("{id} leads"));
                replica.disk.append(base, &[Entry { epoch, value }]);
                self.carry_out(id, out);
            }
            Step::Crash(id) => {
                self.budget.crashes -= 1;
                let replica = self.replicas.get_mut(&id).unwrap();
                replica.disk.crash(0);
                replica.open.clear();
                let mut out = Vec::new();
                replica.raft = start(id, voters, &replica.disk, replica.now_ms, &mut out);
                self.carry_out(id, out);
            }
        }
        self.check_survival();
    }

    fn event(&mut self, id: NodeId, event: Event) {
        let replica = self.replicas.get_mut(&id).unwrap();
        let mut out = Vec::new();
        replica.raft.handle(replica.now_ms, event, &mut out);
        self.carry_out(id, out);
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, letter: Letter) {
        match letter {
            Letter::Request(correlation, request) => {
                self.tokens += 1;
                let token = Token(self.tokens);
                self.replicas.get_mut(&to).unwrap().open.insert(token, (from, correlation));
                self.event(to, Event::Request { token, request });
            }
            Letter::Response(correlation, response) => {
                self.event(to, Event::Response { from, correlation, response });
            }
        }
    }

    fn carry_out(&mut self, id: NodeId, actions: Vec<Action>) {
        for action in actions {
            self.carry_out_one(id, action);
        }
    }

    fn carry_out_one(&mut self, id: NodeId, action: Action) {
        let replica = self.replicas.get_mut(&id).unwrap();
        match action {
            Action::Persist(election) => replica.disk.election = election,
            Action::AppendLeaderChange { base_offset, epoch, .. } => {
                let value = u64::MAX - u64::from(id.0.unsigned_abs());
                replica.disk.append(base_offset, &[Entry { epoch, value }]);
            }
            Action::Append(batches) => {
                for batch in batches {
                    let value = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
                    let entry = |bytes| Entry { epoch: batch.epoch, value: value(bytes) };
                    let entries: Vec<Entry> = batch.bytes.chunks(8).map(entry).collect();
                    replica.disk.append(batch.base_offset, &entries);
                }
            }
            Action::Truncate(to) => replica.disk.truncate(to),
            Action::Send { to, correlation, request, .. } => {
                let kind = match &request {
                    Request::Vote(_) => Kind::Vote,
                    Request::BeginQuorumEpoch(_) => Kind::Begin,
                    Request::EndQuorumEpoch(_) => Kind::End,
                    _ => Kind::Fetch,
                };
                self.wire.insert((id, to, kind), Letter::Request(correlation, request));
            }
            Action::ReplyVote { token, reply } => self.reply(id, token, Response::Vote(reply)),
            Action::Reply { token, reply } => {
                self.reply(id, token, Response::BeginQuorumEpoch(reply));
            }
            Action::ReplyFetch { token, reply } => {
                let response = read(&replica.disk, reply);
                self.reply(id, token, response);
            }
            Action::Committed { high_watermark } => self.commit(id, high_watermark),
            Action::LeaderChanged { epoch, is_me: true, .. } => {
                let first = *self.leaders.entry(epoch).or_insert(id);
                if first != id {
                    self.broken = Some(format!("{first} and {id} lead epoch {epoch}"));
                }
            }
            Action::Fault { fatal: true, what } => self.broken = Some(what),
            _ => {}
        }
    }

    fn reply(&mut self, from: NodeId, token: Token, response: Response) {
        let open = &mut self.replicas.get_mut(&from).unwrap().open;
        let Some((to, correlation)) = open.remove(&token) else { return };
        self.wire.insert((from, to, Kind::Answer), Letter::Response(correlation, response));
    }

    fn commit(&mut self, id: NodeId, mark: i64) {
        let mut seen = self.replicas[&id].disk.history();
        seen.truncate(usize::try_from(mark).unwrap());
        let both = seen.len().min(self.committed.len());
        if seen[..both] != self.committed[..both] {
            self.broken = Some(format!("{id} commits another history"));
        } else if seen.len() > both {
            self.committed = seen;
        }
    }

    /// What is committed is on stable storage of a majority.
    fn check_survival(&mut self) {
        let committed = &self.committed;
        let has = |replica: &&Replica| {
            let stable = replica.disk.history();
            let synced = usize::try_from(replica.disk.synced).unwrap();
            synced >= committed.len() && stable[..committed.len()] == committed[..]
        };
        let holders = self.replicas.values().filter(has).count();
        if holders <= self.replicas.len() / 2 && self.broken.is_none() {
            self.broken = Some(format!("{} records on {holders} disks", committed.len()));
        }
    }
}

fn read(disk: &Disk, reply: FetchReply) -> Response {
    let FetchReply { answer, high_watermark, diverging, snapshot, read, .. } = reply;
    let batches = match read {
        Some(ReadFrom::Log { offset, .. }) => disk.read(offset, usize::MAX),
        _ => Vec::new(),
    };
    Response::Fetch(FetchAnswer { answer, high_watermark, diverging, snapshot, batches })
}

/// Depth first, to the end or to `states_max` states, whichever comes first.
fn explore(budget: Budget, states_max: usize) {
    let checker = Quorum { voters: 3, budget }.checker().threads(2);
    let checker = checker.target_state_count(states_max).spawn_dfs().join();
    let states = checker.unique_state_count();
    eprintln!("{budget:?}: {states} states, depth {}", checker.max_depth());
    if states_max == usize::MAX {
        checker.assert_properties();
    } else {
        // A commit may lie beyond what was looked at; a broken promise may not lie within.
        checker.assert_no_discovery(PROMISES);
        assert!(states > STATES_MAX / 10, "{states} states are no exploration");
    }
}

/// The property that nothing may break.
const PROMISES: &str = "every promise is kept";
/// States of one exploration in the usual run; `OTTLA_MODEL_STATES` asks for more, 0 for all.
const STATES_MAX: usize = 20_000;

fn states_max() -> usize {
    let asked = std::env::var("OTTLA_MODEL_STATES").ok().and_then(|asked| asked.parse().ok());
    match asked.unwrap_or(STATES_MAX) {
        0 => usize::MAX,
        some => some,
    }
}

#[test]
fn two_elections_and_a_commit() {
    explore(Budget { elapses: 2, proposals: 1, crashes: 0 }, states_max());
}
