//! Reads of one segment: by offset, by timestamp. Only whole batches come out.

use std::io;

use bytes::Bytes;
use ottla_protocol::records::{BatchHeader, records};

use super::walk::HeaderWalk;
use crate::index::ReadAt;

/// Consecutive whole batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRun {
    pub bytes: Bytes,
    /// Where they begin in the segment.
    pub position: u64,
    /// The offset after the last of them.
    pub next_offset: i64,
}

/// A record found by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOffset {
    pub timestamp: i64,
    pub offset: i64,
    pub leader_epoch: i32,
}

/// The first batch at or after `start_position` that ends at or past `offset`: the one that holds
/// it, or the next where the offset was compacted away. `None` if the segment ends before.
///
/// # Errors
/// The disk's, and `InvalidData` where no batch lies.
pub fn find_batch(
    source: &(impl ReadAt + ?Sized),
    start_position: u64,
    offset: i64,
) -> io::Result<Option<(u64, BatchHeader)>> {
    let mut walk = HeaderWalk::new(source, start_position);
    while let Some((position, header)) = walk.next_batch()? {
        if header.last_offset() >= offset {
            return Ok(Some((position, header)));
        }
    }
    Ok(None)
}

/// The batches from the one that holds `offset` on: as many whole ones as fit `max_bytes` and end
/// below `upper`; one more than fits if it is the first and `min_one_batch` is set. `None` if there
/// is no batch below `upper`; a run of no bytes if the first does not fit.
///
/// # Errors
/// The disk's, and `InvalidData` where no batch lies.
pub fn read_batches(
    source: &(impl ReadAt + ?Sized),
    start_position: u64,
    offset: i64,
    upper: i64,
    max_bytes: usize,
    min_one_batch: bool,
) -> io::Result<Option<BatchRun>> {
    let Some((position, first)) = find_batch(source, start_position, offset)? else {
        return Ok(None);
    };
    if first.last_offset() >= upper {
        return Ok(None);
    }
    let first_size = first.size_in_bytes();
    if first_size > max_bytes && !min_one_batch {
        return Ok(Some(BatchRun {
            bytes: Bytes::new(),
            position,
            next_offset: first.base_offset,
        }));
    }
    let left = usize::try_from(source.size() - position).unwrap_or(usize::MAX);
    let mut buffer = vec![0; max_bytes.max(first_size).min(left)];
    source.read_exact_at(&mut buffer, position)?;
    let (mut end, mut next_offset) = (0, first.base_offset);
    while let Ok(header) = BatchHeader::parse(&buffer[end..]) {
        let size = header.size_in_bytes();
        if size > buffer.len() - end || header.last_offset() >= upper {
            break;
        }
        end += size;
        next_offset = header.next_offset();
    }
    buffer.truncate(end);
    Ok(Some(BatchRun { bytes: buffer.into(), position, next_offset }))
}

/// The first record at or past `from_offset` with at least `timestamp`, from `start_position` on.
///
/// # Errors
/// The disk's, and `InvalidData` where no batch lies or its records cannot be read.
pub fn find_timestamp(
    source: &(impl ReadAt + ?Sized),
    start_position: u64,
    timestamp: i64,
    from_offset: i64,
    unpacked_bytes_max: usize,
) -> io::Result<Option<TimestampOffset>> {
    let mut walk = HeaderWalk::new(source, start_position);
    while let Some((position, header)) = walk.next_batch()? {
        if header.max_timestamp < timestamp || header.last_offset() < from_offset {
            continue;
        }
        let mut batch = vec![0; header.size_in_bytes()];
        source.read_exact_at(&mut batch, position)?;
        let mut records = records(&header, &batch.into(), unpacked_bytes_max).map_err(invalid)?;
        while let Some(record) = records.next_ref() {
            let record = record.map_err(invalid)?;
            if record.timestamp >= timestamp && record.offset >= from_offset {
                return Ok(Some(TimestampOffset {
                    timestamp: record.timestamp,
                    offset: record.offset,
                    leader_epoch: header.partition_leader_epoch,
                }));
            }
        }
    }
    Ok(None)
}

fn invalid(error: ottla_protocol::records::BatchError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
