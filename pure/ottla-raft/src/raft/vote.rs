//! Votes, asked for and given (KIP-595, pre-votes KIP-996).

use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;

use crate::action::{Action, Token};
use crate::election::ElectionState;
use crate::message::{Vote, VoteAnswer};
use crate::raft::Raft;
use crate::replica::NodeId;
use crate::role::Role;

impl Raft {
    pub(super) fn vote_requested(
        &mut self,
        now_ms: i64,
        token: Token,
        vote: &Vote,
        out: &mut Vec<Action>,
    ) {
        let (error, granted) = match self.refuse_vote(vote) {
            Some(error) => (error, false),
            None => self.decide_vote(now_ms, vote, out),
        };
        let reply = VoteAnswer { answer: self.answer(error), granted };
        out.push(Action::ReplyVote { token, reply });
    }

    /// What can be refused without a look at the role.
    fn refuse_vote(&self, vote: &Vote) -> Option<ErrorCode> {
        // A candidate's epoch is new, a prospective one's may have a leader and records already.
        let from_the_future =
            vote.last.epoch > vote.epoch || (!vote.pre_vote && vote.last.epoch == vote.epoch);
        if vote.last.offset < 0 || vote.last.epoch < 0 || from_the_future {
            return Some(ErrorCode::InvalidRequest);
        }
        self.refuse_voter_request(vote.candidate.id, vote.epoch)
    }

    /// Between voters: an old epoch is fenced, and a sender has an id, which is not this node's.
    pub(super) fn refuse_voter_request(&self, from: NodeId, epoch: i32) -> Option<ErrorCode> {
        if epoch < self.election.epoch {
            Some(ErrorCode::FencedLeaderEpoch)
        } else if from.0 < 0 || from == self.me.id {
            Some(ErrorCode::InvalidRequest)
        } else {
            None
        }
    }

    fn decide_vote(
        &mut self,
        now_ms: i64,
        vote: &Vote,
        out: &mut Vec<Action>,
    ) -> (ErrorCode, bool) {
        if vote.epoch > self.election.epoch {
            self.become_unattached(now_ms, vote.epoch, None, out);
        }
        if vote.voter.is_some_and(|named| !self.me.is_meant_by(&named)) {
            return (ErrorCode::InvalidVoterKey, false);
        }
        let granted = self.can_grant(vote);
        if granted && !vote.pre_vote && self.election.voted.is_none() {
            let voted = Some(vote.candidate);
            self.set_election(ElectionState { voted, ..self.election.clone() }, out);
            // It is as good a candidate as this one: give it the time of a whole election.
            let due = self.election_due(now_ms);
            if let Role::Unattached { election_due_ms }
            | Role::Prospective { election_due_ms, .. } = &mut self.role
            {
                *election_due_ms = due;
            }
        }
        (ErrorCode::None, granted)
    }

    fn can_grant(&self, vote: &Vote) -> bool {
        let complete = vote.last >= self.end() || planted(Plant::IncompleteLogElected);
        match &self.role {
            Role::Leader(_) => false,
            Role::Follower(follower) => vote.pre_vote && !follower.has_fetched && complete,
            Role::Resigned { .. } | Role::Candidate { .. } => vote.pre_vote && complete,
            Role::Unattached { .. } | Role::Prospective { .. } if vote.pre_vote => complete,
            Role::Unattached { .. } | Role::Prospective { .. } => match self.election.voted {
                Some(_) if planted(Plant::VotesTwice) => complete,
                Some(voted) => vote.candidate.is_meant_by(&voted),
                None => self.election.leader.is_none() && complete,
            },
        }
    }

    pub(super) fn vote_answered(
        &mut self,
        now_ms: i64,
        from: NodeId,
        vote: VoteAnswer,
        out: &mut Vec<Action>,
    ) -> bool {
        let granted = vote.granted;
        let error = vote.answer.error;
        if let Some(answered) = self.hear_answer(now_ms, vote.answer, out) {
            return answered;
        }
        if error != ErrorCode::None {
            return false;
        }
        match &mut self.role {
            Role::Prospective { tally, .. } => {
                tally.record(from, granted);
                if tally.is_won() {
                    self.become_candidate(now_ms, out);
                } else if tally.is_lost() {
                    self.give_up_prospect(now_ms, out);
                }
            }
            Role::Candidate { tally, .. } => {
                tally.record(from, granted);
                if tally.is_won() {
                    self.become_leader(now_ms, out);
                }
                // One that lost waits for the rest of its time, and lets others try.
            }
            _ => {}
        }
        true
    }

    /// A voter of before KIP-996 cannot be asked first: ask for votes at once.
    pub(super) fn vote_unsupported(&mut self, now_ms: i64, out: &mut Vec<Action>) -> bool {
        if matches!(self.role, Role::Prospective { .. }) {
            self.become_candidate(now_ms, out);
            return true;
        }
        false
    }

    /// Nobody wants an election: back to the leader, if one is known.
    pub(super) fn give_up_prospect(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        let ElectionState { epoch, leader, .. } = self.election;
        match leader {
            Some(leader) if !self.leader_endpoints.is_empty() && leader != self.me.id => {
                let endpoints = self.leader_endpoints.clone();
                self.become_follower(now_ms, epoch, leader, endpoints, out);
            }
            _ => self.become_unattached(now_ms, epoch, leader, out),
        }
    }
}
