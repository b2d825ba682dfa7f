//! From one role to another. What must not be forgotten is persisted first; a role's old answers mean nothing any more.

use ottla_plant::{Plant, planted};

use crate::action::Action;
use crate::election::{ElectionState, Tally};
use crate::raft::Raft;
use crate::replica::{Endpoints, NodeId, ReplicaKey};
use crate::role::{Follower, Leader, Role};

impl Raft {
    /// The role that fits what the disk remembers.
    pub(super) fn take_up(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        let election_due_ms = self.election_due(now_ms);
        let known = self.election.clone();
        if known.epoch < self.log.last_epoch() {
            // The file of the election state is older than the log: what it says of a vote is of an old epoch.
            let epoch = self.log.last_epoch();
            self.set_election(ElectionState { epoch, leader: None, voted: None }, out);
        } else if known.leader == Some(self.me.id) && planted(Plant::LeaderAgainInItsEpoch) {
            let mut tally = Tally::new(self.voters.latest().ids(), self.me.id);
            self.voters.latest().ids().into_iter().for_each(|id| tally.record(id, true));
            self.role = Role::Candidate { tally, election_due_ms };
            self.become_leader(now_ms, out);
        } else if known.leader == Some(self.me.id) {
            // Records that were not on stable storage may be gone: in this epoch it must not append again.
            self.leader_endpoints = self.endpoints.clone();
            let unacknowledged = self.other_voters();
            self.role = Role::Resigned { unacknowledged, successors: Vec::new(), election_due_ms };
        } else if known.voted.is_some_and(|voted| self.me.is_meant_by(&voted)) && self.may_stand() {
            let tally = Tally::new(self.voters.latest().ids(), self.me.id);
            self.role = Role::Candidate { tally, election_due_ms };
        } else if let Some(leader) = known.leader {
            let endpoints = self.voters.latest().endpoints(leader);
            if !endpoints.is_empty() {
                self.leader_endpoints = endpoints;
                self.role = self.follower(now_ms);
                let (epoch, leader) = (known.epoch, Some(leader));
                out.push(Action::LeaderChanged { epoch, leader, is_me: false });
            }
        }
        if let Role::Unattached { election_due_ms: due } = &mut self.role {
            *due = election_due_ms;
        }
        self.lead_if_alone(now_ms, out);
    }

    /// A quorum of one has nobody to wait for.
    fn lead_if_alone(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        if !self.voters.latest().is_only(&self.me) || matches!(self.role, Role::Leader(_)) {
            return;
        }
        if matches!(self.role, Role::Candidate { .. }) {
            self.become_leader(now_ms, out);
        } else {
            self.become_prospective(now_ms, out);
        }
    }

    /// `leader` may be known though nobody can say where it is.
    pub(super) fn become_unattached(
        &mut self,
        now_ms: i64,
        epoch: i32,
        leader: Option<NodeId>,
        out: &mut Vec<Action>,
    ) {
        let election_due_ms = match &self.role {
            // The clock runs on, or replicas that hear of ever newer epochs would never ask for an election.
            Role::Candidate { election_due_ms, .. }
            | Role::Unattached { election_due_ms }
            | Role::Resigned { election_due_ms, .. } => *election_due_ms,
            Role::Prospective { tally, election_due_ms } if !tally.is_lost() => *election_due_ms,
            _ => self.election_due(now_ms),
        };
        let voted = self.vote_kept_in(epoch);
        self.leave_role(out);
        self.leader_endpoints = Endpoints::new();
        self.role = Role::Unattached { election_due_ms };
        self.set_election(ElectionState { epoch, leader, voted }, out);
    }

    pub(super) fn become_follower(
        &mut self,
        now_ms: i64,
        epoch: i32,
        leader: NodeId,
        endpoints: Endpoints,
        out: &mut Vec<Action>,
    ) {
        assert!(leader != self.me.id && epoch >= self.election.epoch, "whom to follow is checked");
        let voted = self.vote_kept_in(epoch);
        let was_known = (self.election.epoch, self.election.leader) == (epoch, Some(leader));
        self.leave_role(out);
        self.leader_endpoints = endpoints;
        self.role = self.follower(now_ms);
        self.set_election(ElectionState { epoch, leader: Some(leader), voted }, out);
        if was_known {
            // Where it can be reached is news.
            out.push(Action::LeaderChanged { epoch, leader: Some(leader), is_me: false });
        }
        if planted(Plant::CutToHighWatermark) && self.log.end > self.committed {
            self.log.truncate(self.committed);
            out.push(Action::Truncate(self.committed));
        }
    }

    /// Asks first whether others would vote for it (KIP-996).
    pub(super) fn become_prospective(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        assert!(self.may_stand() && !matches!(self.role, Role::Leader(_)), "a voter that waits");
        self.leave_role(out);
        let tally = Tally::new(self.voters.latest().ids(), self.me.id);
        let election_due_ms = self.election_due(now_ms);
        let won = tally.is_won();
        self.role = Role::Prospective { tally, election_due_ms };
        if won {
            self.become_candidate(now_ms, out);
        }
    }

    /// A new epoch, and its own vote in it.
    pub(super) fn become_candidate(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        assert!(matches!(self.role, Role::Prospective { .. }), "an election is asked for first");
        self.leave_role(out);
        let tally = Tally::new(self.voters.latest().ids(), self.me.id);
        let election_due_ms = self.election_due(now_ms);
        let won = tally.is_won();
        self.leader_endpoints = Endpoints::new();
        self.role = Role::Candidate { tally, election_due_ms };
        let epoch = self.election.epoch + 1;
        self.set_election(ElectionState { epoch, leader: None, voted: Some(self.me) }, out);
        if won {
            self.become_leader(now_ms, out);
        }
    }

    /// Its first record says that it leads: nothing of before is committed until that is.
    pub(super) fn become_leader(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        let Role::Candidate { tally, .. } = &self.role else {
            panic!("only a candidate is elected")
        };
        assert!(tally.is_won(), "elected by a majority");
        let granting = tally.granted().iter().copied().collect();
        let epoch = self.election.epoch;
        let voters = self.voters.latest().clone();
        self.leave_role(out);
        self.leader_endpoints = self.endpoints.clone();
        let check_quorum_ms = self.settings.check_quorum_ms();
        let base_offset = self.log.end;
        let leader = Leader::new(self.me, base_offset, &voters, now_ms, check_quorum_ms);
        self.role = Role::Leader(Box::new(leader));
        let leader = Some(self.me.id);
        self.set_election(ElectionState { epoch, leader, voted: None }, out);
        self.log.append(epoch, 1);
        let ids = voters.ids().into_iter().collect();
        // Whoever formatted the quorum set its voters before any log: the first leader writes them into it.
        let first_voters = self.voters.latest_offset().is_some_and(|at| at < 0).then_some(voters);
        if let Some(set) = &first_voters {
            self.log.append(epoch, 2);
            self.voters.add(base_offset + 2, set.clone());
        }
        out.push(Action::AppendLeaderChange {
            base_offset,
            epoch,
            voters: ids,
            granting,
            first_voters,
        });
    }

    /// Leads no more, and says so to the other voters.
    pub(super) fn resign(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        let Role::Leader(leader) = &self.role else { return };
        let successors: Vec<ReplicaKey> = leader.successors();
        let unacknowledged = successors.iter().map(|voter| voter.id).collect();
        self.leave_role(out);
        let election_due_ms = self.election_due(now_ms);
        self.role = Role::Resigned { unacknowledged, successors, election_due_ms };
    }

    fn follower(&mut self, now_ms: i64) -> Role {
        let fetch_due_ms = self.fetch_due(now_ms);
        Role::Follower(Follower {
            fetch_due_ms,
            has_fetched: false,
            copying: None,
            quiet_until_ms: None,
        })
    }

    /// A vote is for an epoch, and for good in it.
    fn vote_kept_in(&self, epoch: i32) -> Option<ReplicaKey> {
        if epoch == self.election.epoch { self.election.voted } else { None }
    }

    /// Nothing that was asked in the old role is awaited, and nobody waits on it.
    fn leave_role(&mut self, out: &mut Vec<Action>) {
        self.peers.reset();
        self.wish.correlation = None;
        self.refuse_parked(out);
        self.refuse_change(out);
    }

    pub(super) fn set_election(&mut self, new: ElectionState, out: &mut Vec<Action>) {
        assert!(new.epoch >= self.election.epoch, "an epoch never falls");
        let changed = (new.epoch, new.leader) != (self.election.epoch, self.election.leader);
        if new != self.election {
            let only_voted = !changed && planted(Plant::VoteNotPersisted);
            self.election = new;
            if !only_voted {
                out.push(Action::Persist(self.election.clone()));
            }
        }
        if changed {
            let ElectionState { epoch, leader, .. } = self.election;
            let is_me = leader == Some(self.me.id);
            out.push(Action::LeaderChanged { epoch, leader, is_me });
        }
    }

    /// Chance keeps two voters from asking at the same time for ever.
    pub(super) fn election_due(&mut self, now_ms: i64) -> i64 {
        let timeout_ms = self.settings.election_timeout_ms;
        now_ms + timeout_ms + self.random.below(timeout_ms)
    }

    /// Followers hear of a record, and miss their leader, at the same moment: without chance both would stand
    /// in the same epoch, and neither win. Never later than configured.
    pub(super) fn fetch_due(&mut self, now_ms: i64) -> i64 {
        let timeout_ms = self.settings.fetch_timeout_ms;
        now_ms + timeout_ms - self.random.below((timeout_ms / 4).max(1))
    }

    pub(super) fn other_voters(&self) -> Vec<NodeId> {
        self.voters.latest().ids().into_iter().filter(|id| *id != self.me.id).collect()
    }
}
