//! Appending: judge, take an offset, one copy into the write-ahead buffer. Never waits for a disk.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;
use ottla_protocol::records::BatchHeader;

use super::{Partition, Progress, State};
use crate::fault::{AppendError, LogError};
use crate::options::{AppendOptions, Appended, FlushMode};
use crate::producers::{BatchMemory, Verdict, end_marker};
use crate::validate::{Depth, Origin, Rules, Validated, assign, validate};
use crate::wal::{EntryHead, EntryKind, Placed, StageError, Staged, Urgency};

impl<E: Env> Partition<E> {
    /// Appends whole batches.
    ///
    /// # Errors
    /// The producer's answer, or why the log cannot take anything now. Nothing has changed then.
    pub fn append(
        self: &Arc<Self>,
        records: Bytes,
        options: &AppendOptions,
    ) -> Result<Appended, AppendError> {
        let config = self.config();
        let rules = Rules {
            config: &config,
            origin: options.origin,
            depth: Depth::Full,
            now_ms: options.now_ms,
        };
        let validated = validate(records, &rules)?;
        let (appended, replicated) = self.append_validated(&validated, options)?;
        if !options.defer_write {
            match self.volume.options.flush {
                FlushMode::Wal => self.volume.wal.kick(),
                FlushMode::None => self.volume.wal.write_staged()?,
            }
        }
        if replicated && !appended.duplicate {
            self.tell(Progress::LogEnd);
        }
        Ok(appended)
    }

    fn append_validated(
        self: &Arc<Self>,
        validated: &Validated,
        options: &AppendOptions,
    ) -> Result<(Appended, bool), AppendError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.deleted {
            return Err(AppendError::Deleted);
        }
        if let Err(code) = state.part.check(options.origin, options.leader_epoch) {
            return Err(refused(code, "this node does not lead in that epoch".to_owned()));
        }
        if let Some(known) = judge(state, validated, options.origin)? {
            let appended = repeated(&known, validated, state, self.place());
            return Ok((appended, state.replicated));
        }
        let replica = options.origin == Origin::Replica;
        let first = if replica { validated.batches[0].base_offset } else { state.log_end };
        if first < state.log_end {
            let message = format!("offset {first} lies before the log end {}", state.log_end);
            return Err(refused(ErrorCode::OffsetOutOfRange, message));
        }
        if replica {
            check_epochs(state, validated, options.leader_epoch)?;
        }
        let head = EntryHead {
            kind: EntryKind::Append,
            number: self.number,
            offset: first,
            extra: i64::from(options.leader_epoch),
        };
        let records = &validated.records;
        let fill = |room: &mut [u8]| {
            room.copy_from_slice(records);
            if !replica {
                assign(room, first, options.leader_epoch);
            }
        };
        // Before staging: the flusher takes the list after it noted how far the log had come.
        self.mark_dirty(state);
        if planted(Plant::ProducerBeforeAppend) {
            for header in &validated.batches {
                state.producers.apply(header, None);
            }
        }
        let placed = match self.stage(state, &head, records.len(), Urgency::MayWait, fill) {
            Ok(placed) => placed,
            Err(error) => {
                if planted(Plant::OffsetsOfFailedAppend) {
                    state.log_end += 1;
                }
                return Err(error.into());
            }
        };
        self.take_in(state, validated.batches.len(), &placed);
        let appended = Appended {
            base_offset: first,
            last_offset: state.log_end - 1,
            log_append_time_ms: validated.log_append_time_ms,
            log_start_offset: state.log_start,
            lsn: placed.lsn,
            place: self.place(),
            duplicate: false,
        };
        Ok((appended, state.replicated))
    }

    /// Applies the staged batches, one view each.
    fn take_in(&self, state: &mut State, batches: usize, placed: &Placed) {
        let mut rest = placed.payload.clone();
        for _ in 0..batches {
            let header = BatchHeader::parse(&rest).expect("validate passed these batches");
            let batch = rest.split_to(header.size_in_bytes());
            state.apply(&header, batch, placed.buffer).expect("judge read the markers");
        }
        assert!(rest.is_empty(), "validate counts all batches");
        state.undurable.push_back((placed.lsn, state.log_end));
        if planted(Plant::HighWatermarkAtAppend) {
            state.raise_high_watermark(state.log_end);
        }
        state.check();
    }

    /// Stages an entry of this partition.
    pub(super) fn stage(
        self: &Arc<Self>,
        state: &mut State,
        head: &EntryHead,
        len: usize,
        urgency: Urgency,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Placed, StageError> {
        let staged: Arc<dyn Staged> = self.clone();
        let by = (&staged, &mut state.run_mark);
        let placed = self.volume.wal.stage(head, len, urgency, by, fill)?;
        state.applied_lsn = placed.lsn;
        if urgency == Urgency::MustGo {
            self.volume.wal.kick();
        }
        Ok(placed)
    }

    pub(super) fn mark_dirty(&self, state: &mut State) {
        if !state.dirty {
            state.dirty = true;
            self.volume.dirty.lock().push(self.number);
        }
    }
}

/// Whether the producer's state lets the batches in, or knows them already.
fn judge(
    state: &State,
    validated: &Validated,
    origin: Origin,
) -> Result<Option<BatchMemory>, AppendError> {
    let mut rest = validated.records.clone();
    for header in &validated.batches {
        let batch = rest.split_to(header.size_in_bytes());
        let marker = end_marker(header, &batch)
            .map_err(|error| refused(ErrorCode::InvalidRecord, error.to_string()))?;
        if let Some(marker) = marker.filter(|_| origin == Origin::Coordinator) {
            state.producers.check_marker(header, marker)?;
        } else if let Verdict::Duplicate(known) = state.producers.check(header, origin)? {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

/// What is answered for a batch that was appended before.
fn repeated(known: &BatchMemory, validated: &Validated, state: &State, place: u8) -> Appended {
    Appended {
        base_offset: known.first_offset(),
        last_offset: known.last_offset,
        log_append_time_ms: validated.log_append_time_ms,
        log_start_offset: state.log_start,
        lsn: if planted(Plant::DuplicateAnsweredEarly) { 0 } else { state.applied_lsn },
        place,
        duplicate: true,
    }
}

/// A leader's batches were written in its epoch or in those before, in their order.
fn check_epochs(
    state: &State,
    validated: &Validated,
    leader_epoch: i32,
) -> Result<(), AppendError> {
    let mut newest = state.epochs.latest().map_or(-1, |latest| latest.epoch);
    for header in &validated.batches {
        let epoch = header.partition_leader_epoch;
        // Batches that older brokers wrote bear none.
        if epoch >= 0 && (epoch < newest || epoch > leader_epoch) {
            let message = format!(
                "offset {} is of epoch {epoch}, after {newest}, in {leader_epoch}",
                header.base_offset
            );
            return Err(refused(ErrorCode::CorruptMessage, message));
        }
        newest = newest.max(epoch);
    }
    Ok(())
}

fn refused(code: ErrorCode, message: String) -> AppendError {
    AppendError::Refused { code, message, record_errors: Vec::new() }
}

impl From<StageError> for AppendError {
    fn from(error: StageError) -> AppendError {
        match error {
            StageError::Busy => AppendError::Busy,
            StageError::Failed(failed) => AppendError::Failed(failed),
            StageError::TooLarge => refused(
                ErrorCode::RecordListTooLarge,
                "the records do not fit a file of the write-ahead log".to_owned(),
            ),
        }
    }
}

impl From<StageError> for LogError {
    fn from(error: StageError) -> LogError {
        match error {
            StageError::Busy => LogError::Busy,
            StageError::Failed(failed) => LogError::Failed(failed),
            StageError::TooLarge => LogError::Refused {
                code: ErrorCode::RecordListTooLarge,
                message: "the entry does not fit a file of the write-ahead log".to_owned(),
            },
        }
    }
}
