//! A broker with its replica: what a real one does around the machines.

use ottla_replica::follower::{self, Answer};
use ottla_replica::leader::{self, AlterOutcome, Altered, Fetch, FetchVerdict, Proposal, Settings};
use ottla_replica::{FetchPoint, Follower, Leader, Member, PartitionState};

use crate::controller::{Ruling, View};
use crate::log::{Log, Record};

pub(crate) const LAG_MS: i64 = 100;
const BACKOFF_MS: i64 = 20;

#[derive(Debug, Clone)]
pub(crate) enum Role {
    None,
    Leader(Box<Leader>),
    Follower(Follower),
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) is_up: bool,
    pub(crate) log: Log,
    pub(crate) role: Role,
    /// What of the controller's history it has seen.
    pub(crate) seen: usize,
    pub(crate) broker_epoch: i64,
    /// A fetch is on its way.
    pub(crate) is_fetching: bool,
    pub(crate) view: Option<View>,
}

/// A fetch on its way.
#[derive(Debug, Clone)]
pub(crate) struct FetchRequest {
    pub(crate) from: i32,
    pub(crate) to: i32,
    broker_epoch: i64,
    point: FetchPoint,
    log_start: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct FetchResponse {
    pub(crate) to: i32,
    point: FetchPoint,
    found: Found,
}

#[derive(Debug, Clone)]
enum Found {
    Records { records: Vec<Record>, high_watermark: i64, log_start: i64 },
    Diverging(follower::EpochEnd),
    OutOfRange { leader_epoch: i32, log_start: i64, log_end: i64 },
    Refused,
}

impl Node {
    pub(crate) fn new(id: i32, broker_epoch: i64) -> Node {
        Node {
            id,
            is_up: true,
            log: Log::default(),
            role: Role::None,
            seen: 0,
            broker_epoch,
            is_fetching: false,
            view: None,
        }
    }

    /// Learns what the controller decided.
    pub(crate) fn learn(
        &mut self,
        view: &View,
        now_ms: i64,
        min_insync: usize,
        out: &mut Vec<leader::Action>,
    ) {
        let replicas: Vec<i32> = (0..view.brokers.len()).map(|id| id as i32).collect();
        let state = PartitionState {
            replicas: &replicas,
            isr: &view.isr,
            leader_epoch: view.leader_epoch,
            partition_epoch: view.partition_epoch,
        };
        let before = self.view.replace(view.clone()).map_or(-1, |view| view.leader_epoch);
        let is_new = before != view.leader_epoch;
        if view.leader == self.id && view.brokers[self.id as usize].0 == self.broker_epoch {
            match &mut self.role {
                Role::Leader(leader) if !is_new => {
                    leader.handle(now_ms, leader::Event::Changed(state), out);
                }
                _ => {
                    self.log.begin_epoch(view.leader_epoch);
                    let settings = Settings { lag_max_ms: LAG_MS, min_insync };
                    let me = Member { id: self.id, broker_epoch: self.broker_epoch };
                    let own = self.log.own();
                    self.role = Role::Leader(Box::new(Leader::new(
                        now_ms, me, &state, &own, settings, out,
                    )));
                }
            }
        } else if is_new || matches!(self.role, Role::None) {
            let follower = Follower::new(view.leader, view.leader_epoch, BACKOFF_MS);
            self.role = Role::Follower(follower);
        }
        if let Role::Leader(leader) = &mut self.role {
            let active = view.brokers.iter().enumerate().filter(|(_, (_, active))| *active);
            let active: Vec<Member> = active
                .map(|(id, (epoch, _))| Member { id: id as i32, broker_epoch: *epoch })
                .collect();
            leader.handle(now_ms, leader::Event::Brokers(&active), out);
        }
    }

    pub(crate) fn fetch(&mut self, now_ms: i64) -> Option<FetchRequest> {
        let Role::Follower(follower) = &self.role else { return None };
        if self.is_fetching || !self.is_up {
            return None;
        }
        let point = follower.fetch_point(now_ms, &self.log.bounds())?;
        self.is_fetching = true;
        Some(FetchRequest {
            from: self.id,
            to: follower.leader(),
            broker_epoch: self.broker_epoch,
            point,
            log_start: self.log.start() as i64,
        })
    }

    /// As a leader: at most `limit` records.
    pub(crate) fn serve(
        &mut self,
        request: &FetchRequest,
        limit: usize,
        now_ms: i64,
        out: &mut Vec<leader::Action>,
    ) -> FetchResponse {
        let point = request.point;
        let answer = |found| FetchResponse { to: request.from, point, found };
        let Role::Leader(leader) = &mut self.role else { return answer(Found::Refused) };
        let is_known = leader.judge(request.from, request.broker_epoch) == FetchVerdict::Serve;
        if leader.leader_epoch() != point.leader_epoch || !is_known {
            return answer(Found::Refused);
        }
        let (log_start, log_end) = (self.log.start() as i64, self.log.end() as i64);
        if point.last_fetched_epoch >= 0 {
            let end = self.log.end_of(point.last_fetched_epoch);
            if end.epoch < 0 {
                let leader_epoch = leader.leader_epoch();
                return answer(Found::OutOfRange { leader_epoch, log_start, log_end });
            }
            if end.epoch < point.last_fetched_epoch || end.end_offset < point.offset {
                return answer(Found::Diverging(end));
            }
        }
        if point.offset < log_start || point.offset > log_end {
            let leader_epoch = leader.leader_epoch();
            return answer(Found::OutOfRange { leader_epoch, log_start, log_end });
        }
        let from = usize::try_from(point.offset).unwrap();
        let to = (from + limit).min(self.log.end());
        let records = self.log.records()[from..to].to_vec();
        let view = self.view.as_ref().unwrap();
        let (epoch, is_active) = view.brokers[request.from as usize];
        let fetch = Fetch {
            replica: request.from,
            broker_epoch: request.broker_epoch,
            is_eligible: is_active && epoch == request.broker_epoch,
            offset: point.offset,
            log_start: request.log_start,
            log_end,
        };
        leader.handle(now_ms, leader::Event::Fetched(fetch), out);
        let high_watermark = leader.high_watermark();
        answer(Found::Records { records, high_watermark, log_start })
    }

    /// As a follower.
    pub(crate) fn take_in(&mut self, response: FetchResponse, now_ms: i64, truth: &[Record]) {
        let Role::Follower(follower) = &mut self.role else { return };
        let bounds = self.log.bounds();
        let (mut records, mut bounds_told) = (Vec::new(), None);
        let answer = match response.found {
            Found::Records { records: found, high_watermark, log_start } => {
                records = found;
                let is_empty = records.is_empty();
                Answer::Records { high_watermark, log_start, is_empty }
            }
            Found::Diverging(leaders) => {
                Answer::Diverging { leaders, own: self.log.end_of(leaders.epoch) }
            }
            Found::OutOfRange { leader_epoch, log_start, log_end } => {
                bounds_told = Some((leader_epoch, log_start, log_end));
                Answer::OutOfRange
            }
            Found::Refused => Answer::Refused,
        };
        let mut out = Vec::new();
        let answered = follower::Event::Answered { point: response.point, answer };
        follower.handle(now_ms, &bounds, answered, &mut out);
        if let (Some(told), Some(follower::Action::AskBounds)) = (bounds_told, out.first()) {
            out.clear();
            let (leader_epoch, log_start, log_end) = told;
            let event = follower::Event::Bounds { leader_epoch, log_start, log_end };
            follower.handle(now_ms, &bounds, event, &mut out);
        }
        for action in out {
            match action {
                follower::Action::Append => {
                    records.iter().for_each(|record| self.log.append(*record));
                }
                follower::Action::Truncate { to, below_high_watermark } => {
                    assert!(!below_high_watermark, "no election was unclean");
                    self.log.truncate(usize::try_from(to).unwrap());
                }
                follower::Action::Restart { at } => {
                    self.log.restart(usize::try_from(at).unwrap(), truth);
                }
                follower::Action::RaiseHighWatermark(to) => {
                    let to = usize::try_from(to).unwrap().min(self.log.end());
                    self.log.high_watermark = self.log.high_watermark.max(to);
                }
                follower::Action::RaiseLogStart(to) => {
                    self.log.raise_start(usize::try_from(to).unwrap());
                }
                follower::Action::AskBounds => unreachable!("they were told"),
            }
        }
        follower.handle(now_ms, &self.log.bounds(), follower::Event::Done, &mut Vec::new());
    }

    pub(crate) fn ruled(
        &mut self,
        proposal: &Proposal,
        ruling: &Ruling,
        now_ms: i64,
        out: &mut Vec<leader::Action>,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        let outcome = match ruling {
            Ruling::Noted(view) => AlterOutcome::Noted {
                leader_epoch: view.leader_epoch,
                partition_epoch: view.partition_epoch,
                isr: &view.isr,
            },
            Ruling::Refused => AlterOutcome::Refused,
            Ruling::Unknown => AlterOutcome::Unknown,
        };
        let (leader_epoch, partition_epoch) = (proposal.leader_epoch, proposal.partition_epoch);
        let altered = Altered { leader_epoch, partition_epoch, outcome };
        leader.handle(now_ms, leader::Event::Altered(altered), out);
    }
}
