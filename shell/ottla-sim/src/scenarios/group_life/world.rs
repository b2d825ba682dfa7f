//! A shard with its log and its clock. A crash takes what was not durable, and every parked request;
//! an answer is heard once all that was written before it is durable, as the broker promises.

use std::collections::BTreeMap;

use ottla_coordinator::{
    Client, Command, CoordinatorRecord, Decision, GroupSettings, Now, Reply, Shard, Soft, Token,
};
use ottla_protocol::Str;
use ottla_protocol::messages::JoinGroupRequest;

pub(super) struct World {
    shard: Shard,
    pub(super) soft: Soft,
    pub(super) now: Now,
    log: Vec<CoordinatorRecord>,
    /// How many records of the log survive a crash.
    durable: usize,
    settings: GroupSettings,
    /// Each with the length the log had.
    answers: BTreeMap<Token, (usize, Reply)>,
    next_token: u64,
}

impl World {
    pub(super) fn new(settings: GroupSettings) -> World {
        let mut world = World {
            shard: Shard::new(settings.clone()),
            soft: Soft::default(),
            now: Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 },
            log: Vec::new(),
            durable: 0,
            settings,
            answers: BTreeMap::new(),
            next_token: 0,
        };
        let decision = world.shard.start(&mut world.soft, world.now);
        world.apply(decision);
        world
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether the group is known, if only by its records.
    pub(super) fn knows(&self, group: &str) -> bool {
        self.shard.hard().groups().contains_key(group)
    }

    /// All that was written is on stable storage.
    pub(super) fn sync(&mut self) {
        self.durable = self.log.len();
    }

    /// The broker dies and comes back.
    pub(super) fn crash(&mut self) -> Result<(), String> {
        self.log.truncate(self.durable);
        self.answers.clear();
        self.shard = Shard::new(self.settings.clone());
        self.soft = Soft::default();
        for (offset, record) in self.log.iter().enumerate() {
            let replayed = self.shard.replay(offset as i64, -1, record);
            replayed.map_err(|error| format!("record {offset} is not replayed: {error:?}"))?;
        }
        let decision = self.shard.start(&mut self.soft, self.now);
        self.apply(decision);
        Ok(())
    }

    pub(super) fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    pub(super) fn ask(&mut self, command: impl FnOnce(Token) -> Command) -> Token {
        let token = self.token();
        self.handle(command(token));
        token
    }

    pub(super) fn join(&mut self, version: i16, request: JoinGroupRequest) -> Token {
        let client = Client { client_id: "client".into(), client_host: "/127.0.0.1".into() };
        self.ask(|token| {
            let member_suffix = Str::from(format!("{:04}", token.0));
            Command::JoinGroup { token, client, version, member_suffix, request }
        })
    }

    pub(super) fn handle(&mut self, command: Command) {
        let decision = self.shard.handle(&mut self.soft, self.now, command);
        self.apply(decision);
        self.fire_due();
    }

    /// An answer that may be heard by now.
    pub(super) fn answer(&mut self, token: Token) -> Option<Reply> {
        let (written, _) = self.answers.get(&token)?;
        if *written > self.durable {
            return None;
        }
        self.answers.remove(&token).map(|(_, reply)| reply)
    }

    /// Time passes; every timer fires at its own moment.
    pub(super) fn advance(&mut self, ms: i64) {
        let end = self.now.mono_ms + ms;
        while let Some(deadline) = self.soft.deadline().filter(|deadline| *deadline <= end) {
            self.set_clock(deadline.max(self.now.mono_ms));
            self.fire_due();
        }
        self.set_clock(end);
    }

    fn apply(&mut self, decision: Decision) {
        for record in decision.records {
            let replayed = self.shard.replay(self.log.len() as i64, -1, &record);
            replayed.expect("the machine reads what it wrote");
            self.log.push(record);
        }
        for completion in decision.completions {
            self.answers.insert(completion.token, (self.log.len(), completion.reply));
        }
    }

    fn fire_due(&mut self) {
        while self.soft.deadline().is_some_and(|deadline| deadline <= self.now.mono_ms) {
            let decision = self.shard.handle(&mut self.soft, self.now, Command::Timeout);
            self.apply(decision);
        }
    }

    fn set_clock(&mut self, mono_ms: i64) {
        self.now.wall_ms += mono_ms - self.now.mono_ms;
        self.now.mono_ms = mono_ms;
    }
}
