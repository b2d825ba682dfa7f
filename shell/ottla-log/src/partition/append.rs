//! Appending: judge, take an offset, one copy into the write-ahead buffer. Never waits for a disk.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;
use ottla_protocol::records::BatchHeader;
use smallvec::SmallVec;

use super::{Partition, Progress, State};
use crate::fault::{AppendError, LogError};
use crate::options::{AppendOptions, Appended, FlushMode};
use crate::producers::{BatchMemory, EndMarker, Producers, Verdict, end_marker};
use crate::tail::{Memory, Place};
use crate::validate::{Depth, Origin, Rules, Validated, assign, validate};
use crate::wal::{Author, EntryHead, EntryKind, Placed, StageError, Staged, Urgency};

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
        if options.origin == Origin::Client {
            self.volume.wal.admit(records.len())?;
        }
        let config = self.config();
        let rules = Rules {
            config: &config,
            origin: options.origin,
            depth: Depth::Full,
            now_ms: options.now_ms,
        };
        let validated = validate(records, &rules)?;
        let begun_anew = match options.origin {
            Origin::Replica => self.begin_within(&validated.batches[0], options.leader_epoch)?,
            _ => None,
        };
        let (appended, replicated) = self.append_validated(&validated, options)?;
        if let Some(log_start) = begun_anew {
            self.delete_before(log_start);
        }
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
        let markers = match judge(state, validated, options.origin)? {
            Judged::New(markers) => markers,
            Judged::Known(known) => {
                let appended = repeated(&known, validated, state, self.place());
                return Ok((appended, state.replicated));
            }
        };
        let replica = options.origin == Origin::Replica;
        let first = first_offset(state, validated, options)?;
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
                assign(room, &validated.batches, first, options.leader_epoch);
            }
        };
        // Before staging: the flusher takes the list after it noted how far the log had come.
        self.mark_dirty(state);
        if planted(Plant::ProducerBeforeAppend) {
            for header in &validated.batches {
                state.producers.apply(header, None);
            }
        }
        let urgency =
            if options.origin == Origin::Client { Urgency::Client } else { Urgency::MayWait };
        let placed = match self.stage(state, &head, records.len(), urgency, fill) {
            Ok(placed) => placed,
            Err(error) => {
                if planted(Plant::OffsetsOfFailedAppend) {
                    state.log_end += 1;
                }
                return Err(error.into());
            }
        };
        let lsn = placed.lsn;
        let epoch = (!replica).then_some(options.leader_epoch);
        take_in(state, &validated.batches, &markers, placed, epoch);
        let appended = Appended {
            base_offset: first,
            last_offset: state.log_end - 1,
            log_append_time_ms: validated.log_append_time_ms,
            log_start_offset: state.log_start,
            lsn,
            place: self.place(),
            duplicate: false,
        };
        Ok((appended, state.replicated))
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
        let author = Author {
            partition: &|| Arc::clone(self) as Arc<dyn Staged>,
            buffer: state.tail.buffer(),
            run_mark: &mut state.run_mark,
        };
        let placed = self.volume.wal.stage(head, len, urgency, author, fill)?;
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

/// What the producers' state says of batches.
enum Judged {
    /// They are new; the marker of each that is one.
    New(SmallVec<[Option<EndMarker>; 1]>),
    /// They were appended before, as this.
    Known(BatchMemory),
}

/// Whether the producer's state lets the batches in, or knows them already.
fn judge(state: &State, validated: &Validated, origin: Origin) -> Result<Judged, AppendError> {
    let (mut markers, mut at) = (SmallVec::new(), 0);
    for header in &validated.batches {
        let end = at + header.size_in_bytes();
        let mut marker = None;
        // What has no producer is nobody's repetition, and no marker.
        if header.has_producer_id() {
            if header.is_control() {
                marker = end_marker(header, &validated.records.slice(at..end))
                    .map_err(|error| refused(ErrorCode::InvalidRecord, error.to_string()))?;
            }
            if let Some(marker) = marker.filter(|_| origin == Origin::Coordinator) {
                state.producers.check_marker(header, marker)?;
            } else if let Verdict::Duplicate(known) = state.producers.check(header, origin)? {
                return Ok(Judged::Known(known));
            }
        }
        markers.push(marker);
        at = end;
    }
    Ok(Judged::New(markers))
}

/// Applies the staged batches. `epoch` is the leader's who gave them their offsets, nothing where they
/// had them.
fn take_in(
    state: &mut State,
    batches: &[BatchHeader],
    markers: &[Option<EndMarker>],
    placed: Placed,
    epoch: Option<i32>,
) {
    let Placed { lsn, buffer, memory, range } = placed;
    let mut memory = memory.map(Memory::Staged);
    let mut at = range.start;
    for (header, marker) in batches.iter().zip(markers) {
        let mut header = *header;
        if let Some(epoch) = epoch {
            header.base_offset = state.log_end;
            header.partition_leader_epoch = epoch;
        }
        let end = at + header.size_in_bytes();
        state.apply(&header, *marker, Place { buffer, memory: memory.take(), range: at..end });
        at = end;
    }
    if epoch.is_none() && planted(Plant::FollowerForgetsProducers) {
        state.producers = Producers::new().into();
    }
    assert!(at == range.end, "validate counts all batches");
    state.undurable.push_back((lsn, state.log_end));
    if planted(Plant::HighWatermarkAtAppend) {
        state.raise_high_watermark(state.log_end);
    }
    state.check();
}

/// The offset of the first record: a follower's batches have theirs, which follow what it has.
fn first_offset(
    state: &State,
    validated: &Validated,
    options: &AppendOptions,
) -> Result<i64, AppendError> {
    if options.origin != Origin::Replica {
        return Ok(state.log_end);
    }
    let first = validated.batches[0].base_offset;
    if first < state.log_end {
        let message = format!("offset {first} lies before the log end {}", state.log_end);
        return Err(refused(ErrorCode::OffsetOutOfRange, message));
    }
    check_epochs(state, validated, options.leader_epoch)?;
    Ok(first)
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
