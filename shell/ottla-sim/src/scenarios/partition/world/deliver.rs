//! What was under way arrives.

use ottla_judge::watch::Entry;
use ottla_replica::follower::{Answer, EpochEnd};
use ottla_replica::leader::{AlterOutcome, Altered, Fetch, FetchVerdict, OwnLog, Settings};
use ottla_replica::{FetchPoint, Follower, Leader, Member, follower, leader};

use super::super::controller::{Decision, State};
use super::super::node::Role;
use super::{LAG_MS, Letter, World};

/// `replica.fetch.backoff.ms`
const BACKOFF_MS: i64 = 100;
/// Records of one answer at most.
const ANSWER_MAX: u64 = 6;

impl World {
    pub(super) fn deliver(&mut self, letter: Letter) {
        tracing::debug!(now_ms = self.now_ms, ?letter, "delivered");
        let to = match &letter {
            Letter::Told { to, .. }
            | Letter::Fetch { to, .. }
            | Letter::Answer { to, .. }
            | Letter::AskBounds { to, .. }
            | Letter::Bounds { to, .. }
            | Letter::Altered { to, .. } => Some(*to),
            Letter::Synced { node, .. } | Letter::Look { node, .. } | Letter::Lost { node, .. } => {
                Some(*node)
            }
            Letter::Alter { .. } | Letter::Fence { .. } | Letter::Unfence { .. } => None,
        };
        if let Some(node) = to.and_then(|to| self.nodes.get_mut(&to))
            && node.paused
        {
            node.held.push(letter);
            return;
        }
        match letter {
            Letter::Alter { from, boot, proposal } => {
                if self.cut.contains(&(from, 0)) {
                    return;
                }
                let decision = self.controller.alter(from, &proposal);
                if matches!(decision, Decision::Noted(_)) {
                    self.check_in_sync();
                    self.tell_all();
                }
                if !self.cut.contains(&(0, from)) {
                    self.send(Letter::Altered { to: from, boot, proposal, decision });
                }
            }
            Letter::Fence { node, epoch } => {
                // One that came back in time is not fenced.
                let state = &self.nodes[&node];
                if state.broker_epoch == epoch && !state.works() {
                    self.controller.fence(node);
                    self.tell_all();
                }
            }
            Letter::Unfence { node, epoch } => {
                if self.nodes[&node].works() {
                    self.controller.unfence(node, epoch);
                    self.tell_all();
                }
            }
            letter => self.deliver_to_node(letter),
        }
    }

    fn deliver_to_node(&mut self, letter: Letter) {
        match letter {
            Letter::Told { to, boot, number, state } if self.lives(to, boot) => {
                self.hear(to, number, &state);
            }
            Letter::Fetch { from, to, boot, number, point, broker_epoch }
                if self.nodes[&to].up && !self.cut.contains(&(from, to)) =>
            {
                let (answer, log) = self.serve(to, from, point, broker_epoch);
                let (from, to) = (to, from);
                self.send(Letter::Answer { from, to, boot, number, point, answer, log });
            }
            // Also one that is not awaited any more: the machine has to know that by itself.
            Letter::Answer { from, to, boot, number, point, answer, log }
                if self.lives(to, boot) && !self.cut.contains(&(from, to)) =>
            {
                let node = self.node(to);
                node.awaits = node.awaits.filter(|awaited| *awaited != number);
                let answer = self.with_own_end(to, answer);
                self.follow(to, follower::Event::Answered { point, answer }, &log);
            }
            Letter::AskBounds { from, to, boot, leader_epoch }
                if self.nodes[&to].up && !self.cut.contains(&(from, to)) =>
            {
                let log_end = self.nodes[&to].disk.end();
                let (from, to) = (to, from);
                self.send(Letter::Bounds { from, to, boot, leader_epoch, log_end });
            }
            Letter::Bounds { from, to, boot, leader_epoch, log_end }
                if self.lives(to, boot) && !self.cut.contains(&(from, to)) =>
            {
                let event = follower::Event::Bounds { leader_epoch, log_start: 0, log_end };
                self.follow(to, event, &[]);
            }
            Letter::Altered { to, boot, proposal, decision } if self.lives(to, boot) => {
                self.altered(to, &proposal, &decision);
            }
            Letter::Synced { node: id, life, end } => self.synced(id, life, end),
            Letter::Look { node, boot } if self.lives(node, boot) => {
                self.look(node);
            }
            Letter::Lost { node, boot, number }
                if self.lives(node, boot) && self.nodes[&node].awaits == Some(number) =>
            {
                self.node(node).awaits = None;
                self.follow(node, follower::Event::Unreachable, &[]);
            }
            _ => {}
        }
    }

    fn lives(&self, id: i32, boot: u64) -> bool {
        let node = &self.nodes[&id];
        node.up && node.boot == boot
    }

    fn synced(&mut self, id: i32, life: u64, end: i64) {
        let node = self.node(id);
        if node.life != life {
            return;
        }
        node.disk.synced = node.disk.synced.max(end.min(node.disk.end()));
        node.disk.written_mark = node.disk.high_watermark.min(node.disk.synced);
        let (durable_end, log_end) = (node.disk.synced, node.disk.end());
        self.lead(id, leader::Event::Durable { durable_end, log_end });
        self.look(id);
    }

    /// A decision of the controller arrives, in order.
    fn hear(&mut self, id: i32, number: u64, state: &State) {
        let (now_ms, min_insync) = (self.now_ms, self.min_insync);
        let node = self.node(id);
        if number <= node.seen {
            return;
        }
        node.seen = number;
        let known = match &node.role {
            Role::Leader(leader) => leader.leader_epoch(),
            Role::Follower(follower) => follower.leader_epoch(),
            Role::None => -1,
        };
        if state.leader_epoch < known {
            return;
        }
        if state.leader_epoch == known {
            self.lead(id, leader::Event::Changed(state.partition()));
            let active = state.members();
            return self.lead(id, leader::Event::Brokers(&active));
        }
        node.awaits = None;
        if state.leader != id {
            node.waiting.clear();
            node.role = Role::Follower(Follower::new(state.leader, state.leader_epoch, BACKOFF_MS));
            return self.look(id);
        }
        let me = Member { id, broker_epoch: node.broker_epoch };
        let log = OwnLog {
            high_watermark: node.disk.high_watermark,
            durable_end: node.disk.synced,
            log_end: node.disk.end(),
            epoch_start: node.disk.end(),
        };
        let settings = Settings { lag_max_ms: LAG_MS, min_insync };
        let mut actions = Vec::new();
        let leader = Leader::new(now_ms, me, &state.partition(), &log, settings, &mut actions);
        node.role = Role::Leader(Box::new(leader));
        self.watchers.leads(id, state.leader_epoch);
        self.perform_leading(id, actions);
        let active = state.members();
        self.lead(id, leader::Event::Brokers(&active));
    }

    /// A leader answers a follower's fetch.
    fn serve(
        &mut self,
        id: i32,
        replica: i32,
        point: FetchPoint,
        broker_epoch: i64,
    ) -> (Answer, Vec<Entry>) {
        let most = self.random.between(1, ANSWER_MAX) as usize;
        let known = self.controller.state.epoch_of(replica);
        let node = &self.nodes[&id];
        let Role::Leader(leader) = &node.role else { return (Answer::Refused, Vec::new()) };
        let serves = leader.leader_epoch() == point.leader_epoch
            && leader.judge(replica, broker_epoch) == FetchVerdict::Serve;
        if !serves {
            return (Answer::Refused, Vec::new());
        }
        let disk = &node.disk;
        if point.offset > disk.end() {
            return (Answer::OutOfRange, Vec::new());
        }
        let leaders = disk.end_of(point.last_fetched_epoch);
        let parts = point.last_fetched_epoch >= 0
            && (leaders.epoch < point.last_fetched_epoch || leaders.end_offset < point.offset);
        if parts {
            let own = EpochEnd { epoch: -1, end_offset: -1 };
            return (Answer::Diverging { leaders, own }, Vec::new());
        }
        let fetch = Fetch {
            replica,
            broker_epoch,
            is_eligible: known == Some(broker_epoch),
            offset: point.offset,
            log_start: 0,
            log_end: disk.end(),
        };
        self.lead(id, leader::Event::Fetched(fetch));
        let node = &self.nodes[&id];
        let from = usize::try_from(point.offset).unwrap_or(0);
        let log: Vec<Entry> = node.disk.entries[from..].iter().take(most).copied().collect();
        let high_watermark = node.disk.high_watermark;
        (Answer::Records { high_watermark, log_start: 0, is_empty: log.is_empty() }, log)
    }

    /// The follower adds where its own log ends the epoch that the leader named.
    fn with_own_end(&self, id: i32, answer: Answer) -> Answer {
        match answer {
            Answer::Diverging { leaders, .. } => {
                Answer::Diverging { leaders, own: self.nodes[&id].disk.end_of(leaders.epoch) }
            }
            answer => answer,
        }
    }

    fn altered(
        &mut self,
        id: i32,
        proposal: &ottla_replica::leader::Proposal,
        decision: &Decision,
    ) {
        let outcome = match decision {
            Decision::Noted(state) => AlterOutcome::Noted {
                leader_epoch: state.leader_epoch,
                partition_epoch: state.partition_epoch,
                isr: &state.isr,
            },
            Decision::Refused => AlterOutcome::Refused,
            Decision::Unknown => AlterOutcome::Unknown,
        };
        let (leader_epoch, partition_epoch) = (proposal.leader_epoch, proposal.partition_epoch);
        let altered = Altered { leader_epoch, partition_epoch, outcome };
        self.lead(id, leader::Event::Altered(altered));
    }
}
