//! The world: nodes, messages on their way, the time, and what was committed.

use ottla_replica::leader::{self, Proposal};

use crate::controller::{Controller, Ruling};
use crate::log::{Log, Record};
use crate::node::{FetchRequest, FetchResponse, LAG_MS, Node, Role};
use crate::random::Random;

enum Message {
    Fetch(FetchRequest),
    Fetched(FetchResponse),
    Alter(i32, Proposal),
    Altered(i32, Proposal, Ruling),
}

pub(crate) struct Cluster {
    seed: u64,
    random: Random,
    now_ms: i64,
    min_insync: usize,
    nodes: Vec<Node>,
    controller: Controller,
    messages: Vec<Message>,
    /// What any leader ever called committed.
    committed: Vec<Record>,
    next_value: u64,
    fetches_to_election: usize,
}

impl Cluster {
    pub(crate) fn new(seed: u64) -> Cluster {
        let mut random = Random::new(seed);
        let count = 3 + random.below(3);
        let min_insync = 1 + random.below(2);
        let nodes = (0..count).map(|id| Node::new(id as i32, id as i64)).collect();
        let controller = Controller::new(count);
        let mut cluster = Cluster {
            seed,
            random,
            now_ms: 0,
            min_insync,
            nodes,
            controller,
            messages: Vec::new(),
            committed: Vec::new(),
            next_value: 0,
            fetches_to_election: 3,
        };
        (0..count).for_each(|id| cluster.learn(id));
        cluster
    }

    pub(crate) fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
            self.check();
        }
    }

    fn step(&mut self) {
        let id = self.random.below(self.nodes.len());
        match self.random.below(100) {
            0..20 => self.append(id),
            20..35 => self.sync(id),
            35..55 => self.fetch(id),
            55..82 => self.deliver(),
            82..90 => self.learn(id),
            90..93 => {
                let ms = self.random.below(20) as i64;
                self.pass(1 + ms);
            }
            93..95 => self.tick(id),
            95 => self.crash(id),
            96 => self.restart(id),
            97 => self.nodes[id].log.checkpointed = self.nodes[id].log.high_watermark,
            98 => self.trim(id),
            _ => self.pass(LAG_MS),
        }
    }

    fn append(&mut self, id: usize) {
        let node = &mut self.nodes[id];
        let Role::Leader(leader) = &mut node.role else { return };
        if node.is_up {
            self.next_value += 1;
            node.log.append(Record { epoch: leader.leader_epoch(), value: self.next_value });
        }
    }

    fn sync(&mut self, id: usize) {
        self.nodes[id].log.sync();
        self.lead(id, |node, now_ms, out| {
            let Role::Leader(leader) = &mut node.role else { return };
            let (durable_end, log_end) = (node.log.durable as i64, node.log.end() as i64);
            leader.handle(now_ms, leader::Event::Durable { durable_end, log_end }, out);
        });
    }

    fn fetch(&mut self, id: usize) {
        let Some(request) = self.nodes[id].fetch(self.now_ms) else { return };
        self.messages.push(Message::Fetch(request));
        self.fetches_to_election -= 1;
        if self.fetches_to_election == 0 {
            self.fetches_to_election = 1 + self.random.below(3);
            // Half of the runs have calmer times in between.
            if self.seed.is_multiple_of(2) || self.random.one_in(20) {
                let choice = self.random.below(16);
                self.controller.elect(choice);
            }
        }
    }

    /// Any message, not the oldest; some are lost, some come twice.
    fn deliver(&mut self) {
        if self.messages.is_empty() {
            return;
        }
        let at = self.random.below(self.messages.len());
        let message = self.messages.swap_remove(at);
        if self.random.one_in(12) {
            match message {
                Message::Fetch(request) => self.nodes[request.from as usize].is_fetching = false,
                Message::Fetched(response) => self.nodes[response.to as usize].is_fetching = false,
                Message::Alter(id, proposal) | Message::Altered(id, proposal, _) => {
                    self.messages.push(Message::Altered(id, proposal, Ruling::Unknown));
                }
            }
            return;
        }
        self.handle(message);
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Fetch(request) => {
                let to = usize::try_from(request.to).unwrap();
                if !self.nodes[to].is_up {
                    self.nodes[request.from as usize].is_fetching = false;
                    return;
                }
                if self.random.one_in(10) {
                    self.messages.push(Message::Fetch(request.clone()));
                }
                let limit = 1 + self.random.below(4);
                let mut response = None;
                self.lead(to, |node, now_ms, out| {
                    response = Some(node.serve(&request, limit, now_ms, out));
                });
                self.messages.push(Message::Fetched(response.unwrap()));
            }
            Message::Fetched(response) => {
                let node = &mut self.nodes[response.to as usize];
                node.is_fetching = false;
                if node.is_up {
                    node.take_in(response, self.now_ms, &self.committed);
                }
            }
            Message::Alter(id, proposal) => {
                let ruling = self.controller.alter(id, &proposal);
                self.messages.push(Message::Altered(id, proposal, ruling));
            }
            Message::Altered(id, proposal, ruling) => {
                self.lead(id as usize, |node, now_ms, out| {
                    node.ruled(&proposal, &ruling, now_ms, out);
                });
            }
        }
    }

    fn learn(&mut self, id: usize) {
        let min_insync = self.min_insync;
        let node = &mut self.nodes[id];
        if !node.is_up || node.seen == self.controller.history.len() {
            return;
        }
        let view = self.controller.history[node.seen].clone();
        node.seen += 1;
        self.lead(id, |node, now_ms, out| node.learn(&view, now_ms, min_insync, out));
        let node = &self.nodes[id];
        if let Role::Leader(leader) = &node.role
            && leader.leader_epoch() == self.controller.now().leader_epoch
        {
            let start = node.log.start();
            let (own, committed) = (&node.log.records()[start..], &self.committed[start..]);
            let has_all = own.starts_with(committed);
            assert!(has_all, "seed {}: a leader lacks what is committed", self.seed);
        }
    }

    fn tick(&mut self, id: usize) {
        self.lead(id, |node, now_ms, out| {
            let Role::Leader(leader) = &mut node.role else { return };
            leader.handle(now_ms, leader::Event::Tick, out);
        });
    }

    fn crash(&mut self, id: usize) {
        let node = &mut self.nodes[id];
        if !node.is_up {
            return;
        }
        (node.is_up, node.role, node.is_fetching) = (false, Role::None, false);
        let choice = self.random.below(64);
        node.log.crash(choice);
        self.controller.fence(id as i32);
        // A disk is exchanged now and then, but never the last one in sync.
        if self.random.one_in(4) && !self.controller.now().isr.contains(&(id as i32)) {
            self.nodes[id].log = Log::default();
        }
    }

    fn restart(&mut self, id: usize) {
        if self.nodes[id].is_up {
            return;
        }
        self.controller.register(id as i32);
        let node = &mut self.nodes[id];
        (node.is_up, node.view, node.is_fetching) = (true, None, false);
        node.broker_epoch = self.controller.now().brokers[id].0;
        // It knows everything up to its registration before it serves.
        node.seen = self.controller.history.len() - 1;
        self.learn(id);
    }

    /// DeleteRecords.
    fn trim(&mut self, id: usize) {
        let node = &mut self.nodes[id];
        if let Role::Leader(leader) = &node.role {
            let high_watermark = usize::try_from(leader.high_watermark()).unwrap();
            node.log.raise_start(high_watermark / 2);
        }
    }

    fn pass(&mut self, ms: i64) {
        self.now_ms += ms.abs();
    }

    /// Does what a leader's machine says.
    fn lead(&mut self, id: usize, act: impl FnOnce(&mut Node, i64, &mut Vec<leader::Action>)) {
        let mut out = Vec::new();
        let node = &mut self.nodes[id];
        if !node.is_up {
            // A message for nobody. Whoever is asked must answer something.
            act(node, self.now_ms, &mut Vec::new());
            return;
        }
        act(node, self.now_ms, &mut out);
        for action in out {
            match action {
                leader::Action::RaiseHighWatermark(to) => self.commit(id, to),
                leader::Action::AlterPartition(proposal) => {
                    self.messages.push(Message::Alter(id as i32, proposal));
                }
                leader::Action::IsrChanged => {}
            }
        }
    }

    fn commit(&mut self, id: usize, to: i64) {
        let log = &mut self.nodes[id].log;
        let to = usize::try_from(to).unwrap();
        assert!(to <= log.durable, "seed {}: committed is durable here", self.seed);
        log.high_watermark = log.high_watermark.max(to);
        for offset in log.start()..to {
            let record = log.records()[offset];
            match self.committed.get(offset) {
                Some(known) => {
                    assert_eq!(*known, record, "seed {}: offset {offset} names two", self.seed);
                }
                None => self.committed.push(record),
            }
        }
    }

    fn check(&self) {
        for node in &self.nodes {
            let log = &node.log;
            assert!(log.start() <= log.high_watermark && log.high_watermark <= log.end());
            let known = log.high_watermark.min(self.committed.len());
            assert_eq!(known, log.high_watermark, "seed {}: above what is committed", self.seed);
            // Below its start a log may hold what was never committed: nobody sees it.
            assert_eq!(
                log.records()[log.start()..known],
                self.committed[log.start()..known],
                "seed {}: node {} differs below its high watermark",
                self.seed,
                node.id
            );
        }
    }

    /// The faults end: soon everybody has everything, and is in sync.
    pub(crate) fn heal(&mut self) {
        (0..self.nodes.len()).for_each(|id| self.restart(id));
        for _ in 0..400 {
            for id in 0..self.nodes.len() {
                while self.nodes[id].seen < self.controller.history.len() {
                    self.learn(id);
                }
                self.tick(id);
                self.sync(id);
                if let Some(request) = self.nodes[id].fetch(self.now_ms) {
                    self.messages.push(Message::Fetch(request));
                }
            }
            for message in std::mem::take(&mut self.messages) {
                self.handle(message);
            }
            self.pass(LAG_MS / 5);
            self.check();
        }
        let seed = self.seed;
        let now = self.controller.now();
        assert_eq!(now.isr.len(), self.nodes.len(), "seed {seed}: not all are in sync: {now:?}");
        let leader = &self.nodes[usize::try_from(now.leader).unwrap()].log;
        assert_eq!(leader.high_watermark, leader.end(), "seed {seed}: not all is committed");
        for node in &self.nodes {
            let start = node.log.start().max(leader.start());
            let (own, leaders) = (&node.log.records()[start..], &leader.records()[start..]);
            assert_eq!(own, leaders, "seed {seed}: node {}", node.id);
            assert_eq!(node.log.high_watermark, leader.high_watermark, "seed {seed}");
        }
    }
}
