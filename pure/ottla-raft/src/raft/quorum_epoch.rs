//! A leader that begins its epoch, a leader that ends it, and what any answer says of who leads (KIP-595).

use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;

use crate::action::{Action, Token};
use crate::message::{Answer, BeginQuorumEpoch, EndQuorumEpoch};
use crate::raft::Raft;
use crate::replica::{Endpoints, NodeId, ReplicaKey};
use crate::role::Role;

impl Raft {
    pub(super) fn begin_requested(
        &mut self,
        now_ms: i64,
        token: Token,
        begin: BeginQuorumEpoch,
        out: &mut Vec<Action>,
    ) {
        let error = match self.refuse_voter_request(begin.leader, begin.epoch) {
            Some(error) => error,
            None => self.hear_leader(now_ms, begin.leader, begin.epoch, begin.endpoints, out),
        };
        let error = match begin.voter {
            Some(named) if error == ErrorCode::None && !self.me.is_meant_by(&named) => {
                ErrorCode::InvalidVoterKey
            }
            _ => error,
        };
        let reply = self.answer(error);
        out.push(Action::Reply { token, reply });
    }

    pub(super) fn end_requested(
        &mut self,
        now_ms: i64,
        token: Token,
        end: EndQuorumEpoch,
        out: &mut Vec<Action>,
    ) {
        let error = match self.refuse_voter_request(end.leader, end.epoch) {
            Some(error) => error,
            None => self.hear_leader(now_ms, end.leader, end.epoch, end.endpoints, out),
        };
        if error == ErrorCode::None && self.election.leader == Some(end.leader) {
            let due_ms = now_ms + self.succession_backoff_ms(&end.successors);
            if let Role::Follower(follower) = &mut self.role {
                follower.fetch_due_ms = due_ms;
            }
        }
        let reply = self.answer(error);
        out.push(Action::Reply { token, reply });
    }

    /// The first successor asks for votes at once, the others the later the further down they stand.
    fn succession_backoff_ms(&self, successors: &[ReplicaKey]) -> i64 {
        let max_ms = self.settings.election_backoff_max_ms;
        let position = successors.iter().position(|successor| self.me.is_meant_by(successor));
        match position {
            Some(0) => 0,
            Some(position) => {
                let halvings = (successors.len() - 1).min(62);
                let doublings = (position - 1).min(62);
                (max_ms >> halvings).saturating_mul(1 << doublings).min(max_ms)
            }
            None => max_ms,
        }
    }

    /// A request says that `leader` leads `epoch`, which is not an old one.
    fn hear_leader(
        &mut self,
        now_ms: i64,
        leader: NodeId,
        epoch: i32,
        endpoints: Endpoints,
        out: &mut Vec<Action>,
    ) -> ErrorCode {
        let endpoints = self.endpoints_of(leader, endpoints);
        if self.hear_of(now_ms, Some(leader), epoch, endpoints, out) {
            ErrorCode::None
        } else {
            ErrorCode::InvalidRequest
        }
    }

    /// Those that were told, else those the voters are known by.
    fn endpoints_of(&self, leader: NodeId, told: Endpoints) -> Endpoints {
        if told.is_empty() { self.voters.latest().endpoints(leader) } else { told }
    }

    /// Somebody says who leads in `epoch`. False, with nothing changed, if that cannot be.
    pub(super) fn hear_of(
        &mut self,
        now_ms: i64,
        leader: Option<NodeId>,
        epoch: i32,
        endpoints: Endpoints,
        out: &mut Vec<Action>,
    ) -> bool {
        let ours = self.election.epoch;
        let contradicts = match leader {
            Some(leader) if leader == self.me.id => {
                epoch > ours || (epoch == ours && self.election.leader != Some(leader))
            }
            Some(leader) => {
                epoch == ours && self.election.leader.is_some_and(|known| known != leader)
            }
            None => false,
        };
        if contradicts {
            let what = format!(
                "a peer says that {leader:?} leads epoch {epoch}; here {:?} leads epoch {ours}",
                self.election.leader
            );
            out.push(Action::Fault { fatal: false, what });
            return false;
        }
        if epoch < ours || leader == Some(self.me.id) {
            return true;
        }
        let news = epoch > ours
            || self.election.leader.is_none()
            || endpoints.len() > self.leader_endpoints.len();
        match leader {
            Some(leader) if news && !endpoints.is_empty() => {
                self.become_follower(now_ms, epoch, leader, endpoints, out);
            }
            // It cannot be reached: it will say where it is when it begins its epoch.
            Some(_) | None if epoch > ours => {
                self.become_unattached(now_ms, epoch, leader, out);
            }
            _ => {}
        }
        true
    }

    /// What every answer says. `Some` if there is nothing more to do with it; whether the peer is to be asked again at
    /// once (`true`), or left alone for a while.
    pub(super) fn hear_answer(
        &mut self,
        now_ms: i64,
        answer: Answer,
        out: &mut Vec<Action>,
    ) -> Option<bool> {
        let Answer { error, epoch, leader, endpoints } = answer;
        if epoch < self.election.epoch && planted(Plant::OldAnswerTaken) {
            return None;
        }
        if epoch < self.election.epoch || error == ErrorCode::UnknownLeaderEpoch {
            // Whoever looks for a leader asks others, and this one again when it may have learned of the epoch.
            return Some(!matches!(self.role, Role::Unattached { .. }));
        }
        let endpoints = match leader {
            Some(leader) => self.endpoints_of(leader, endpoints),
            None => endpoints,
        };
        let stale =
            error == ErrorCode::FencedLeaderEpoch || error == ErrorCode::NotLeaderOrFollower;
        if epoch > self.election.epoch || stale {
            // A peer that knows no more than this replica is not asked again at once.
            let before = (self.election.epoch, self.election.leader);
            let possible = self.hear_of(now_ms, leader, epoch, endpoints, out);
            return Some(possible && before != (self.election.epoch, self.election.leader));
        }
        // One that remembers who leads, and not where, has found that out by asking it.
        let looks_for_it =
            self.election.leader.is_none() || matches!(self.role, Role::Unattached { .. });
        if leader.is_some() && looks_for_it {
            if !self.hear_of(now_ms, leader, epoch, endpoints, out) {
                return Some(false);
            }
            return if error == ErrorCode::None { None } else { Some(true) };
        }
        match error {
            ErrorCode::BrokerNotAvailable | ErrorCode::InvalidRequest => Some(false),
            ErrorCode::InvalidVoterKey => Some(true),
            _ => None,
        }
    }

    /// The voter knows now who leads; its fetches will show whether it follows.
    pub(super) fn begin_answered(
        &mut self,
        now_ms: i64,
        answer: Answer,
        out: &mut Vec<Action>,
    ) -> bool {
        let error = answer.error;
        self.hear_answer(now_ms, answer, out).unwrap_or(error == ErrorCode::None)
    }

    pub(super) fn end_answered(
        &mut self,
        now_ms: i64,
        from: NodeId,
        answer: Answer,
        out: &mut Vec<Action>,
    ) -> bool {
        let error = answer.error;
        if let Some(answered) = self.hear_answer(now_ms, answer, out) {
            return answered;
        }
        if let Role::Resigned { unacknowledged, .. } = &mut self.role
            && error == ErrorCode::None
        {
            unacknowledged.retain(|voter| *voter != from);
        }
        error == ErrorCode::None
    }
}
