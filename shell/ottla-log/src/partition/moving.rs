//! A replica on its way to another directory (KIP-113): a copy there follows the log until it has all of
//! it; then the log stands still, and the copy takes its place.
//!
//! The copy becomes the replica by one entry of its own directory's write-ahead log. What is appended to
//! it comes after that entry, so nothing that was acknowledged stands on a copy that a crash undoes; and
//! the log it replaces is deleted only once the entry is durable. A start between the two finds both, and
//! knows which came after which.

use std::sync::Arc;

use ottla_env::Env;

use super::Partition;
use super::state::Part;
use crate::checkpoint::Copying;
use crate::fault::LogError;
use crate::wal::EntryKind;

/// What a log took in before it stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stilled(Part);

impl<E: Env> Partition<E> {
    /// Whether it is a copy that is not the replica yet.
    pub fn is_copy(&self) -> bool {
        self.state.lock().copying.is_copy
    }

    pub(crate) fn copying(&self) -> Copying {
        self.state.lock().copying
    }

    /// From here on nothing is appended to it or cut off it, until [`Partition::go_on`], or until it is told
    /// its part anew.
    pub fn stand_still(&self) -> Stilled {
        let mut state = self.state.lock();
        Stilled(std::mem::replace(&mut state.part, Part::Still))
    }

    /// Whether it stands still.
    pub fn stands_still(&self) -> bool {
        self.state.lock().part == Part::Still
    }

    /// It is not replaced after all; nothing happens where it was told its part anew.
    pub fn go_on(&self, before: Stilled) {
        let mut state = self.state.lock();
        if state.part == Part::Still {
            state.part = before.0;
        }
    }

    /// The copy is the replica from here on. Returns the position to wait for before the log that it
    /// replaces is deleted.
    ///
    /// # Errors
    /// If the directory is offline.
    pub fn become_replica(self: &Arc<Self>) -> Result<u64, LogError> {
        let mut state = self.state.lock();
        let copying = Copying { is_copy: false, ..state.copying };
        let (offset, extra) = copying.to_entry();
        let lsn = self.stage_control(&mut state, EntryKind::Move, offset, extra)?;
        state.copying = copying;
        Ok(lsn)
    }
}
