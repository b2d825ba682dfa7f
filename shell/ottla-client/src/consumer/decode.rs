//! Turns fetched bytes into records, leaving out control records and aborted transactions.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use ottla_protocol::Str;
use ottla_protocol::records::control::{ControlRecord, first_of};
use ottla_protocol::records::{
    BatchError, Batches, RecordIter, TimestampType, batches, records, verify_crc,
};

use super::ConsumedRecord;

/// What one batch may unpack to.
const UNPACKED_BYTES_MAX: usize = 512 << 20;

/// Fetched and not yet handed out bytes of one partition.
pub(super) struct Fetched {
    topic: Str,
    partition: i32,
    batches: Batches,
    current: Option<Current>,
    /// The offset after what was handed out or passed over.
    pub(super) position: i64,
    /// Aborted transactions whose first offset is not yet reached.
    aborted: VecDeque<(i64, i64)>,
    /// Producers in an aborted transaction here.
    aborting: BTreeSet<i64>,
}

struct Current {
    records: RecordIter,
    next_offset: i64,
    leader_epoch: i32,
    timestamp_type: TimestampType,
}

impl Fetched {
    /// Bytes fetched from `position` on; `aborted` as (first offset, producer), empty for who reads
    /// everything.
    pub(super) fn new(
        topic: Str,
        partition: i32,
        bytes: &Bytes,
        position: i64,
        mut aborted: Vec<(i64, i64)>,
    ) -> Fetched {
        aborted.sort_unstable();
        Fetched {
            topic,
            partition,
            batches: batches(bytes),
            current: None,
            position,
            aborted: aborted.into(),
            aborting: BTreeSet::new(),
        }
    }

    /// The next record; `None` when all bytes are used up.
    pub(super) fn next_record(&mut self) -> Result<Option<ConsumedRecord>, BatchError> {
        loop {
            let Some(current) = &mut self.current else {
                if !self.next_batch()? {
                    return Ok(None);
                }
                continue;
            };
            match current.records.next() {
                None => {
                    self.position = self.position.max(current.next_offset);
                    self.current = None;
                }
                Some(record) => {
                    let record = record?;
                    if record.offset < self.position {
                        continue;
                    }
                    self.position = record.offset + 1;
                    return Ok(Some(ConsumedRecord {
                        topic: self.topic.clone(),
                        partition: self.partition,
                        offset: record.offset,
                        timestamp: record.timestamp,
                        timestamp_type: current.timestamp_type,
                        leader_epoch: current.leader_epoch,
                        key: record.key,
                        value: record.value,
                        headers: record.headers,
                    }));
                }
            }
        }
    }

    /// Opens the next batch that has something to show; says whether there is one.
    fn next_batch(&mut self) -> Result<bool, BatchError> {
        loop {
            let (header, bytes) = match self.batches.next() {
                None => return Ok(false),
                // The last batch may be cut off where the answer was full.
                Some(Err(BatchError::Truncated { .. })) => return Ok(false),
                Some(batch) => batch?,
            };
            if header.last_offset() < self.position {
                continue;
            }
            verify_crc(&bytes)?;
            while self.aborted.front().is_some_and(|(first, _)| *first <= header.last_offset()) {
                self.aborting.extend(self.aborted.pop_front().map(|(_, producer)| producer));
            }
            if header.is_control() {
                if matches!(first_of(&header, &bytes), Ok(Some(ControlRecord::Abort(_)))) {
                    self.aborting.remove(&header.producer_id);
                }
                self.position = self.position.max(header.next_offset());
                continue;
            }
            if header.is_transactional() && self.aborting.contains(&header.producer_id) {
                self.position = self.position.max(header.next_offset());
                continue;
            }
            self.current = Some(Current {
                records: records(&header, &bytes, UNPACKED_BYTES_MAX)?,
                next_offset: header.next_offset(),
                leader_epoch: header.partition_leader_epoch,
                timestamp_type: header.timestamp_type(),
            });
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests;
