//! Voters that come, go and move (KIP-853). The leader changes one at a time: the set in the log is the next one's
//! beginning only once it is committed, so that any two majorities along the log meet.

use ottla_protocol::ErrorCode;

use crate::action::{Action, Token};
use crate::message::{AddVoter, RemoveVoter, Request, Response, UpdateVoter};
use crate::raft::Raft;
use crate::role::Role;
use crate::voters::{Voter, VoterSet};

/// The version of the quorum's feature in which the log says who votes.
pub(super) const RECONFIGURABLE: i16 = 1;

/// This replica's own wish to be a voter, or another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wish {
    /// When the leader is asked next.
    pub(super) due_ms: i64,
    /// What was asked and is not answered yet.
    pub(super) correlation: Option<u64>,
    /// The last epoch whose leader knows this voter's directory and addresses, while the log does not.
    pub(super) told: Option<i32>,
}

impl Raft {
    pub(super) fn add_voter_requested(
        &mut self,
        now_ms: i64,
        token: Token,
        add: AddVoter,
        out: &mut Vec<Action>,
    ) {
        let changed = self.check_changeable().and_then(|()| self.with_voter(now_ms, &add.voter));
        let early = !add.ack_when_committed;
        self.change_voters(now_ms, token, changed, early, out);
    }

    fn with_voter(&self, now_ms: i64, voter: &Voter) -> Result<VoterSet, ErrorCode> {
        let Role::Leader(leader) = &self.role else { return Err(ErrorCode::NotLeaderOrFollower) };
        let set = self.voters.latest();
        if set.get(voter.key.id).is_some() {
            return Err(ErrorCode::DuplicateVoter);
        }
        self.check_reachable(voter)?;
        if !leader.is_caught_up(&voter.key, now_ms) {
            return Err(ErrorCode::RequestTimedOut);
        }
        set.with(voter.clone()).ok_or(ErrorCode::DuplicateVoter)
    }

    pub(super) fn remove_voter_requested(
        &mut self,
        now_ms: i64,
        token: Token,
        remove: &RemoveVoter,
        out: &mut Vec<Action>,
    ) {
        let changed = self.check_changeable().and_then(|()| {
            let set = self.voters.latest();
            let is_known = set.get(remove.voter.id).is_some_and(|known| known.key == remove.voter);
            match set.without(&remove.voter).filter(|_| is_known) {
                Some(changed) => Ok(changed),
                None if is_known => Err(ErrorCode::InvalidRequest),
                None => Err(ErrorCode::VoterNotFound),
            }
        });
        self.change_voters(now_ms, token, changed, false, out);
    }

    pub(super) fn update_voter_requested(
        &mut self,
        now_ms: i64,
        token: Token,
        update: UpdateVoter,
        out: &mut Vec<Action>,
    ) {
        let epoch = self.election.epoch;
        let stale = match update.epoch {
            told if told < epoch => Err(ErrorCode::FencedLeaderEpoch),
            told if told > epoch => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        };
        let is_fixed = self.kraft_version() < RECONFIGURABLE;
        let changed = stale.and_then(|()| {
            if let Role::Leader(leader) = &mut self.role
                && is_fixed
            {
                // The configuration knows best; there is nothing to write down, yet.
                let voters = self.voters.latest().clone();
                if voters.get(update.voter.key.id).is_some() {
                    leader.told.insert(update.voter.key.id, update.voter);
                }
                return Ok(voters);
            }
            self.check_changeable()?;
            self.check_reachable(&update.voter)?;
            let set = self.voters.latest();
            let known = set.get(update.voter.key.id).filter(|known| known.key == update.voter.key);
            known.and_then(|_| set.with_updated(update.voter)).ok_or(ErrorCode::VoterNotFound)
        });
        self.change_voters(now_ms, token, changed, false, out);
    }

    /// Whether the voters may change at all now.
    fn check_changeable(&self) -> Result<(), ErrorCode> {
        let Role::Leader(leader) = &self.role else { return Err(ErrorCode::NotLeaderOrFollower) };
        if self.kraft_version() < RECONFIGURABLE {
            return Err(ErrorCode::UnsupportedVersion);
        }
        // Until a record of its epoch is committed a leader does not know what is (Raft: the bug of single-server changes).
        let Some(high_watermark) = leader.high_watermark else {
            return Err(ErrorCode::RequestTimedOut);
        };
        let is_committed = self.voters.latest_offset().is_some_and(|at| at < high_watermark);
        if is_committed { Ok(()) } else { Err(ErrorCode::RequestTimedOut) }
    }

    /// Whether the quorum could speak with that voter.
    fn check_reachable(&self, voter: &Voter) -> Result<(), ErrorCode> {
        self.check_speaks(voter, self.kraft_version())
    }

    /// Whether a quorum at that level could.
    pub(super) fn check_speaks(&self, voter: &Voter, version: i16) -> Result<(), ErrorCode> {
        let (lowest, highest) = voter.kraft_versions;
        let speaks = (lowest..=highest).contains(&version);
        let is_named = voter.key.directory_id.is_some() && voter.key.id.0 >= 0;
        let listens = voter.endpoints.contains_key(&self.listener);
        if speaks && is_named && listens { Ok(()) } else { Err(ErrorCode::InvalidRequest) }
    }

    /// Writes the new set down and answers, at once or once it is committed.
    fn change_voters(
        &mut self,
        now_ms: i64,
        token: Token,
        changed: Result<VoterSet, ErrorCode>,
        early: bool,
        out: &mut Vec<Action>,
    ) {
        let set = match changed {
            Ok(set) if set != *self.voters.latest() => set,
            unchanged_or_refused => {
                let error = unchanged_or_refused.err().unwrap_or(ErrorCode::None);
                let reply = self.answer(error);
                return out.push(Action::Reply { token, reply });
            }
        };
        assert!(set.overlaps(self.voters.latest()), "one voter at a time");
        let (base_offset, epoch) = (self.log.end, self.election.epoch);
        self.log.append(epoch, 1);
        self.voters.add(base_offset, set.clone());
        let check_quorum_ms = self.settings.check_quorum_ms();
        if let Role::Leader(leader) = &mut self.role {
            leader.set_voters(&set);
            // Whoever led alone was not counted upon to hear of anybody.
            leader.check_quorum_due_ms = now_ms + check_quorum_ms;
            leader.changing = (!early).then_some(token);
        }
        out.push(Action::AppendVoters { base_offset, epoch, voters: set, is_first: false });
        if early {
            let reply = self.answer(ErrorCode::None);
            out.push(Action::Reply { token, reply });
        }
        // A smaller set may have a majority already.
        self.advance(now_ms, out);
        self.answer_parked(now_ms, out);
    }

    /// The high watermark moved: the latest change may be committed, and it may have been this leader's own end.
    pub(super) fn voters_committed(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let high_watermark = leader.high_watermark.unwrap_or(-1);
        if self.voters.latest_offset().is_none_or(|at| at >= high_watermark) {
            return;
        }
        if let Some(token) = leader.changing.take() {
            let reply = self.answer(ErrorCode::None);
            out.push(Action::Reply { token, reply });
        }
        if !self.is_voter() {
            self.resign(now_ms, out);
        }
    }

    /// Leads no more: whether the change will be committed is not known here.
    pub(super) fn refuse_change(&mut self, out: &mut Vec<Action>) {
        let Role::Leader(leader) = &mut self.role else { return };
        if let Some(token) = leader.changing.take() {
            let reply = self.answer(ErrorCode::NotLeaderOrFollower);
            out.push(Action::Reply { token, reply });
        }
    }

    /// Asks the leader for what this replica wants to be among the voters: one of them (`auto_join`), or the same one at
    /// another address. Apart from the fetches, which must not wait for it: it is committed by them.
    pub(super) fn wish(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        if now_ms < self.wish_due_ms() {
            return;
        }
        let Some(leader) = self.election.leader else { return };
        let Some(request) = self.wanted() else { return };
        let Some(endpoint) = self.leader_endpoints.get(&self.listener).cloned() else { return };
        let correlation = self.peers.count();
        self.wish.due_ms = now_ms + self.settings.fetch_timeout_ms;
        self.wish.correlation = Some(correlation);
        out.push(Action::Send { to: leader, endpoint, correlation, request });
    }

    /// When [`Raft::wish`] has something to do.
    pub(super) fn wish_due_ms(&self) -> i64 {
        let follows = matches!(&self.role, Role::Follower(follower) if follower.has_fetched)
            && self.election.leader.is_some()
            && self.leader_endpoints.contains_key(&self.listener);
        if follows && self.wanted().is_some() { self.wish.due_ms } else { i64::MAX }
    }

    fn wanted(&self) -> Option<Request> {
        let me = self.as_voter();
        if self.me.directory_id.is_none() || !me.endpoints.contains_key(&self.listener) {
            return None;
        }
        if self.kraft_version() < RECONFIGURABLE {
            // The configuration knows no directories, so each new leader is told.
            let epoch = self.election.epoch;
            let is_told = self.wish.told == Some(epoch) || !self.is_voter();
            return (!is_told).then_some(Request::UpdateVoter(UpdateVoter { epoch, voter: me }));
        }
        match self.voters.latest().get(self.me.id) {
            Some(known) if known.key == me.key => {
                let epoch = self.election.epoch;
                (*known != me).then_some(Request::UpdateVoter(UpdateVoter { epoch, voter: me }))
            }
            _ if !self.auto_join => None,
            // Its disk was lost: the voter that it was will never come back.
            Some(known) => Some(Request::RemoveVoter(RemoveVoter { voter: known.key })),
            None => Some(Request::AddVoter(AddVoter { voter: me, ack_when_committed: false })),
        }
    }

    pub(super) fn as_voter(&self) -> Voter {
        Voter {
            key: self.me,
            endpoints: self.endpoints.clone(),
            kraft_versions: self.kraft_versions,
        }
    }

    /// The leader answered. What became of the wish shows in the log.
    pub(super) fn wish_answered(
        &mut self,
        now_ms: i64,
        response: &Response,
        out: &mut Vec<Action>,
    ) {
        self.wish.correlation = None;
        let error = response.answer().map(|answer| answer.error);
        let is_old = matches!(response, Response::Unsupported)
            || error == Some(ErrorCode::UnsupportedVersion);
        if is_old || error == Some(ErrorCode::None) {
            // A leader that is too old does not want to know.
            self.wish.told = Some(self.election.epoch);
        }
        let Some(answer) = response.answer().cloned() else { return };
        let is_fixed = self.kraft_version() < RECONFIGURABLE;
        if !matches!(answer.error, ErrorCode::None | ErrorCode::RequestTimedOut) && !is_fixed {
            let error = answer.error;
            let what = format!("the leader refuses to change the voters for this node: {error}");
            out.push(Action::Fault { fatal: false, what });
        }
        self.hear_answer(now_ms, answer, out);
    }
}
