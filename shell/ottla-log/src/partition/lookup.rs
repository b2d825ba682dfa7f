//! Finding records by time: ListOffsets. Reads the disk: for callers that may block.

use std::io;
use std::sync::Arc;

use ottla_env::Env;
use ottla_plant::{Plant, planted};

use super::Partition;
use super::cold::{View, io_error};
use crate::fault::ReadError;
use crate::index::{FileView, TimeIndex};
use crate::options::TimestampedOffset;
use crate::segment::{TimestampOffset, find_timestamp};

/// What one batch may unpack to while its records are looked at.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

impl<E: Env> Partition<E> {
    /// The first record below `upper` whose timestamp is at least `timestamp`.
    ///
    /// # Errors
    /// Damage and the disk's errors.
    pub fn offset_for_timestamp(
        self: &Arc<Self>,
        timestamp: i64,
        upper: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let mut from = self.offsets().log_start;
        while let Some(view) = self.view(from)? {
            if view.record.max_timestamp >= timestamp
                && let Some(found) = self.find_in_segment(&view, timestamp, from)?
            {
                return Ok(answer(found).filter(|found| found.offset < upper));
            }
            if view.end >= upper {
                return Ok(None);
            }
            from = view.end;
        }
        self.find_in_tail(timestamp, from, upper)
    }

    /// The record with the largest timestamp, the first of them if several have it.
    ///
    /// # Errors
    /// Damage and the disk's errors.
    pub fn max_timestamp_offset(
        self: &Arc<Self>,
        upper: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let largest = {
            let state = self.state.lock();
            let flushed = state.segments.iter().map(|segment| segment.max_timestamp);
            let staged = state.tail.from(state.flushed_end).map(|batch| batch.max_timestamp);
            flushed.chain(staged).max().unwrap_or(-1)
        };
        if largest < 0 { Ok(None) } else { self.offset_for_timestamp(largest, upper) }
    }

    fn find_in_segment(
        &self,
        view: &View,
        timestamp: i64,
        from: i64,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let path = self.log_path(view.record.base_offset);
        let file = self.volume.handles.existing(&path);
        let file = file.map_err(|error| io_error(&error.path, &error.source))?;
        let source = FileView { file: &**file, size: view.record.size };
        let hint = self.time_hint(view, timestamp, &source)?.max(from);
        let start = self.start_position(view, hint, &source)?;
        let find = |start| find_timestamp(&source, start, timestamp, from, UNPACKED_BYTES_MAX);
        let mut found = find(start);
        if found.is_err() && start > 0 {
            found = find(0);
        }
        found.map_err(|error| self.damaged(&path, &error))
    }

    /// An offset at or below the first record with `timestamp`.
    fn time_hint<F: ottla_env::File>(
        &self,
        view: &View,
        timestamp: i64,
        source: &FileView<'_, F>,
    ) -> Result<i64, ReadError> {
        let base_offset = view.record.base_offset;
        // The entry says: up to its offset the largest timestamp is its own, so what is below it
        // may only be passed over if it is smaller than the one that is sought.
        let overshoots = planted(Plant::TimeLookupOvershoots);
        let before = if overshoots { i64::MAX } else { timestamp.saturating_sub(1) };
        if view.is_last {
            return self.with_active(&view.record, source, |active| {
                active.time_index.lookup(before).offset
            });
        }
        let path = self.log_path(base_offset).with_extension("timeindex");
        let Ok(file) = self.volume.handles.existing(&path) else { return Ok(base_offset) };
        let Ok(size) = ottla_env::File::len(&**file) else { return Ok(base_offset) };
        let index = FileView { file: &**file, size };
        let entry: io::Result<_> = TimeIndex::lookup_in(&index, base_offset, before);
        Ok(entry.map_or(base_offset, |entry| entry.offset))
    }

    fn find_in_tail(
        &self,
        timestamp: i64,
        from: i64,
        upper: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let mut from = from;
        loop {
            let candidate = {
                let state = self.state.lock();
                let found = state.tail.from(from).find(|batch| batch.max_timestamp >= timestamp);
                found.map(|batch| (batch.share(), batch.last_offset + 1))
            };
            let Some((batch, next)) = candidate else { return Ok(None) };
            let found = find_timestamp(&batch[..], 0, timestamp, from, UNPACKED_BYTES_MAX)
                .map_err(|error| self.damaged(&self.folder(), &error))?;
            if let Some(found) = found {
                return Ok(answer(found).filter(|found| found.offset < upper));
            }
            // The record that has it lies before `from`, in the same batch.
            from = next;
        }
    }
}

fn answer(found: TimestampOffset) -> Option<TimestampedOffset> {
    let TimestampOffset { timestamp, offset, leader_epoch } = found;
    Some(TimestampedOffset { offset, timestamp, leader_epoch })
}
