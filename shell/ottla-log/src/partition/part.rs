//! Which part this node has in a partition: leader or follower, alone or with others. Followers come and
//! go while it is in use, and leadership does too.
//!
//! An append bears the leader epoch it was made in, and is held against the part under the lock that
//! gives offsets: what was begun as the leader of one epoch is not appended in another.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::ErrorCode;

use super::state::Part;
use super::{Partition, Progress, State};
use crate::epochs::EpochEntry;
use crate::fault::LogError;
use crate::validate::Origin;
use crate::wal::EntryKind;

impl<E: Env> Partition<E> {
    /// From here on this node leads it in `epoch`, which begins at the log end unless the log knows
    /// the epoch already. Nothing can be cut off its end any more.
    ///
    /// # Errors
    /// If the directory is offline.
    pub fn lead(self: &Arc<Self>, epoch: i32) -> Result<(), LogError> {
        self.assign_leader_epoch(epoch)?;
        self.state.lock().part = Part::Leading(epoch);
        Ok(())
    }

    /// From here on this node follows another in `epoch`: only that one's records are appended.
    pub fn follow(&self, epoch: i32) {
        self.state.lock().part = Part::Following(epoch);
    }

    /// Says whether followers move the high watermark (`true`) or this node's disk alone.
    ///
    /// # Errors
    /// If the directory is offline.
    pub fn set_replicated(self: &Arc<Self>, replicated: bool) -> Result<(), LogError> {
        let moved = {
            let mut state = self.state.lock();
            if state.deleted || state.replicated == replicated {
                return Ok(());
            }
            self.stage_commit(&mut state, replicated)?;
            let high_watermark = state.high_watermark;
            state.note_commit(high_watermark, replicated)
        };
        if moved {
            self.tell(Progress::HighWatermark);
        }
        Ok(())
    }

    /// Notes how far a replicated partition is committed, so that a start need not learn it anew.
    ///
    /// # Errors
    /// If the directory is offline.
    pub fn note_high_watermark(self: &Arc<Self>) -> Result<(), LogError> {
        let mut state = self.state.lock();
        if state.deleted || !state.replicated || state.high_watermark == state.noted_commit {
            return Ok(());
        }
        self.stage_commit(&mut state, true)
    }

    /// The newest leader epoch of the records below the log end, and where it begins.
    pub fn last_epoch(&self) -> Option<EpochEntry> {
        self.state.lock().epochs.latest()
    }

    fn stage_commit(self: &Arc<Self>, state: &mut State, replicated: bool) -> Result<(), LogError> {
        let (offset, extra) = (state.high_watermark, i64::from(replicated));
        self.stage_control(state, EntryKind::Commit, offset, extra)?;
        state.noted_commit = offset;
        Ok(())
    }
}

impl Part {
    /// Whether an append made in `epoch` may go on.
    pub(super) fn check(self, origin: Origin, epoch: i32) -> Result<(), ErrorCode> {
        let fits = match self {
            Part::Free => true,
            Part::Leading(leading) => origin != Origin::Replica && leading == epoch,
            Part::Following(following) => origin == Origin::Replica && following == epoch,
            Part::Still => false,
        };
        if fits { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }

    /// A leader's log is the truth: it is never cut to fit another's. What a follower was told in one
    /// epoch (`asked`) is not done in another.
    pub(super) fn may_cut(self, asked: Option<i32>) -> Result<(), LogError> {
        let fits = match self {
            Part::Free => true,
            Part::Following(epoch) => asked.is_none_or(|asked| asked == epoch),
            Part::Leading(_) | Part::Still => false,
        };
        if fits {
            return Ok(());
        }
        let (code, message) = (ErrorCode::NotLeaderOrFollower, format!("it is {self:?} by now"));
        Err(LogError::Refused { code, message })
    }
}
