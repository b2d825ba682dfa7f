//! Reads a segment from end to end, believing nothing: every CRC, every offset.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use ottla_protocol::records::{BATCH_HEADER_SIZE, BatchError, BatchHeader, verify_crc};

use super::Segment;
use crate::config::LogConfig;
use crate::error::Corruption;
use crate::index::ReadAt;

/// A segment rebuilt from its `.log` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// With offset and time index; the transaction index is the caller's, who follows producers.
    pub segment: Segment,
    /// What ends the valid part, if it is not the end of the file. The file is to be cut at
    /// [`Segment::size`].
    pub corruption: Option<Corruption>,
}

/// Rebuilds a segment (given empty) and shows every valid batch to `visit`, oldest first, with its
/// position. Stops at the first batch that is not what it should be.
///
/// # Errors
/// The disk's only; damage is in the result.
pub fn recover(
    empty: Segment,
    source: &(impl ReadAt + ?Sized),
    config: &LogConfig,
    mut visit: impl FnMut(u64, &BatchHeader, &Bytes),
) -> io::Result<Recovered> {
    let mut segment = empty;
    let corruption = scan(source, 0, |position, header, batch| {
        let relative = header.last_offset() - segment.base_offset();
        if header.base_offset < segment.next_offset() || relative > i64::from(i32::MAX) {
            let what = format!(
                "a batch of offset {} where {} or more is due",
                header.base_offset,
                segment.next_offset()
            );
            return Err(Corruption::new(position, what));
        }
        segment.append(header, config);
        visit(position, header, batch);
        Ok(())
    })?;
    Ok(Recovered { segment, corruption })
}

/// Shows every batch from position `from` on whose size and CRC hold. Answers with what ended the
/// scan before the end of the source: damage found here, or what `visit` objected to.
///
/// # Errors
/// The disk's only.
pub fn scan(
    source: &(impl ReadAt + ?Sized),
    from: u64,
    mut visit: impl FnMut(u64, &BatchHeader, &Bytes) -> Result<(), Corruption>,
) -> io::Result<Option<Corruption>> {
    let mut position = from;
    let mut buffer = BytesMut::new();
    while position < source.size() {
        fill(source, &mut buffer, position, BATCH_HEADER_SIZE)?;
        let header = match BatchHeader::parse(&buffer) {
            Ok(header) => header,
            Err(error) => return Ok(Some(damage(position, &error))),
        };
        let size = header.size_in_bytes();
        if size as u64 > source.size() - position {
            let error = BatchError::Truncated {
                needed: size,
                remaining: usize::try_from(source.size() - position).unwrap_or(usize::MAX),
            };
            return Ok(Some(damage(position, &error)));
        }
        fill(source, &mut buffer, position, size)?;
        if buffer.len() < size {
            // The source is shorter than it says: a file that was cut behind our back.
            let error = BatchError::Truncated { needed: size, remaining: buffer.len() };
            return Ok(Some(damage(position, &error)));
        }
        if let Err(error) = verify_crc(&buffer[..size]) {
            return Ok(Some(damage(position, &error)));
        }
        let batch = buffer.split_to(size).freeze();
        if let Err(objection) = visit(position, &header, &batch) {
            return Ok(Some(objection));
        }
        position += size as u64;
    }
    Ok(None)
}

/// Reads on until `buffer`, which begins at `position`, holds `wanted` bytes or the source ends.
fn fill(
    source: &(impl ReadAt + ?Sized),
    buffer: &mut BytesMut,
    position: u64,
    wanted: usize,
) -> io::Result<()> {
    if buffer.remaining() >= wanted {
        return Ok(());
    }
    let held = buffer.len();
    let left = usize::try_from(source.size() - position).unwrap_or(usize::MAX);
    buffer.resize(wanted.max(CHUNK).min(left).max(held), 0);
    let mut filled = held;
    while filled < buffer.len() {
        match source.read_at(&mut buffer[filled..], position + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    buffer.truncate(filled);
    Ok(())
}

fn damage(position: u64, error: &BatchError) -> Corruption {
    Corruption::new(position, error.to_string())
}

const CHUNK: usize = 256 << 10;
