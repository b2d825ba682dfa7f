//! The leader's answers to fetches, and those it holds back until there is something to say (KIP-595, KIP-630).

use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;

use crate::action::{Action, FetchReply, ReadFrom, Token};
use crate::log_view::Fetchable;
use crate::message::{Fetch, FetchSnapshot};
use crate::raft::Raft;
use crate::role::Role;
use crate::role::leader::Parked;

impl Raft {
    pub(super) fn fetch_requested(
        &mut self,
        now_ms: i64,
        token: Token,
        fetch: Fetch,
        out: &mut Vec<Action>,
    ) {
        if let Some(error) = self.refuse_fetch(&fetch) {
            let reply = self.empty_reply(error);
            out.push(Action::ReplyFetch { token, reply });
            return;
        }
        self.note_fetch(now_ms, &fetch, out);
        let reply = self.reply_to(&fetch);
        if let (true, Some(at)) = (planted(Plant::LeaderCutsItself), reply.diverging) {
            self.log.truncate(at.offset.max(self.log.start));
            out.push(Action::Truncate(self.log.end));
        }
        let has_news = reply.diverging.is_some()
            || reply.snapshot.is_some()
            || fetch.at.offset < self.log.end
            || reply.high_watermark > fetch.high_watermark;
        if has_news || fetch.max_wait_ms == 0 {
            out.push(Action::ReplyFetch { token, reply });
            return;
        }
        self.park(now_ms, token, fetch, out);
    }

    fn refuse_fetch(&self, fetch: &Fetch) -> Option<ErrorCode> {
        let senseless = fetch.max_wait_ms < 0
            || fetch.at.offset < 0
            || fetch.at.epoch < 0
            || fetch.at.epoch > fetch.epoch
            || fetch.replica.id == self.me.id;
        if senseless { Some(ErrorCode::InvalidRequest) } else { self.refuse_follower(fetch.epoch) }
    }

    /// Only the leader of exactly the sender's epoch answers.
    fn refuse_follower(&self, epoch: i32) -> Option<ErrorCode> {
        if epoch < self.election.epoch {
            Some(ErrorCode::FencedLeaderEpoch)
        } else if epoch > self.election.epoch {
            Some(ErrorCode::UnknownLeaderEpoch)
        } else if !matches!(self.role, Role::Leader(_)) {
            Some(ErrorCode::NotLeaderOrFollower)
        } else {
            None
        }
    }

    /// A fetch says that the replica follows, and what it has. Once, when it comes in: that it was held back since says
    /// nothing about whether the replica is still there.
    fn note_fetch(&mut self, now_ms: i64, fetch: &Fetch, out: &mut Vec<Action>) {
        if self.log.fetchable(fetch.at) == Fetchable::Valid
            && let Role::Leader(leader) = &mut self.role
        {
            leader.fetched(&fetch.replica, fetch.at.offset, self.log.end, now_ms);
            leader.hear(&fetch.replica, now_ms, self.settings.check_quorum_ms());
            self.advance(now_ms, out);
        }
    }

    /// What is there for it.
    fn reply_to(&self, fetch: &Fetch) -> FetchReply {
        let mut reply = self.empty_reply(ErrorCode::None);
        let mut fetchable = self.log.fetchable(fetch.at);
        if planted(Plant::DivergenceOverlooked) && matches!(fetchable, Fetchable::Diverging(_)) {
            fetchable = Fetchable::Valid;
        }
        match fetchable {
            Fetchable::Diverging(at) => reply.diverging = Some(at),
            Fetchable::Snapshot(at) => reply.snapshot = Some(at),
            Fetchable::Valid if fetch.at.offset < self.log.end => {
                let max_bytes = fetch.max_bytes;
                reply.read = Some(ReadFrom::Log { offset: fetch.at.offset, max_bytes });
            }
            Fetchable::Valid => {}
        }
        reply
    }

    pub(super) fn empty_reply(&self, error: ErrorCode) -> FetchReply {
        let high_watermark = match &self.role {
            Role::Leader(leader) if error == ErrorCode::None => leader.high_watermark.unwrap_or(-1),
            _ => -1,
        };
        FetchReply {
            answer: self.answer(error),
            high_watermark,
            log_start: self.log.start,
            diverging: None,
            snapshot: None,
            read: None,
        }
    }

    /// Observers without an id (tools) are held back under the id they gave: each replica has one place.
    fn park(&mut self, now_ms: i64, token: Token, fetch: Fetch, out: &mut Vec<Action>) {
        let longest_ms = self.settings.fetch_max_wait_ms.max(1);
        let due_ms = now_ms + fetch.max_wait_ms.min(longest_ms);
        let Role::Leader(leader) = &mut self.role else { return };
        let replica = fetch.replica;
        let older = leader.parked.insert(replica, Parked { token, fetch, due_ms });
        if let Some(older) = older {
            let reply = self.empty_reply(ErrorCode::None);
            out.push(Action::ReplyFetch { token: older.token, reply });
        }
    }

    /// Answers those that waited for records or for the high watermark, and those that waited long enough.
    pub(super) fn answer_parked(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        let end = self.log.end;
        let Role::Leader(leader) = &mut self.role else { return };
        let high_watermark = leader.high_watermark.unwrap_or(-1);
        let is_due = |parked: &Parked| {
            parked.fetch.at.offset < end
                || high_watermark > parked.fetch.high_watermark
                || parked.due_ms <= now_ms
        };
        let due: Vec<_> =
            leader.parked.iter().filter(|(_, p)| is_due(p)).map(|(key, _)| *key).collect();
        let due: Vec<Parked> = due.iter().filter_map(|key| leader.parked.remove(key)).collect();
        for parked in due {
            let reply = self.reply_to(&parked.fetch);
            out.push(Action::ReplyFetch { token: parked.token, reply });
        }
    }

    /// This replica leads no more: whoever waited asks the next leader.
    pub(super) fn refuse_parked(&mut self, out: &mut Vec<Action>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let parked = std::mem::take(&mut leader.parked);
        for parked in parked.into_values() {
            let reply = self.empty_reply(ErrorCode::NotLeaderOrFollower);
            out.push(Action::ReplyFetch { token: parked.token, reply });
        }
    }

    pub(super) fn piece_requested(
        &mut self,
        now_ms: i64,
        token: Token,
        wanted: &FetchSnapshot,
        out: &mut Vec<Action>,
    ) {
        let error = match self.refuse_follower(wanted.epoch) {
            Some(error) => error,
            None if wanted.position < 0 => ErrorCode::PositionOutOfRange,
            None if self.log.latest_snapshot != Some(wanted.snapshot) => {
                ErrorCode::SnapshotNotFound
            }
            None => ErrorCode::None,
        };
        let mut reply = self.empty_reply(error);
        if error == ErrorCode::None {
            let &FetchSnapshot { snapshot, position, max_bytes, .. } = wanted;
            reply.read = Some(ReadFrom::Snapshot { snapshot, position, max_bytes });
            if let Role::Leader(leader) = &mut self.role {
                leader.hear(&wanted.replica, now_ms, self.settings.check_quorum_ms());
            }
        }
        out.push(Action::ReplyFetch { token, reply });
    }
}
