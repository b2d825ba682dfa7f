//! Cutting the log: at its end (truncation, restart), at its start (DeleteRecords, retention), or
//! altogether. Each is one entry of the write-ahead log; files follow once that entry is durable.
//!
//! Truncation rolls back every derived state by one routine, [`Partition::cut`], live and in replay.

use std::sync::Arc;

use ottla_env::Env;
use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;
use ottla_protocol::records::BatchHeader;

use super::state::Part;
use super::{Partition, State};
use crate::checkpoint::{Copying, SegmentRecord, encode_name};
use crate::fault::{AppendError, LogError};
use crate::options::{DeletedRecords, TopicPartition};
use crate::producers::end_marker;
use crate::retention::{Bounds, Plan, SegmentFacts, plan};
use crate::volume::Doomed;
use crate::wal::{EntryHead, EntryKind, Urgency};

impl<E: Env> Partition<E> {
    /// Drops every batch that reaches `offset` or lies beyond; the log goes on at `offset`. Reads the
    /// segments: for callers that may block. Returns the position to wait for.
    ///
    /// # Errors
    /// If the offset lies outside the log, or the directory is offline.
    pub fn truncate_to(self: &Arc<Self>, offset: i64) -> Result<u64, LogError> {
        self.truncate_in(None, offset)
    }

    /// The same, of a log that follows in `epoch`: refused in any other.
    ///
    /// # Errors
    /// Those of [`Partition::truncate_to`].
    pub fn truncate_following(self: &Arc<Self>, epoch: i32, offset: i64) -> Result<u64, LogError> {
        self.truncate_in(Some(epoch), offset)
    }

    fn truncate_in(self: &Arc<Self>, epoch: Option<i32>, offset: i64) -> Result<u64, LogError> {
        let _files = self.files.lock();
        {
            let mut state = self.state.lock();
            check_alive(&state)?;
            state.part.may_cut(epoch)?;
            if offset >= state.log_end {
                return self.cut_epochs(&mut state);
            }
            if offset < state.log_start {
                let message = format!("{offset} lies before the log start {}", state.log_start);
                return Err(out_of_range(message));
            }
        }
        let below = self.read_for_cut(offset);
        let mut state = self.state.lock();
        state.part.may_cut(epoch)?;
        let lsn = self.stage_control(&mut state, EntryKind::Truncate, offset, 0)?;
        self.cut(&mut state, offset, below, lsn);
        self.mark_dirty(&mut state);
        Ok(lsn)
    }

    /// Forgets epochs without records, which a leader notes at its log end: another leader may not
    /// know them.
    fn cut_epochs(self: &Arc<Self>, state: &mut State) -> Result<u64, LogError> {
        let end = state.log_end;
        if state.epochs.latest().is_none_or(|latest| latest.start_offset < end) {
            return Ok(state.applied_lsn);
        }
        let lsn = self.stage_control(state, EntryKind::Truncate, end, 0)?;
        state.epochs.truncate_from_end(end);
        Ok(lsn)
    }

    /// Drops all records; the log goes on at `offset`. Returns the position to wait for.
    ///
    /// # Errors
    /// If the directory is offline.
    pub fn restart_at(self: &Arc<Self>, offset: i64) -> Result<u64, LogError> {
        self.restart_in(None, offset)
    }

    /// The same, of a log that follows in `epoch`: refused in any other.
    ///
    /// # Errors
    /// Those of [`Partition::restart_at`].
    pub fn restart_following(self: &Arc<Self>, epoch: i32, offset: i64) -> Result<u64, LogError> {
        self.restart_in(Some(epoch), offset)
    }

    fn restart_in(self: &Arc<Self>, epoch: Option<i32>, offset: i64) -> Result<u64, LogError> {
        let _files = self.files.lock();
        let mut state = self.state.lock();
        check_alive(&state)?;
        state.part.may_cut(epoch)?;
        let lsn = self.stage_control(&mut state, EntryKind::Restart, offset, 0)?;
        let gone = state.restart(offset);
        self.doom(&mut state, gone, lsn);
        Ok(lsn)
    }

    /// Moves the log start to `offset`: Kafka's DeleteRecords.
    ///
    /// # Errors
    /// If the offset lies past the high watermark, or the directory is offline.
    pub fn delete_records_before(
        self: &Arc<Self>,
        offset: i64,
    ) -> Result<DeletedRecords, LogError> {
        let _files = self.files.lock();
        let mut state = self.state.lock();
        check_alive(&state)?;
        check_moving(&state)?;
        let beyond = planted(Plant::LogStartPastHighWatermark) && offset <= state.log_end;
        if (offset > state.high_watermark && !beyond) || offset < 0 {
            let message = format!(
                "{offset} is not within the log, which is committed to {}",
                state.high_watermark
            );
            return Err(out_of_range(message));
        }
        self.advance_log_start(&mut state, offset)
    }

    /// Where a leader's log starts in the middle of a batch, as DeleteRecords leaves it, the whole
    /// batch is what a follower is sent. A log that holds nothing yet begins with it; where it started
    /// before is answered, for [`Partition::delete_before`] once the batch is there.
    pub(super) fn begin_within(
        self: &Arc<Self>,
        first: &BatchHeader,
        epoch: i32,
    ) -> Result<Option<i64>, AppendError> {
        let is_within = |state: &State| {
            state.log_start == state.log_end
                && first.base_offset < state.log_end
                && first.next_offset() > state.log_end
                && !state.deleted
                && state.part.may_cut(Some(epoch)).is_ok()
        };
        if !is_within(&self.state.lock()) || planted(Plant::BatchBeforeStartRefused) {
            return Ok(None);
        }
        // An append waits for no disk: whoever writes files is soon done.
        let Some(_files) = self.files.try_lock() else { return Err(AppendError::Busy) };
        let mut state = self.state.lock();
        if !is_within(&state) {
            return Ok(None);
        }
        let (kind, offset) = (EntryKind::Restart, first.base_offset);
        let head = EntryHead { kind, number: self.number, offset, extra: 0 };
        let lsn = self.stage(&mut state, &head, 0, Urgency::MustGo, |_| {})?.lsn;
        let log_start = state.log_start;
        let gone = state.restart(first.base_offset);
        self.doom(&mut state, gone, lsn);
        Ok(Some(log_start))
    }

    /// What a leader no longer shows is not shown here either. If that cannot be written now, the
    /// leader's next answer asks for it.
    pub(super) fn delete_before(self: &Arc<Self>, log_start: i64) {
        let mut state = self.state.lock();
        if let Err(error) = self.advance_log_start(&mut state, log_start) {
            tracing::debug!(partition = %self.id, %error, "the log start is not moved yet");
        }
    }

    /// Notes that a leader epoch begins at the log end.
    ///
    /// # Errors
    /// If the directory is offline.
    pub fn assign_leader_epoch(self: &Arc<Self>, epoch: i32) -> Result<(), LogError> {
        let mut state = self.state.lock();
        check_alive(&state)?;
        if state.epochs.latest().is_some_and(|latest| latest.epoch >= epoch) {
            return Ok(());
        }
        let end = state.log_end;
        self.stage_control(&mut state, EntryKind::Epoch, end, i64::from(epoch))?;
        state.epochs.assign(epoch, end);
        Ok(())
    }

    /// Carries out retention; says how many segments went.
    pub(crate) fn retain(self: &Arc<Self>, now_ms: i64) -> Result<usize, LogError> {
        let _files = self.files.lock();
        let mut state = self.state.lock();
        if state.deleted || !state.claimed || state.segments.is_empty() {
            return Ok(0);
        }
        let facts: Vec<SegmentFacts> = state.segments.iter().map(facts).collect();
        let bounds = Bounds {
            log_start: state.log_start,
            high_watermark: state.high_watermark.min(state.flushed_end),
            log_end: state.flushed_end,
        };
        let Plan { delete, roll_active, new_log_start } =
            plan(&facts, &bounds, now_ms, &state.config);
        if delete.is_empty() {
            return Ok(0);
        }
        tracing::info!(partition = %self.id, segments = delete.len(), new_log_start, "retention");
        self.advance_log_start(&mut state, new_log_start)?;
        if roll_active {
            let lsn = state.applied_lsn;
            let gone = state.segments.take();
            state.active = None;
            self.doom(&mut state, gone, lsn);
        }
        Ok(delete.len())
    }

    /// The partition is deleted: nothing is appended or read any more, its folder goes.
    pub(crate) fn delete(self: &Arc<Self>) -> Result<u64, LogError> {
        let mut state = self.state.lock();
        check_alive(&state)?;
        let head = EntryHead { kind: EntryKind::Delete, number: self.number, offset: 0, extra: 0 };
        // The name goes along: a checkpoint may forget the partition before its folder is gone.
        let name = encode_name(&self.id, state.config.segment_bytes);
        let fill = |room: &mut [u8]| room.copy_from_slice(&name);
        let lsn = self.stage(&mut state, &head, name.len(), Urgency::MustGo, fill)?.lsn;
        state.deleted = true;
        state.tail.clear();
        if state.has_folder {
            self.volume.doomed.lock().push(Doomed { lsn, id: self.id.clone() });
        }
        Ok(lsn)
    }

    /// The first entry of a new partition.
    pub(crate) fn announce(
        self: &Arc<Self>,
        name: &[u8],
        copying: Copying,
    ) -> Result<u64, LogError> {
        let mut state = self.state.lock();
        state.copying = copying;
        let (offset, extra) = copying.to_entry();
        let head = EntryHead { kind: EntryKind::Create, number: self.number, offset, extra };
        let fill = |room: &mut [u8]| room.copy_from_slice(name);
        let placed = self.stage(&mut state, &head, name.len(), Urgency::MustGo, fill)?;
        state.barrier_lsn = placed.lsn;
        Ok(placed.lsn)
    }

    /// Rolls back everything that came from batches at or past `offset`.
    pub(super) fn cut(&self, state: &mut State, offset: i64, below: super::scan::Below, lsn: u64) {
        if let Some(damage) = below.damage {
            tracing::warn!(partition = %self.id, damage, "while truncating");
        }
        let through_segments = state.flushed_end > offset;
        let gone = state.cut_back(offset);
        if through_segments && let Some(last) = below.last {
            match state.segments.last_mut() {
                Some(kept) if kept.base_offset == last.base_offset => *kept = last,
                _ => {}
            }
        }
        if planted(Plant::TruncationKeepsProducers) {
            return self.doom(state, gone, lsn);
        }
        let before = std::mem::replace(&mut state.producers, below.producers.into());
        let tail: Vec<_> = state.tail.from(below.end.max(0)).map(|batch| batch.share()).collect();
        for batch in tail {
            let header = BatchHeader::parse(&batch).expect("a batch in memory is whole");
            let marker = end_marker(&header, &batch).expect("it was read when it was appended");
            state.producers.apply(&header, marker);
        }
        if !before.is_empty() {
            state.producers.keep_older(&before, offset);
        }
        let high_watermark = state.high_watermark;
        if let Some(producers) = state.producers.made() {
            producers.on_high_watermark(high_watermark);
        }
        state.check();
        self.doom(state, gone, lsn);
    }

    /// What the log below `offset` amounts to; under `files`, so the segments stand still.
    pub(super) fn read_for_cut(&self, offset: i64) -> super::scan::Below {
        let segments = self.state.lock().segments.to_vec();
        self.read_below(&segments, offset)
    }

    fn advance_log_start(
        self: &Arc<Self>,
        state: &mut State,
        offset: i64,
    ) -> Result<DeletedRecords, LogError> {
        if offset <= state.log_start {
            return Ok(DeletedRecords { log_start: state.log_start, lsn: state.applied_lsn });
        }
        let lsn = self.stage_control(state, EntryKind::LogStart, offset, 0)?;
        let gone = state.raise_log_start(offset);
        self.doom(state, gone, lsn);
        Ok(DeletedRecords { log_start: offset, lsn })
    }

    pub(super) fn doom(&self, state: &mut State, gone: Vec<SegmentRecord>, lsn: u64) {
        state.barrier_lsn = state.barrier_lsn.max(lsn);
        if !gone.is_empty() {
            state.doomed.extend(gone.iter().map(|segment| segment.base_offset));
            self.mark_dirty(state);
        }
    }

    pub(super) fn stage_control(
        self: &Arc<Self>,
        state: &mut State,
        kind: EntryKind,
        offset: i64,
        extra: i64,
    ) -> Result<u64, LogError> {
        let head = EntryHead { kind, number: self.number, offset, extra };
        Ok(self.stage(state, &head, 0, Urgency::MustGo, |_| {})?.lsn)
    }
}

fn facts(segment: &SegmentRecord) -> SegmentFacts {
    SegmentFacts {
        base_offset: segment.base_offset,
        size: segment.size,
        max_timestamp: segment.max_timestamp,
        modified_ms: segment.modified_ms,
    }
}

fn check_alive(state: &State) -> Result<(), LogError> {
    if state.deleted {
        let message = "the partition was deleted".to_owned();
        return Err(LogError::Refused { code: ErrorCode::UnknownTopicOrPartition, message });
    }
    Ok(())
}

/// What is not in the copy that is about to take the log's place would be lost.
fn check_moving(state: &State) -> Result<(), LogError> {
    if state.part == Part::Still {
        let message = "it is moved to another log directory just now".to_owned();
        return Err(LogError::Refused { code: ErrorCode::NotLeaderOrFollower, message });
    }
    Ok(())
}

fn out_of_range(message: String) -> LogError {
    LogError::Refused { code: ErrorCode::OffsetOutOfRange, message }
}

/// For messages.
impl<E: Env> std::fmt::Debug for Partition<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id: &TopicPartition = self.id();
        f.debug_struct("Partition").field("id", id).field("number", &self.number).finish()
    }
}
