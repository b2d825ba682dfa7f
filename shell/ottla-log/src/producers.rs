//! What a partition remembers of its producers: sequences, epochs and open transactions.
//!
//! A function of the log: [`Producers::check`] never changes anything, and [`Producers::apply`], the
//! only transition, takes a batch that IS in the log. So a rebuild from the log, a follower's replay
//! and the live state are equal by construction. Truncation therefore rebuilds it from what is left
//! of the log; what was remembered of batches that the log no longer begins with, which nothing can
//! tell any more, stays ([`Producers::keep_older`]).

use std::collections::{BTreeMap, VecDeque};

use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;
use ottla_protocol::records::BatchHeader;

use crate::validate::Origin;

mod marker;
mod snapshot;

pub use marker::{EndMarker, end_marker};

/// How many batches of a producer are remembered: what Kafka lets be in flight per connection.
pub const BATCHES_REMEMBERED: usize = 5;

/// One remembered batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchMemory {
    pub last_sequence: i32,
    pub last_offset: i64,
    /// Last offset minus first offset.
    pub offset_delta: i32,
    pub timestamp: i64,
}

impl BatchMemory {
    /// The first sequence number, before any wrap.
    pub fn first_sequence(&self) -> i32 {
        subtract_sequence(self.last_sequence, self.offset_delta)
    }
    /// The offset of the first record.
    pub fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// What is remembered of one producer id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerState {
    /// -1 before the first batch.
    pub epoch: i16,
    /// -1 before the first marker.
    pub coordinator_epoch: i32,
    pub last_timestamp: i64,
    /// The first offset of the transaction that is open here.
    pub transaction_start: Option<i64>,
    /// Oldest first, all of `epoch`; at most [`BATCHES_REMEMBERED`].
    pub batches: VecDeque<BatchMemory>,
}

/// What is to be done with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// New: append it.
    Append,
    /// Already in the log, as this batch: answer with its offsets, append nothing.
    Duplicate(BatchMemory),
}

/// Why a producer's batch is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceError {
    pub code: ErrorCode,
    pub message: String,
}

/// A transaction that ended with a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompletedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
    /// The marker's offset.
    pub last_offset: i64,
    pub aborted: bool,
    /// The last stable offset as of the marker, for the transaction index.
    pub last_stable_offset: i64,
}

/// All producers of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Producers {
    states: BTreeMap<i64, ProducerState>,
    /// First offset of each open transaction, and whose it is.
    ongoing: BTreeMap<i64, i64>,
    /// First and last offset of those that ended at or past the high watermark.
    unreplicated: BTreeMap<i64, i64>,
}

impl Producers {
    /// None.
    pub const fn new() -> Producers {
        Producers {
            states: BTreeMap::new(),
            ongoing: BTreeMap::new(),
            unreplicated: BTreeMap::new(),
        }
    }

    /// How many producer ids are remembered.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// The producers by id.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &ProducerState)> {
        self.states.iter().map(|(id, state)| (*id, state))
    }

    /// What is remembered of a producer.
    pub fn get(&self, producer_id: i64) -> Option<&ProducerState> {
        self.states.get(&producer_id)
    }

    /// Judges a batch (header as sent: offsets do not matter) before it is appended.
    ///
    /// # Errors
    /// The answer for the producer.
    pub fn check(&self, batch: &BatchHeader, origin: Origin) -> Result<Verdict, SequenceError> {
        if !batch.has_producer_id() || origin == Origin::Replica {
            return Ok(Verdict::Append);
        }
        let Some(state) = self.states.get(&batch.producer_id) else { return Ok(Verdict::Append) };
        if origin == Origin::Client
            && let Some(known) = state.find_duplicate(batch)
        {
            return Ok(Verdict::Duplicate(known));
        }
        if batch.producer_epoch < state.epoch {
            return Err(SequenceError {
                code: ErrorCode::InvalidProducerEpoch,
                message: format!(
                    "Epoch of producer {} is {}, which is smaller than the last seen epoch {}",
                    batch.producer_id, batch.producer_epoch, state.epoch
                ),
            });
        }
        if origin == Origin::Client && !batch.is_control() {
            state.check_sequence(batch)?;
            if state.transaction_start.is_some() && !batch.is_transactional() {
                return Err(SequenceError {
                    code: ErrorCode::InvalidTxnState,
                    message: format!(
                        "Expected transactional write from producer {}",
                        batch.producer_id
                    ),
                });
            }
        }
        Ok(Verdict::Append)
    }

    /// Judges a marker before it is appended.
    ///
    /// # Errors
    /// The answer for the coordinator.
    pub fn check_marker(
        &self,
        batch: &BatchHeader,
        marker: EndMarker,
    ) -> Result<(), SequenceError> {
        self.check(batch, Origin::Coordinator)?;
        let known = self.states.get(&batch.producer_id).map_or(-1, |s| s.coordinator_epoch);
        if known > marker.coordinator_epoch {
            return Err(SequenceError {
                code: ErrorCode::TransactionCoordinatorFenced,
                message: format!(
                    "Invalid coordinator epoch for producer {}: {} (zombie), {known} (current)",
                    batch.producer_id, marker.coordinator_epoch
                ),
            });
        }
        Ok(())
    }

    /// Takes in a batch that is in the log: offsets assigned, and its marker if it is one of
    /// [`end_marker`]'s. Answers with the transaction that it ended.
    pub fn apply(
        &mut self,
        batch: &BatchHeader,
        marker: Option<EndMarker>,
    ) -> Option<CompletedTransaction> {
        if !batch.has_producer_id() || (batch.is_control() && marker.is_none()) {
            return None;
        }
        let state = self.states.entry(batch.producer_id).or_insert_with(ProducerState::unknown);
        state.update_epoch(batch.producer_epoch);
        state.last_timestamp = batch.max_timestamp;
        match marker {
            Some(marker) => {
                state.coordinator_epoch = marker.coordinator_epoch;
                let first_offset = state.transaction_start.take()?;
                Some(self.complete(batch, marker, first_offset))
            }
            None => {
                state.remember(batch);
                if batch.is_transactional() && state.transaction_start.is_none() {
                    state.transaction_start = Some(batch.base_offset);
                    self.ongoing.insert(batch.base_offset, batch.producer_id);
                }
                None
            }
        }
    }

    /// The first offset whose fate is open: of a transaction not ended, or ended by a marker that
    /// is not yet committed. The last stable offset is this, or the high watermark if lower.
    pub fn first_unstable_offset(&self) -> Option<i64> {
        let ongoing = self.ongoing.keys().next();
        let unreplicated = self.unreplicated.keys().next();
        ongoing.into_iter().chain(unreplicated).min().copied()
    }

    /// Forgets ended transactions whose marker the high watermark has passed.
    pub fn on_high_watermark(&mut self, high_watermark: i64) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, last| *last >= high_watermark);
        }
    }

    /// Forgets producers without an open transaction that were silent for `expiration_ms`.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) -> usize {
        let before = self.states.len();
        self.states.retain(|_, state| {
            state.transaction_start.is_some()
                || now_ms.saturating_sub(state.last_timestamp) < expiration_ms
        });
        before - self.states.len()
    }

    /// After a rebuild from a log that was cut at `end`: takes over what `before` remembers of batches
    /// that lie before those that were found. Retention and DeleteRecords take batches out of the log,
    /// and a producer's window over them stays as it was.
    pub fn keep_older(&mut self, before: &Producers, end: i64) {
        for (id, known) in &before.states {
            let found = self.states.get(id);
            let first = found.and_then(|state| state.batches.front());
            let first = first.map_or(end, BatchMemory::first_offset).min(end);
            let older = known.batches.iter().filter(|batch| batch.last_offset < first);
            let mut older: VecDeque<BatchMemory> = older.copied().collect();
            if older.is_empty() || found.is_some_and(|state| state.epoch != known.epoch) {
                continue;
            }
            let last_timestamp = known.last_timestamp;
            let state = self
                .states
                .entry(*id)
                .or_insert_with(|| ProducerState { last_timestamp, ..ProducerState::unknown() });
            state.epoch = known.epoch;
            older.append(&mut state.batches);
            older.drain(..older.len().saturating_sub(BATCHES_REMEMBERED));
            state.batches = older;
        }
    }

    /// The last stable offset counts the transactions open besides the one that ends.
    fn complete(
        &mut self,
        batch: &BatchHeader,
        marker: EndMarker,
        first_offset: i64,
    ) -> CompletedTransaction {
        let last_offset = batch.last_offset();
        self.ongoing.remove(&first_offset);
        self.unreplicated.insert(first_offset, last_offset);
        let oldest_open = self.ongoing.keys().next().copied();
        CompletedTransaction {
            producer_id: batch.producer_id,
            first_offset,
            last_offset,
            aborted: !marker.commit,
            last_stable_offset: oldest_open.unwrap_or(last_offset + 1),
        }
    }
}

impl ProducerState {
    fn unknown() -> ProducerState {
        ProducerState {
            epoch: -1,
            coordinator_epoch: -1,
            last_timestamp: -1,
            transaction_start: None,
            batches: VecDeque::new(),
        }
    }

    /// The last sequence number, or -1.
    pub fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |batch| batch.last_sequence)
    }

    fn find_duplicate(&self, batch: &BatchHeader) -> Option<BatchMemory> {
        if batch.producer_epoch != self.epoch || batch.is_control() {
            return None;
        }
        let (first, last) = (batch.base_sequence, batch.last_sequence());
        let same =
            |known: &&BatchMemory| known.first_sequence() == first && known.last_sequence == last;
        let skipped = match planted(Plant::OneBatchRemembered) {
            true => self.batches.len().saturating_sub(1),
            false => 0,
        };
        self.batches.iter().skip(skipped).find(same).copied()
    }

    /// A new epoch begins at 0; within an epoch each batch follows the last, and after a marker that
    /// raised the epoch the next batch begins at 0 again.
    fn check_sequence(&self, batch: &BatchHeader) -> Result<(), SequenceError> {
        let expected = self.last_sequence();
        let fits = if batch.producer_epoch != self.epoch {
            batch.base_sequence == 0 || self.epoch == -1
        } else {
            add_sequence(expected, 1) == batch.base_sequence
        };
        if fits || planted(Plant::SequenceUnchecked) {
            return Ok(());
        }
        let message = if batch.producer_epoch == self.epoch {
            format!(
                "Out of order sequence number for producer {}: {} (incoming seq. number), {expected} (current end sequence number)",
                batch.producer_id, batch.base_sequence
            )
        } else {
            format!(
                "Invalid sequence number for new epoch of producer {}: {} (request epoch), {} (seq. number), {} (current producer epoch)",
                batch.producer_id, batch.producer_epoch, batch.base_sequence, self.epoch
            )
        };
        Err(SequenceError { code: ErrorCode::OutOfOrderSequenceNumber, message })
    }

    fn update_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    fn remember(&mut self, batch: &BatchHeader) {
        if self.batches.len() == BATCHES_REMEMBERED {
            self.batches.pop_front();
        }
        self.batches.push_back(BatchMemory {
            last_sequence: batch.last_sequence(),
            last_offset: batch.last_offset(),
            offset_delta: batch.last_offset_delta,
            timestamp: batch.max_timestamp,
        });
    }
}

/// Sequence numbers run from 0 to `i32::MAX` and then from 0 again. -1 plus 1 is 0.
pub fn add_sequence(sequence: i32, increment: i32) -> i32 {
    match sequence.checked_add(increment) {
        Some(sum) => sum,
        None => increment - (i32::MAX - sequence) - 1,
    }
}

/// The inverse of [`add_sequence`].
pub fn subtract_sequence(sequence: i32, decrement: i32) -> i32 {
    if sequence < decrement { i32::MAX - (decrement - sequence) + 1 } else { sequence - decrement }
}

#[cfg(test)]
mod tests;
