//! The follower's side: what the leader sends is appended, and what it never had is cut (KIP-595, KIP-630).

use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;

use crate::action::Action;
use crate::message::{Batch, FetchAnswer, SnapshotAnswer};
use crate::offset::OffsetAndEpoch;
use crate::raft::Raft;
use crate::role::{Copying, Role};
use crate::voters::VoterSet;

impl Raft {
    pub(super) fn fetch_answered(
        &mut self,
        now_ms: i64,
        fetch: FetchAnswer,
        out: &mut Vec<Action>,
    ) -> bool {
        let error = fetch.answer.error;
        if let Some(answered) = self.hear_answer(now_ms, fetch.answer, out) {
            return answered;
        }
        if error != ErrorCode::None || !matches!(self.role, Role::Follower(_)) {
            return false;
        }
        if let Some(diverging) = fetch.diverging {
            if planted(Plant::CommittedBeforeCut) {
                self.commit(fetch.high_watermark.min(self.log.end), out);
            }
            self.cut(diverging, out);
        } else if let Some(snapshot) = fetch.snapshot {
            self.begin_copy(snapshot, out);
        } else {
            let before = (self.log.end, self.committed);
            self.append_fetched(fetch.batches, out);
            // Only with an answer that did not ask for a cut (KAFKA-14704): what is here is the leader's.
            self.commit(fetch.high_watermark.min(self.log.end), out);
            if before == (self.log.end, self.committed) && self.applied < self.committed {
                self.be_quiet(now_ms);
            }
        }
        self.fetched(now_ms);
        true
    }

    /// The leader holds a fetch back only if it tells of its high watermark: until that is applied here, or for a
    /// moment, there is nothing to ask for.
    fn be_quiet(&mut self, now_ms: i64) {
        let until_ms = now_ms + self.settings.retry_backoff_ms.max(1);
        if let Role::Follower(follower) = &mut self.role {
            follower.quiet_until_ms = Some(until_ms);
        }
    }

    pub(super) fn applied(&mut self, offset: i64) {
        self.applied = offset;
        if let Role::Follower(follower) = &mut self.role
            && offset >= self.committed
        {
            follower.quiet_until_ms = None;
        }
    }

    /// The leader is there.
    fn fetched(&mut self, now_ms: i64) {
        let due_ms = self.fetch_due(now_ms);
        if let Role::Follower(follower) = &mut self.role {
            follower.fetch_due_ms = due_ms;
            follower.has_fetched = true;
        }
    }

    /// The logs part: what the leader never had goes. What was committed cannot be among it.
    fn cut(&mut self, diverging: OffsetAndEpoch, out: &mut Vec<Action>) {
        let to = self.log.truncation(diverging);
        if to < self.committed || to < self.log.start {
            let what = format!(
                "the leader {:?} of epoch {} wants the metadata log cut to {to}, below the high watermark {}. \
                 Some voter has lost committed records: compare the quorum's logs before anything is removed",
                self.election.leader, self.election.epoch, self.committed
            );
            out.push(Action::Fault { fatal: true, what });
            return;
        }
        self.log.truncate(to);
        self.voters.truncate(to);
        out.push(Action::Truncate(to));
    }

    /// Appends what continues this log, and leaves the rest: the next fetch asks for it.
    fn append_fetched(&mut self, batches: Vec<Batch>, out: &mut Vec<Action>) {
        let mut taken = Vec::with_capacity(batches.len());
        for batch in batches {
            let fits = batch.base_offset == self.log.end
                && batch.last_offset >= batch.base_offset
                && (self.log.last_epoch()..=self.election.epoch).contains(&batch.epoch);
            if !fits {
                let what = format!(
                    "the leader sent a batch with offsets {}..={} of epoch {} where {:?} was asked for",
                    batch.base_offset,
                    batch.last_offset,
                    batch.epoch,
                    self.end()
                );
                out.push(Action::Fault { fatal: false, what });
                break;
            }
            self.log.append(batch.epoch, batch.count());
            if let Some((offset, voters)) = &batch.voters {
                self.voters.add(*offset, voters.clone());
            }
            taken.push(batch);
        }
        if !taken.is_empty() {
            out.push(Action::Append(taken));
        }
    }

    fn begin_copy(&mut self, snapshot: OffsetAndEpoch, out: &mut Vec<Action>) {
        if snapshot.offset < self.committed || snapshot.epoch < 0 {
            let what =
                format!("the leader offers a snapshot {snapshot:?} that is older than this log");
            out.push(Action::Fault { fatal: false, what });
            return;
        }
        if let Role::Follower(follower) = &mut self.role {
            follower.copying = Some(Copying { snapshot, position: 0, is_whole: false });
        }
    }

    pub(super) fn piece_answered(
        &mut self,
        now_ms: i64,
        piece: SnapshotAnswer,
        out: &mut Vec<Action>,
    ) -> bool {
        let error = piece.answer.error;
        if let Some(answered) = self.hear_answer(now_ms, piece.answer, out) {
            return answered;
        }
        let Role::Follower(follower) = &mut self.role else { return false };
        let Some(copying) = &mut follower.copying else { return true };
        let received = i64::try_from(piece.bytes.len()).unwrap_or(i64::MAX);
        let fits = error == ErrorCode::None
            && piece.snapshot == copying.snapshot
            && piece.position == copying.position
            && received > 0
            && copying.position + received <= piece.size;
        if !fits {
            // The leader has a newer one by now, or cannot read it: ask again what to do.
            follower.copying = None;
            self.fetched(now_ms);
            return error == ErrorCode::None || error == ErrorCode::SnapshotNotFound;
        }
        let position = copying.position;
        copying.position += received;
        copying.is_whole = copying.position == piece.size;
        let (snapshot, last) = (piece.snapshot, copying.is_whole);
        out.push(Action::WriteSnapshot { snapshot, position, bytes: piece.bytes, last });
        self.fetched(now_ms);
        true
    }

    /// The copy is on stable storage: the log begins anew where it ends.
    pub(super) fn snapshot_installed(
        &mut self,
        now_ms: i64,
        snapshot: OffsetAndEpoch,
        voters: Option<(i64, VoterSet)>,
        out: &mut Vec<Action>,
    ) {
        let Role::Follower(follower) = &mut self.role else { return };
        let awaited = Copying { snapshot, position: 0, is_whole: true };
        if follower.copying.is_none_or(|copying| Copying { position: 0, ..copying } != awaited) {
            return;
        }
        follower.copying = None;
        self.log.restart_at(snapshot);
        self.voters.restart(voters);
        out.push(Action::RestartAt(snapshot));
        self.commit(snapshot.offset, out);
        self.fetched(now_ms);
    }

    /// It is fetched anew, or the leader says what else to do.
    pub(super) fn snapshot_refused(&mut self, snapshot: OffsetAndEpoch) {
        if let Role::Follower(follower) = &mut self.role
            && follower.copying.is_some_and(|copying| copying.snapshot == snapshot)
        {
            follower.copying = None;
        }
    }
}
