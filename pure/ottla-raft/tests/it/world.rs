//! The world of a quorum: nodes, the wire between them, time, and faults.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ottla_protocol::{ErrorCode, Uuid};
use ottla_raft::message::{FetchAnswer, Request, Response, SnapshotAnswer};
use ottla_raft::replica::Endpoints;
use ottla_raft::{
    Action, Endpoint, Event, FetchReply, NodeId, OffsetAndEpoch, Raft, ReadFrom, ReplicaKey,
    RoleName, Settings, Start, Token, Voter, VoterSet,
};

use crate::dice::Dice;
use crate::disk::{Disk, Entry, MARK, SETS};
use crate::promises::Promises;

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
    /// The disk of a node finished a sync; void after a crash or a cut (`life`).
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
    /// The state machine of a node has come so far.
    Applied {
        node: NodeId,
        life: u64,
        offset: i64,
    },
}

pub(crate) struct Node {
    pub(crate) raft: Option<Raft>,
    pub(crate) disk: Disk,
    /// Counts crashes and cuts.
    life: u64,
    /// Requests that came in and were not answered yet: from whom, under which number, and whether for a snapshot.
    open: BTreeMap<Token, (NodeId, u64, bool)>,
    /// The leader that this life was last told of, and where it is.
    pub(crate) told: Option<(NodeId, Endpoints)>,
}

/// How bad the world is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    pub(crate) one_lost_in: i64,
    pub(crate) one_doubled_in: i64,
    pub(crate) delay_ms: i64,
    pub(crate) sync_ms: i64,
}

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) now_ms: i64,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    /// Those of the configuration, or of the format where that is dynamic.
    voters: VoterSet,
    /// `kraft.version` 1: the log says who votes.
    pub(crate) is_dynamic: bool,
    /// Observers know the voters by bootstrap servers alone.
    pub(crate) by_servers: bool,
    /// Nodes that want to vote.
    pub(crate) joiners: BTreeSet<NodeId>,
    /// The sets that values of records stand for.
    sets: Vec<VoterSet>,
    /// What became of the changes of voters that were asked for through the world.
    pub(crate) changes: Vec<ErrorCode>,
    wire: BTreeMap<(i64, u64), Letter>,
    letters: u64,
    tokens: u64,
    values: u64,
    pub(crate) faults: Faults,
    /// Pairs that cannot reach each other, in this direction.
    pub(crate) cut: BTreeSet<(NodeId, NodeId)>,
    pub(crate) promises: Promises,
}

pub(crate) const QUIET: Faults =
    Faults { one_lost_in: i64::MAX, one_doubled_in: i64::MAX, delay_ms: 2, sync_ms: 2 };

pub(crate) fn key(id: NodeId) -> ReplicaKey {
    ReplicaKey::new(id, Uuid::from_u128(1000 + id.0 as u128))
}

pub(crate) fn voter(id: NodeId) -> Voter {
    Voter { key: key(id), endpoints: endpoints(id), kraft_versions: (0, 1) }
}

fn endpoints(id: NodeId) -> Endpoints {
    let port = u16::try_from(id.0).unwrap();
    Endpoints::from([("CONTROLLER".into(), Endpoint { host: "node".into(), port })])
}

impl World {
    pub(crate) fn new(seed: u64, voters: i32, observers: i32, faults: Faults) -> Self {
        let mut world = Self::empty(seed, faults);
        world.voters = VoterSet::new((1..=voters).map(|id| {
            let key = ReplicaKey { id: NodeId(id), directory_id: None };
            Voter { key, ..voter(NodeId(id)) }
        }));
        (1..=voters + observers).for_each(|id| world.add_node(NodeId(id)));
        world
    }

    /// Nodes that were formatted with these voters, by directory, and may change them (KIP-853).
    pub(crate) fn dynamic(seed: u64, voters: i32, observers: i32, faults: Faults) -> Self {
        let mut world = Self { is_dynamic: true, ..Self::empty(seed, faults) };
        world.voters = VoterSet::new((1..=voters).map(|id| voter(NodeId(id))));
        (1..=voters + observers).for_each(|id| world.add_node(NodeId(id)));
        world
    }

    fn add_node(&mut self, id: NodeId) {
        let (disk, open) = (Disk::default(), BTreeMap::new());
        self.nodes.insert(id, Node { raft: None, disk, life: 0, open, told: None });
        self.start(id);
    }

    fn empty(seed: u64, faults: Faults) -> Self {
        Self {
            dice: Dice(seed),
            now_ms: 0,
            nodes: BTreeMap::new(),
            voters: VoterSet::default(),
            is_dynamic: false,
            by_servers: false,
            joiners: BTreeSet::new(),
            sets: Vec::new(),
            changes: Vec::new(),
            wire: BTreeMap::new(),
            letters: 0,
            tokens: 0,
            values: 0,
            faults,
            cut: BTreeSet::new(),
            promises: Promises::default(),
        }
    }

    pub(crate) fn start(&mut self, id: NodeId) {
        let node = &self.nodes[&id];
        let bootstrap = (1..=i32::try_from(self.voters.len()).unwrap()).map(NodeId);
        let is_observer = !bootstrap.clone().any(|voter| voter == id);
        let start = Start {
            me: key(id),
            listener: "CONTROLLER".into(),
            endpoints: endpoints(id),
            settings: Settings::default(),
            bootstrap: bootstrap
                .filter(|v| *v != id)
                .map(|v| endpoints(v)["CONTROLLER"].clone())
                .collect(),
            static_voters: match self.is_dynamic || (self.by_servers && is_observer) {
                true => VoterSet::default(),
                false => self.voters.clone(),
            },
            voters: self.voters_on(&node.disk, id),
            kraft_versions: (0, 1),
            auto_join: self.joiners.contains(&id),
            election: node.disk.election.clone(),
            log: node.disk.view(),
            seed: self.dice.roll(),
        };
        let mut actions = Vec::new();
        let raft = Raft::new(self.now_ms, start, &mut actions);
        self.nodes.get_mut(&id).unwrap().raft = Some(raft);
        self.carry_out(id, actions);
    }

    /// The sets along a node's log; one of the first voters has them from its format.
    fn voters_on(&self, disk: &Disk, id: NodeId) -> Vec<(i64, VoterSet)> {
        let is_formatted = self.is_dynamic && self.voters.contains(&key(id));
        let format = is_formatted.then(|| (-1, self.voters.clone()));
        let history = disk.history();
        let set = |(at, entry): (i64, &Entry)| Some((at, self.set(entry.value)?));
        format.into_iter().chain((0..).zip(&history).filter_map(set)).collect()
    }

    fn set(&self, value: u64) -> Option<VoterSet> {
        let number = value.checked_sub(SETS)?;
        self.sets.get(usize::try_from(number).unwrap()).cloned()
    }

    fn note_set(&mut self, set: &VoterSet) -> u64 {
        self.sets.push(set.clone());
        SETS + self.sets.len() as u64 - 1
    }

    /// Somebody asks `id` to change the voters; the answer, if one comes, is in `changes`.
    pub(crate) fn ask(&mut self, id: NodeId, request: Request) {
        self.ask_with(id, |token| Event::Request { token, request });
    }

    /// Anything else that is answered.
    pub(crate) fn ask_with(&mut self, id: NodeId, event: impl FnOnce(Token) -> Event) {
        self.tokens += 1;
        let (token, nobody) = (Token(self.tokens), NodeId(0));
        self.nodes.get_mut(&id).unwrap().open.insert(token, (nobody, 0, false));
        self.event(id, event(token));
    }

    /// The newest voters of the newest leader.
    pub(crate) fn voters(&self) -> VoterSet {
        let leader = self.leader().and_then(|leader| self.nodes[&leader].raft.as_ref());
        leader.map_or_else(VoterSet::default, |raft| raft.voters().clone())
    }

    pub(crate) fn crash(&mut self, id: NodeId) {
        let survives = self.dice.below(4);
        let node = self.nodes.get_mut(&id).unwrap();
        node.raft = None;
        node.told = None;
        node.life += 1;
        node.open.clear();
        node.disk.crash(survives);
    }

    /// Does what is due next; false if that is after `until_ms`.
    pub(crate) fn step(&mut self, until_ms: i64) -> bool {
        let tick = self.nodes.iter().filter_map(|(id, node)| {
            Some((node.raft.as_ref()?.deadline_ms().max(self.now_ms), *id))
        });
        let tick = tick.min();
        let letter = self.wire.keys().next().copied();
        match (tick, letter) {
            (tick, Some((due, n))) if tick.is_none_or(|(at, _)| due <= at) && due <= until_ms => {
                self.now_ms = self.now_ms.max(due);
                let letter = self.wire.remove(&(due, n)).unwrap();
                self.deliver(letter);
            }
            (Some((due, id)), _) if due <= until_ms => {
                self.now_ms = due;
                self.event(id, Event::Tick);
            }
            _ => {
                self.now_ms = until_ms;
                return false;
            }
        }
        self.check();
        true
    }

    pub(crate) fn run(&mut self, for_ms: i64) {
        let until_ms = self.now_ms + for_ms;
        while self.step(until_ms) {}
    }

    fn check(&self) {
        if self.is_dynamic {
            return;
        }
        let voters: Vec<&Disk> = self.voters.ids().iter().map(|id| &self.nodes[id].disk).collect();
        self.promises.survives(&voters);
    }

    pub(crate) fn leader(&self) -> Option<NodeId> {
        let leads = |node: &Node| node.raft.as_ref().is_some_and(|r| r.role() == RoleName::Leader);
        let leaders = self.nodes.iter().filter(|(_, node)| leads(node));
        leaders
            .max_by_key(|(_, node)| node.raft.as_ref().unwrap().election().epoch)
            .map(|(id, _)| *id)
    }

    /// A client writes `count` records through `id`.
    pub(crate) fn propose(&mut self, id: NodeId, count: i64) -> bool {
        let now_ms = self.now_ms;
        let mut actions = Vec::new();
        let node = self.nodes.get_mut(&id).unwrap();
        let Some(raft) = &mut node.raft else { return false };
        let Ok((base, epoch)) = raft.propose(now_ms, count, &mut actions) else { return false };
        let values: Vec<Entry> =
            (1..=count as u64).map(|n| Entry { epoch, value: self.values + n }).collect();
        self.values += count as u64;
        node.disk.append(base, &values);
        self.sync_later(id);
        self.carry_out(id, actions);
        true
    }

    pub(crate) fn event(&mut self, id: NodeId, event: Event) {
        let Some(raft) = &mut self.nodes.get_mut(&id).unwrap().raft else { return };
        let mut actions = Vec::new();
        raft.handle(self.now_ms, event, &mut actions);
        self.carry_out(id, actions);
    }

    /// A replica takes a snapshot of what it knows to be committed.
    pub(crate) fn snapshot(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).unwrap();
        let Some(raft) = &node.raft else { return };
        let end = raft.committed();
        if end <= node.disk.start || end > node.disk.synced {
            return;
        }
        let snapshot = node.disk.take_snapshot(end);
        self.event(id, Event::SnapshotTaken { snapshot, log_start: end });
    }

    fn carry_out(&mut self, id: NodeId, actions: Vec<Action>) {
        for action in actions {
            self.do_one(id, action);
        }
    }

    fn do_one(&mut self, id: NodeId, action: Action) {
        let node = self.nodes.get_mut(&id).unwrap();
        match action {
            Action::Persist(election) => {
                self.promises.persisted(id, &election);
                node.disk.election = election;
            }
            Action::AppendLeaderChange { base_offset, epoch, first_voters, .. } => {
                let set = first_voters.map(|set| self.note_set(&set));
                let values = set.map_or(vec![MARK], |set| vec![MARK, MARK, set]);
                self.append(id, base_offset, epoch, &values);
            }
            Action::AppendVoters { base_offset, epoch, voters, is_first } => {
                let set = self.note_set(&voters);
                let values = if is_first { vec![MARK, set] } else { vec![set] };
                self.append(id, base_offset, epoch, &values);
            }
            Action::Append(batches) => {
                for batch in batches {
                    let value = |b: &[u8]| u64::from_be_bytes(b.try_into().unwrap());
                    let entry = |b| Entry { epoch: batch.epoch, value: value(b) };
                    let entries: Vec<Entry> = batch.bytes.chunks(8).map(entry).collect();
                    node.disk.append(batch.base_offset, &entries);
                }
                self.sync_later(id);
            }
            Action::Truncate(to) => {
                node.life += 1;
                node.disk.truncate(to);
            }
            action @ Action::WriteSnapshot { .. } => self.write_snapshot(id, action),
            Action::RestartAt(at) => {
                node.life += 1;
                node.disk.install(at);
            }
            Action::Send { to, endpoint, correlation, request } => {
                // Bootstrap servers have no id yet: the address says who it is.
                let to = if to.0 < 0 { NodeId(i32::from(endpoint.port)) } else { to };
                self.send(Letter::Request { from: id, to, correlation, request });
            }
            Action::ReplyVote { token, reply } => self.reply(id, token, Response::Vote(reply)),
            Action::Reply { token, reply } => {
                self.reply(id, token, Response::BeginQuorumEpoch(reply));
            }
            Action::ReplyFetch { token, reply } => {
                let of_snapshot =
                    node.open.get(&token).is_some_and(|(_, _, of_snapshot)| *of_snapshot);
                let response = self.read(id, reply, of_snapshot);
                self.reply(id, token, response);
            }
            Action::Committed { high_watermark } => {
                let life = node.life;
                self.promises.commits(id, high_watermark, &self.nodes[&id].disk);
                let delay_ms = self.dice.below(self.faults.sync_ms);
                self.post(Letter::Applied { node: id, life, offset: high_watermark }, delay_ms);
            }
            Action::LeaderChanged { epoch, leader, is_me } => {
                let where_it_is = node.raft.as_ref().map(|raft| raft.leader_endpoints().clone());
                node.told = leader.zip(where_it_is);
                if is_me {
                    self.promises.leads(id, epoch);
                }
            }
            Action::Fault { fatal, what } => assert!(!fatal, "{id}: {what}"),
        }
    }

    fn write_snapshot(&mut self, id: NodeId, action: Action) {
        let Action::WriteSnapshot { snapshot, position, bytes, last } = action else { return };
        let node = self.nodes.get_mut(&id).unwrap();
        if position == 0 {
            node.disk.copy.clear();
        }
        assert_eq!(position, node.disk.copy.len() as i64, "pieces in order");
        node.disk.copy.extend_from_slice(&bytes);
        if last {
            let life = node.life;
            self.post(Letter::Installed { node: id, life, snapshot }, self.faults.sync_ms);
        }
    }

    fn append(&mut self, id: NodeId, base_offset: i64, epoch: i32, values: &[u64]) {
        let entries: Vec<Entry> =
            values.iter().map(|value| Entry { epoch, value: *value }).collect();
        self.nodes.get_mut(&id).unwrap().disk.append(base_offset, &entries);
        self.sync_later(id);
    }

    fn read(&mut self, id: NodeId, reply: FetchReply, of_snapshot: bool) -> Response {
        let FetchReply { answer, high_watermark, diverging, snapshot, read, .. } = reply;
        let disk = &self.nodes[&id].disk;
        if of_snapshot && read.is_none() {
            let (snapshot, bytes) = (OffsetAndEpoch::default(), Bytes::new());
            let refusal = SnapshotAnswer { answer, snapshot, size: 0, position: 0, bytes };
            return Response::FetchSnapshot(refusal);
        }
        if let Some(ReadFrom::Snapshot { snapshot, position, .. }) = read {
            let whole = disk.snapshot_bytes();
            let size = whole.len() as i64;
            let from = usize::try_from(position).unwrap().min(whole.len());
            let bytes = Bytes::copy_from_slice(&whole[from..whole.len().min(from + 160)]);
            let piece = SnapshotAnswer { answer, snapshot, size, position, bytes };
            return Response::FetchSnapshot(piece);
        }
        let limit = 1 + usize::try_from(self.dice.below(8)).unwrap();
        let mut batches = match read {
            Some(ReadFrom::Log { offset, .. }) => disk.read(offset, limit),
            _ => Vec::new(),
        };
        for batch in &mut batches {
            let value = u64::from_be_bytes(batch.bytes[..8].try_into().unwrap());
            batch.voters = self.set(value).map(|set| (batch.base_offset, set));
        }
        Response::Fetch(FetchAnswer { answer, high_watermark, diverging, snapshot, batches })
    }

    fn reply(&mut self, from: NodeId, token: Token, response: Response) {
        let Some((to, correlation, _)) = self.nodes.get_mut(&from).unwrap().open.remove(&token)
        else {
            return;
        };
        if to == NodeId(0) {
            return self.changes.extend(response.answer().map(|answer| answer.error));
        }
        self.send(Letter::Response { from, to, correlation, response });
    }

    fn sync_later(&mut self, id: NodeId) {
        let node = &self.nodes[&id];
        let end = node.disk.end();
        let at = OffsetAndEpoch::new(end, node.disk.epoch_before(end));
        let letter = Letter::Synced { node: id, life: node.life, at };
        let delay_ms = 1 + self.dice.below(self.faults.sync_ms);
        self.post(letter, delay_ms);
    }

    fn send(&mut self, letter: Letter) {
        if self.dice.one_in(self.faults.one_lost_in) {
            return;
        }
        let copies = if self.dice.one_in(self.faults.one_doubled_in) { 2 } else { 1 };
        for _ in 0..copies {
            let delay_ms = 1 + self.dice.below(self.faults.delay_ms);
            self.post(letter.clone(), delay_ms);
        }
    }

    fn post(&mut self, letter: Letter, delay_ms: i64) {
        self.letters += 1;
        self.wire.insert((self.now_ms + delay_ms, self.letters), letter);
    }

    fn deliver(&mut self, letter: Letter) {
        match letter {
            Letter::Request { from, to, correlation, request } => {
                if self.cut.contains(&(from, to)) {
                    return;
                }
                self.tokens += 1;
                let token = Token(self.tokens);
                let node = self.nodes.get_mut(&to).unwrap();
                if node.raft.is_none() {
                    let response = Response::Failed;
                    self.send(Letter::Response { from: to, to: from, correlation, response });
                    return;
                }
                let of_snapshot = matches!(request, Request::FetchSnapshot(_));
                node.open.insert(token, (from, correlation, of_snapshot));
                self.event(to, Event::Request { token, request });
            }
            Letter::Response { from, to, correlation, response } => {
                if self.cut.contains(&(from, to)) {
                    return;
                }
                self.answer(from, to, correlation, response);
            }
            Letter::Synced { node: id, life, at } => {
                let node = self.nodes.get_mut(&id).unwrap();
                if node.life == life {
                    node.disk.synced = node.disk.synced.max(at.offset);
                    self.event(id, Event::Durable { at });
                }
            }
            Letter::Applied { node: id, life, offset } => {
                if self.nodes[&id].life == life {
                    self.event(id, Event::Applied { offset });
                }
            }
            Letter::Installed { node: id, life, snapshot } => {
                if self.nodes[&id].life == life {
                    let voters = self.voters_in_copy(id, snapshot);
                    self.event(id, Event::SnapshotInstalled { snapshot, voters });
                }
            }
        }
    }

    fn voters_in_copy(&self, id: NodeId, at: OffsetAndEpoch) -> Option<(i64, VoterSet)> {
        let copy = self.nodes[&id].disk.copy.chunks(16);
        let values = copy.map(|entry| u64::from_be_bytes(entry[8..].try_into().unwrap()));
        values.filter_map(|value| self.set(value)).next_back().map(|set| (at.offset - 1, set))
    }

    /// The machine knows a bootstrap server by a negative id: the answer comes from that one too.
    fn answer(&mut self, from: NodeId, to: NodeId, correlation: u64, response: Response) {
        let others: Vec<NodeId> = self.voters.ids().into_iter().filter(|id| *id != to).collect();
        let alias = others.iter().position(|id| *id == from).map(|at| NodeId(-(at as i32) - 2));
        for from in [Some(from), alias].into_iter().flatten() {
            let response = response.clone();
            self.event(to, Event::Response { from, correlation, response });
        }
    }
}
