//! Entries of the write-ahead log, taken in again at a start. The same transitions as live, without
//! staging; an entry that the checkpoint covers is passed over, so replay may be repeated.

use std::sync::Arc;

use ottla_env::Env;
use ottla_plant::{Plant, planted};
use ottla_protocol::records::batches;

use super::{Partition, State};
use crate::checkpoint::Copying;
use crate::producers::end_marker;
use crate::tail::Place;
use crate::wal::{Entry, EntryKind};

/// An entry that contradicts the log: its checksum held, so it was wrongly written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplayError(pub(crate) String);

impl<E: Env> Partition<E> {
    /// Takes in one entry of this partition; returns the bytes it put in memory.
    pub(crate) fn replay(self: &Arc<Self>, entry: &Entry) -> Result<usize, ReplayError> {
        if entry.lsn <= self.state.lock().applied_lsn && !planted(Plant::ReplayedTwice) {
            return Ok(0);
        }
        let offset = entry.head.offset;
        match entry.head.kind {
            EntryKind::Append => self.replay_append(entry)?,
            EntryKind::Truncate => {
                let _files = self.files.lock();
                if offset < self.state.lock().log_end {
                    let below = self.read_for_cut(offset);
                    self.cut(&mut self.state.lock(), offset, below, 0);
                    self.mark_dirty(&mut self.state.lock());
                } else {
                    self.state.lock().epochs.truncate_from_end(offset);
                }
            }
            EntryKind::LogStart if planted(Plant::TrimForgotten) => {}
            EntryKind::Delete if planted(Plant::DeletedTopicReturns) => {}
            EntryKind::LogStart => {
                let mut state = self.state.lock();
                let offset = offset.min(state.log_end);
                let gone = state.raise_log_start(offset);
                self.doom(&mut state, gone, 0);
                // There may be files that only the live log knew.
                self.mark_dirty(&mut state);
            }
            EntryKind::Restart => {
                let mut state = self.state.lock();
                let gone = state.restart(offset);
                self.doom(&mut state, gone, 0);
                self.mark_dirty(&mut state);
            }
            EntryKind::Epoch => {
                let epoch = i32::try_from(entry.head.extra)
                    .map_err(|_| ReplayError("a leader epoch does not fit 32 bits".to_owned()))?;
                self.state.lock().epochs.assign(epoch, offset);
            }
            EntryKind::Commit => {
                let replicated = entry.head.extra == 1;
                let _told_nobody = self.state.lock().note_commit(offset, replicated);
            }
            EntryKind::Delete => self.forget(),
            EntryKind::Create | EntryKind::Move => {
                self.state.lock().copying = Copying::from_entry(offset, entry.head.extra);
            }
        }
        self.state.lock().applied_lsn = entry.lsn;
        Ok(entry.payload.len())
    }

    fn replay_append(&self, entry: &Entry) -> Result<(), ReplayError> {
        let mut state = self.state.lock();
        for batch in batches(&entry.payload) {
            let (header, bytes) =
                batch.map_err(|error| ReplayError(format!("{}: {error}", self.id)))?;
            if header.base_offset < state.log_end {
                let (base, end) = (header.base_offset, state.log_end);
                let what = format!("{}: offset {base} where the log ends at {end}", self.id);
                return Err(ReplayError(what));
            }
            let marker = end_marker(&header, &bytes)
                .map_err(|error| ReplayError(format!("{}: {error}", self.id)))?;
            state.apply(&header, marker, Place::replayed(bytes));
        }
        let end = state.log_end;
        state.durable_end = end;
        if !state.replicated {
            state.raise_high_watermark(end);
        }
        self.mark_dirty(&mut state);
        Ok(())
    }

    /// A replayed deletion.
    fn forget(&self) {
        let mut state: parking_lot::MutexGuard<'_, State> = self.state.lock();
        state.deleted = true;
        state.tail.clear();
        let doomed = crate::volume::Doomed { lsn: 0, id: self.id.clone() };
        self.volume.doomed.lock().push(doomed);
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.state.lock().deleted
    }
}
