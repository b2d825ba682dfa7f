//! `kraft.version` raised from 0 to 1 while the quorum works: from then on the log says who votes (KIP-853). The
//! configuration, which said so before, knows no directories: every voter told its leader which one it has.

use ottla_protocol::ErrorCode;

use crate::action::{Action, Token};
use crate::raft::Raft;
use crate::role::Role;
use crate::voters::{Voter, VoterSet};

impl Raft {
    pub(super) fn upgrade(
        &mut self,
        now_ms: i64,
        token: Token,
        version: i16,
        dry: bool,
        out: &mut Vec<Action>,
    ) {
        let set = match self.upgraded(version) {
            Ok(Some(set)) if !dry => set,
            nothing_to_do => {
                let error = nothing_to_do.err().unwrap_or(ErrorCode::None);
                let reply = self.answer(error);
                return out.push(Action::Reply { token, reply });
            }
        };
        let (base_offset, epoch) = (self.log.end, self.election.epoch);
        self.log.append(epoch, 2);
        self.voters.add(base_offset + 1, set.clone());
        let check_quorum_ms = self.settings.check_quorum_ms();
        if let Role::Leader(leader) = &mut self.role {
            leader.name_voters(&set);
            leader.check_quorum_due_ms = now_ms + check_quorum_ms;
            leader.changing = Some(token);
        }
        out.push(Action::AppendVoters { base_offset, epoch, voters: set, is_first: true });
        self.advance(now_ms, out);
        self.answer_parked(now_ms, out);
    }

    /// The voters as the log will have them; nothing where the quorum is at that level already.
    fn upgraded(&self, version: i16) -> Result<Option<VoterSet>, ErrorCode> {
        let Role::Leader(leader) = &self.role else { return Err(ErrorCode::NotLeaderOrFollower) };
        if version == self.kraft_version() {
            return Ok(None);
        }
        let (_, highest) = self.kraft_versions;
        if version < self.kraft_version() || version > highest {
            return Err(ErrorCode::InvalidUpdateVersion);
        }
        // Until a record of its epoch is committed a leader does not know what is.
        if leader.high_watermark.is_none() {
            return Err(ErrorCode::RequestTimedOut);
        }
        let named = |voter: &Voter| match voter.key.id == self.me.id {
            true => Some(self.as_voter()),
            false => leader.told.get(&voter.key.id).cloned(),
        };
        let mut voters = Vec::new();
        for voter in self.voters.latest().iter() {
            // Who has not told yet will do so soon, if it can.
            let named = named(voter).ok_or(ErrorCode::InvalidUpdateVersion)?;
            let reachable = self.check_speaks(&named, version);
            reachable.map_err(|_| ErrorCode::InvalidUpdateVersion)?;
            voters.push(named);
        }
        Ok(Some(VoterSet::new(voters)))
    }
}
