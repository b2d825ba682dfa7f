//! The least world around a shard: a log, a clock, and a place for answers.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_coordinator::group::classic::State;
use ottla_coordinator::{
    Client, Command, CoordinatorRecord, Decision, GroupSettings, Now, Reply, Shard, Soft, Token,
};
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
    SyncGroupResponse, leave_group_request,
};
use ottla_protocol::{ErrorCode, Str};

pub(crate) const GROUP: &str = "g";
pub(crate) const SESSION_MS: i32 = 10_000;
pub(crate) const REBALANCE_MS: i32 = 30_000;

pub(crate) struct World {
    pub(crate) shard: Shard,
    pub(crate) soft: Soft,
    pub(crate) now: Now,
    pub(crate) log: Vec<CoordinatorRecord>,
    settings: GroupSettings,
    answers: BTreeMap<Token, Reply>,
    next_token: u64,
}

pub(crate) fn settings() -> GroupSettings {
    GroupSettings { initial_rebalance_delay_ms: 0, ..GroupSettings::default() }
}

impl World {
    pub(crate) fn new(settings: GroupSettings) -> Self {
        let mut world = Self {
            shard: Shard::new(settings.clone()),
            soft: Soft::default(),
            now: Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 },
            log: Vec::new(),
            settings,
            answers: BTreeMap::new(),
            next_token: 0,
        };
        world.start();
        world
    }

    fn start(&mut self) {
        let decision = self.shard.start(&mut self.soft, self.now);
        self.apply(decision);
    }

    /// Loses everything that is not in the log.
    pub(crate) fn restart(&mut self) {
        self.shard = Shard::new(self.settings.clone());
        self.soft = Soft::default();
        for (offset, record) in self.log.iter().enumerate() {
            self.shard.replay(offset as i64, -1, record).unwrap();
        }
        self.start();
    }

    pub(crate) fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    /// One command, then everything that is due already.
    pub(crate) fn handle(&mut self, command: Command) {
        let decision = self.shard.handle(&mut self.soft, self.now, command);
        self.apply(decision);
        self.fire_due();
    }

    fn apply(&mut self, decision: Decision) {
        for record in decision.records {
            self.shard.replay(self.log.len() as i64, -1, &record).unwrap();
            self.log.push(record);
        }
        for completion in decision.completions {
            let twice = self.answers.insert(completion.token, completion.reply);
            assert_eq!(twice, None, "a token is answered once");
        }
        self.check_stable_groups();
    }

    /// A stable group is what its last record says.
    fn check_stable_groups(&self) {
        for group in self.soft.live_groups().filter(|group| group.state() == State::Stable) {
            let known = self.shard.hard().groups().values();
            let known = known.filter(|known| known.members.len() == group.members().count());
            assert!(
                known.into_iter().any(|known| {
                    known.generation == group.generation()
                        && known.leader.as_ref() == group.leader()
                        && known.members.iter().zip(group.members()).all(|(stored, live)| {
                            stored.member_id == live.member_id
                                && stored.assignment == live.assignment
                        })
                }),
                "stable group without its record: {group:?}"
            );
        }
    }

    fn fire_due(&mut self) {
        while self.soft.deadline().is_some_and(|deadline| deadline <= self.now.mono_ms) {
            let decision = self.shard.handle(&mut self.soft, self.now, Command::Timeout);
            self.apply(decision);
        }
    }

    /// Time passes; every timer fires at its own moment.
    pub(crate) fn advance(&mut self, ms: i64) {
        let end = self.now.mono_ms + ms;
        while let Some(deadline) = self.soft.deadline().filter(|deadline| *deadline <= end) {
            self.set_clock(deadline.max(self.now.mono_ms));
            self.fire_due();
        }
        self.set_clock(end);
    }

    fn set_clock(&mut self, mono_ms: i64) {
        self.now.wall_ms += mono_ms - self.now.mono_ms;
        self.now.mono_ms = mono_ms;
    }

    pub(crate) fn answer(&mut self, token: Token) -> Option<Reply> {
        self.answers.remove(&token)
    }

    pub(crate) fn joined(&mut self, token: Token) -> Option<JoinGroupResponse> {
        self.answer(token).map(|reply| match reply {
            Reply::JoinGroup(response) => response,
            other => panic!("not a JoinGroup answer: {other:?}"),
        })
    }

    pub(crate) fn synced(&mut self, token: Token) -> Option<SyncGroupResponse> {
        self.answer(token).map(|reply| match reply {
            Reply::SyncGroup(response) => response,
            other => panic!("not a SyncGroup answer: {other:?}"),
        })
    }

    pub(crate) fn join(&mut self, version: i16, request: JoinGroupRequest) -> Token {
        let token = self.token();
        let client =
            Client { client_id: Str::from("client"), client_host: Str::from("/127.0.0.1") };
        let member_suffix = Str::from(format!("{:04}", token.0));
        self.handle(Command::JoinGroup { token, client, version, member_suffix, request });
        token
    }

    pub(crate) fn sync(&mut self, request: SyncGroupRequest) -> Token {
        let token = self.token();
        self.handle(Command::SyncGroup { token, request });
        token
    }

    pub(crate) fn heartbeat(&mut self, member_id: &Str, generation_id: i32) -> ErrorCode {
        self.heartbeat_as(member_id, None, generation_id)
    }

    pub(crate) fn heartbeat_as(
        &mut self,
        member_id: &Str,
        instance: Option<&'static str>,
        generation_id: i32,
    ) -> ErrorCode {
        let token = self.token();
        let request = HeartbeatRequest {
            group_id: Str::from(GROUP),
            member_id: member_id.clone(),
            group_instance_id: instance.map(Str::from),
            generation_id,
            ..Default::default()
        };
        self.handle(Command::Heartbeat { token, request });
        match self.answer(token) {
            Some(Reply::Heartbeat(response)) => error(response.error_code),
            other => panic!("not a Heartbeat answer: {other:?}"),
        }
    }

    pub(crate) fn leave(&mut self, identities: &[(&str, Option<&'static str>)]) -> Vec<ErrorCode> {
        let token = self.token();
        let members =
            identities.iter().map(|(member_id, instance)| leave_group_request::MemberIdentity {
                member_id: Str::copy_from(member_id),
                group_instance_id: instance.map(Str::from),
                ..Default::default()
            });
        let request = LeaveGroupRequest {
            group_id: Str::from(GROUP),
            members: members.collect(),
            ..Default::default()
        };
        self.handle(Command::LeaveGroup { token, version: 5, request });
        match self.answer(token) {
            Some(Reply::LeaveGroup(response)) => {
                response.members.iter().map(|member| error(member.error_code)).collect()
            }
            other => panic!("not a LeaveGroup answer: {other:?}"),
        }
    }

    /// A stable group of `count` dynamic members; the first one leads.
    pub(crate) fn stable_group(&mut self, count: usize) -> (i32, Vec<Str>) {
        let tokens: Vec<Token> = (0..count).map(|_| self.join(3, join_request("", None))).collect();
        let mut tokens = tokens;
        if count > 1 {
            // The second member's join asked the first one to come again.
            let first = self.joined(tokens[0]).unwrap();
            tokens[0] = self.join(3, join_request(&first.member_id, None));
        }
        let answers: Vec<_> = tokens.iter().map(|token| self.joined(*token).unwrap()).collect();
        let generation = answers[0].generation_id;
        let leader = answers.iter().find(|a| a.leader == a.member_id).unwrap().clone();
        for answer in answers.iter().filter(|a| a.member_id != leader.member_id) {
            self.sync(sync_request(&answer.member_id, generation, &[]));
        }
        let ids: Vec<Str> = answers.iter().map(|a| a.member_id.clone()).collect();
        let shares: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
        self.sync(sync_request(&leader.member_id, generation, &shares));
        assert_eq!(self.soft.group(GROUP).unwrap().state(), State::Stable);
        (generation, ids)
    }

    pub(crate) fn max_size(&self) -> usize {
        self.settings.max_size
    }

    pub(crate) fn state(&self) -> Option<State> {
        let at_rest = self.shard.hard().groups().get(GROUP).map(|_| State::Empty);
        self.soft.group(GROUP).map(|group| group.state()).or(at_rest)
    }
}

pub(crate) fn error(code: i16) -> ErrorCode {
    ErrorCode::from_code(code).unwrap()
}

pub(crate) fn protocol(name: &'static str, metadata: &'static [u8]) -> JoinGroupRequestProtocol {
    JoinGroupRequestProtocol {
        name: Str::from(name),
        metadata: Bytes::from_static(metadata),
        ..Default::default()
    }
}

pub(crate) fn join_request(member_id: &str, instance: Option<&'static str>) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: Str::from(GROUP),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        member_id: Str::copy_from(member_id),
        group_instance_id: instance.map(Str::from),
        protocol_type: Str::from("consumer"),
        protocols: vec![protocol("range", b"\0\0\0\0\0\x01\0\x01t\0\0\0\0")],
        ..Default::default()
    }
}

pub(crate) fn sync_request(
    member_id: &str,
    generation_id: i32,
    shares: &[(&str, &str)],
) -> SyncGroupRequest {
    let assignments = shares.iter().map(|(member_id, share)| SyncGroupRequestAssignment {
        member_id: Str::copy_from(member_id),
        assignment: Bytes::copy_from_slice(share.as_bytes()),
        ..Default::default()
    });
    SyncGroupRequest {
        group_id: Str::from(GROUP),
        generation_id,
        member_id: Str::copy_from(member_id),
        protocol_type: Some(Str::from("consumer")),
        protocol_name: Some(Str::from("range")),
        assignments: assignments.collect(),
        ..Default::default()
    }
}
