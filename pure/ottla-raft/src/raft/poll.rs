//! What time makes due, and what is to be sent. Called after every event.

use ottla_plant::{Plant, planted};

use crate::action::Action;
use crate::message::{BeginQuorumEpoch, EndQuorumEpoch, Fetch, FetchSnapshot, Request, Vote};
use crate::raft::Raft;
use crate::replica::{Endpoint, NodeId, ReplicaKey};
use crate::role::Role;

/// More changes of role than this at one moment mean a fault in this machine.
const TURNS_MAX: usize = 16;

impl Raft {
    pub(super) fn poll(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        for _ in 0..TURNS_MAX {
            if !self.turn(now_ms, out) {
                break;
            }
        }
        self.peers.expire(now_ms);
        self.answer_parked(now_ms, out);
        self.send(now_ms, out);
    }

    /// Changes the role if its time is up. True if it did.
    fn turn(&mut self, now_ms: i64, out: &mut Vec<Action>) -> bool {
        if !self.has_role_timer() || now_ms < self.role_due_ms() {
            return false;
        }
        match &self.role {
            Role::Unattached { .. } | Role::Follower(_) | Role::Candidate { .. } => {
                self.become_prospective(now_ms, out);
            }
            Role::Prospective { .. } => self.give_up_prospect(now_ms, out),
            Role::Leader(_) if planted(Plant::CheckQuorumForgotten) => self.lead_on(now_ms),
            Role::Leader(_) => self.resign(now_ms, out),
            // In its old epoch it could be taken for the leader it was.
            Role::Resigned { .. } => {
                self.become_unattached(now_ms, self.election.epoch + 1, None, out);
            }
        }
        true
    }

    /// As if a majority had been heard of.
    fn lead_on(&mut self, now_ms: i64) {
        if let Role::Leader(leader) = &mut self.role {
            leader.check_quorum_due_ms = now_ms + self.settings.check_quorum_ms();
        }
    }

    /// When the role ends by itself. A leader ends when no majority follows it.
    fn role_due_ms(&self) -> i64 {
        match &self.role {
            Role::Leader(leader) if leader.is_alone() => i64::MAX,
            Role::Leader(leader) => leader.check_quorum_due_ms,
            role => role.due_ms(),
        }
    }

    fn send(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        match &self.role {
            Role::Unattached { .. } => self.fetch_from_anybody(now_ms, out),
            Role::Prospective { tally, .. } | Role::Candidate { tally, .. } => {
                if !tally.is_lost() {
                    let silent = tally.silent().collect();
                    self.ask_for_votes(now_ms, silent, out);
                }
            }
            Role::Leader(_) => self.begin_epoch(now_ms, out),
            Role::Follower(_) => {
                self.fetch_from_leader(now_ms, out);
                self.wish(now_ms, out);
            }
            Role::Resigned { unacknowledged, .. } => {
                self.end_epoch(now_ms, unacknowledged.clone(), out);
            }
        }
    }

    fn ask_for_votes(&mut self, now_ms: i64, voters: Vec<NodeId>, out: &mut Vec<Action>) {
        let pre_vote = matches!(self.role, Role::Prospective { .. });
        for id in voters {
            let vote = Vote {
                candidate: self.me,
                epoch: self.election.epoch,
                last: self.end(),
                voter: self.voters.latest().get(id).map(|voter| voter.key),
                pre_vote,
            };
            self.send_to_voter(now_ms, id, Request::Vote(vote), out);
        }
    }

    fn begin_epoch(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        let silence_ms = self.settings.begin_quorum_ms();
        let Role::Leader(leader) = &mut self.role else { return };
        if now_ms < leader.begin_quorum_due_ms {
            return;
        }
        leader.begin_quorum_due_ms = now_ms + silence_ms;
        let strangers: Vec<ReplicaKey> = leader.strangers(now_ms, silence_ms);
        for voter in strangers {
            let begin = BeginQuorumEpoch {
                leader: self.me.id,
                epoch: self.election.epoch,
                endpoints: self.endpoints.clone(),
                voter: Some(voter),
            };
            self.send_to_voter(now_ms, voter.id, Request::BeginQuorumEpoch(begin), out);
        }
    }

    fn end_epoch(&mut self, now_ms: i64, voters: Vec<NodeId>, out: &mut Vec<Action>) {
        let Role::Resigned { successors, .. } = &self.role else { return };
        let end = EndQuorumEpoch {
            leader: self.me.id,
            epoch: self.election.epoch,
            endpoints: self.endpoints.clone(),
            successors: successors.clone(),
        };
        for id in voters {
            self.send_to_voter(now_ms, id, Request::EndQuorumEpoch(end.clone()), out);
        }
    }

    /// From the leader; while it does not answer, from anybody who may know a newer one.
    fn fetch_from_leader(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        let Some(leader) = self.election.leader else { return };
        if self.peers.is_backing_off(leader, now_ms) {
            self.fetch_from_anybody(now_ms, out);
            return;
        }
        if self.peers.is_awaiting(now_ms) || !self.may_fetch() || self.is_quiet(now_ms) {
            return;
        }
        let Some(endpoint) = self.leader_endpoints.get(&self.listener).cloned() else { return };
        let request = self.fetch_request();
        self.send_to(now_ms, leader, endpoint, request, out);
    }

    fn is_quiet(&mut self, now_ms: i64) -> bool {
        let Role::Follower(follower) = &mut self.role else { return false };
        follower.quiet_until_ms = follower.quiet_until_ms.filter(|until_ms| now_ms < *until_ms);
        follower.quiet_until_ms.is_some()
    }

    /// A voter that the log or the configuration names, or a bootstrap server; one at a time, in random order. Either may
    /// be out of date.
    fn fetch_from_anybody(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        if self.peers.is_awaiting(now_ms) || !self.may_fetch() {
            return;
        }
        let listener = &self.listener;
        let voters = self.voters.latest().iter().filter(|voter| voter.key.id != self.me.id);
        let mut known: Vec<(NodeId, Endpoint)> = voters
            .filter_map(|voter| Some((voter.key.id, voter.endpoints.get(listener)?.clone())))
            .collect();
        for (id, server) in &self.bootstrap {
            if !known.iter().any(|(_, endpoint)| endpoint == server) {
                known.push((*id, server.clone()));
            }
        }
        known.retain(|(id, _)| self.peers.is_ready(*id, now_ms));
        let Ok(count) = i64::try_from(known.len()) else { return };
        if count == 0 {
            return;
        }
        let Ok(chosen) = usize::try_from(self.random.below(count)) else { return };
        let (id, endpoint) = known.swap_remove(chosen);
        let request = self.fetch_request();
        self.send_to(now_ms, id, endpoint, request, out);
    }

    /// To the leader a fetch means "I have everything below": a controller says so once that is on stable storage, for the
    /// leader may have made it a voter, which it cannot know before the record of that has come. While a snapshot is being put in place there is no log to go on from.
    fn may_fetch(&self) -> bool {
        let installing = match &self.role {
            Role::Follower(follower) => follower.copying.is_some_and(|copying| copying.is_whole),
            _ => false,
        };
        let may_vote = self.is_voter() || !self.endpoints.is_empty();
        let synced = self.log.durable == self.log.end || planted(Plant::FollowerCountsUnsynced);
        !installing && (!may_vote || synced)
    }

    fn fetch_request(&self) -> Request {
        let (replica, epoch) = (self.me, self.election.epoch);
        if let Role::Follower(follower) = &self.role
            && let Some(copying) = follower.copying
        {
            return Request::FetchSnapshot(FetchSnapshot {
                replica,
                epoch,
                snapshot: copying.snapshot,
                position: copying.position,
                max_bytes: self.settings.snapshot_max_bytes,
            });
        }
        Request::Fetch(Fetch {
            replica,
            epoch,
            at: self.end(),
            max_wait_ms: self.settings.fetch_max_wait_ms,
            max_bytes: self.settings.fetch_max_bytes,
            high_watermark: self.committed.min(self.applied),
        })
    }

    fn send_to_voter(&mut self, now_ms: i64, id: NodeId, request: Request, out: &mut Vec<Action>) {
        let endpoint = self.voters.latest().endpoint(id, &self.listener).cloned();
        if let Some(endpoint) = endpoint
            && self.peers.is_ready(id, now_ms)
        {
            self.send_to(now_ms, id, endpoint, request, out);
        }
    }

    fn send_to(
        &mut self,
        now_ms: i64,
        to: NodeId,
        endpoint: Endpoint,
        request: Request,
        out: &mut Vec<Action>,
    ) {
        let correlation = self.peers.sent(to, now_ms + self.settings.request_timeout_ms);
        out.push(Action::Send { to, endpoint, correlation, request });
    }
}
