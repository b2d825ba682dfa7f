//! Message sets of magic 0 and 1, as producers before 2017 send them, and their conversion to one batch of
//! magic 2. They are never written.
//!
//! ```text
//! offset i64 | size i32 | crc u32 | magic i8 | attributes i8 | timestamp i64 (magic 1) | key | value
//! ```
//! A compressed message's value is itself a message set. Inside one of magic 1, offsets count from 0 and the outer
//! offset is the last one's; inside one of magic 0 they are absolute.

use bytes::Bytes;

use crate::records::attributes::TimestampType;
use crate::records::batch_error::BatchError;
use crate::records::builder::{BatchBuilder, BatchOptions};
use crate::records::compression::{Compression, decompress, repair_header_checksum};
use crate::records::crc::crc32;
use crate::records::header::MAGIC_AT;
use crate::records::varint::Reader;

const LOG_APPEND_TIME: i8 = 1 << 3;
const COMPRESSION: i8 = 0b111;
const NO_TIMESTAMP: i64 = -1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyMessage {
    pub offset: i64,
    pub magic: i8,
    pub timestamp: i64,
    pub timestamp_type: TimestampType,
    pub compression: Compression,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
}

/// Whether these records start with a message of magic 0 or 1.
pub fn is_legacy(records: &[u8]) -> bool {
    matches!(records.get(MAGIC_AT), Some(0 | 1))
}

/// Every message, unpacked, with offsets made absolute. `max_output` bounds what compressed ones take in all.
pub fn messages(set: &Bytes, max_output: usize) -> Result<Vec<LegacyMessage>, BatchError> {
    let mut found = Vec::new();
    let mut left = max_output;
    let mut rest = set.clone();
    while !rest.is_empty() {
        let outer = next(&mut rest)?;
        if outer.compression == Compression::None {
            found.push(outer);
        } else {
            left = unpack(&outer, left, max_output, &mut found)?;
        }
    }
    Ok(found)
}

/// One batch of magic 2 with everything in `set`, in the compression it came in, at `options`' offsets.
/// `None` where there is nothing in it.
pub fn to_batch(
    set: &Bytes,
    options: BatchOptions,
    max_output: usize,
) -> Result<Option<Bytes>, BatchError> {
    let messages = messages(set, max_output)?;
    if messages.is_empty() {
        return Ok(None);
    }
    // As Kafka does: what was packed last decides, and one packed message is enough.
    let mut codecs = messages.iter().rev().map(|message| message.compression);
    let compression = codecs.find(|c| *c != Compression::None).unwrap_or_default();
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..options });
    for message in &messages {
        builder.push(message.timestamp, message.key.as_deref(), message.value.as_deref(), &[]);
    }
    Ok(Some(builder.build()))
}

/// Takes one message off the front.
fn next(rest: &mut Bytes) -> Result<LegacyMessage, BatchError> {
    let mut reader = Reader::new(rest, 0);
    let offset = reader.i64()?;
    let size = reader.i32()?;
    if size < 0 {
        return Err(BatchError::InvalidLength(size.into()));
    }
    let head = reader.position();
    let body = reader.take(size as usize)?;
    let mut reader = Reader::new(body, 0);
    let stored = u32::from_be_bytes(reader.array()?);
    let computed = crc32(&body[4..]);
    let magic = reader.i8()?;
    if !matches!(magic, 0 | 1) {
        return Err(BatchError::UnsupportedMagic(magic));
    }
    if stored != computed {
        return Err(BatchError::CrcMismatch { stored, computed });
    }
    let attributes = reader.i8()?;
    let timestamp = if magic == 1 { reader.i64()? } else { NO_TIMESTAMP };
    let key = nullable(&mut reader)?.map(|slice| rest.slice_ref(slice));
    let value = nullable(&mut reader)?.map(|slice| rest.slice_ref(slice));
    if reader.remaining() != 0 {
        return Err(BatchError::InvalidRecord("shorter than its length"));
    }
    let log_append = magic == 1 && attributes & LOG_APPEND_TIME != 0;
    let message = LegacyMessage {
        offset,
        magic,
        timestamp,
        timestamp_type: match log_append {
            true => TimestampType::LogAppendTime,
            false => TimestampType::CreateTime,
        },
        compression: Compression::from_code((attributes & COMPRESSION) as u8)?,
        key,
        value,
    };
    drop(rest.split_to(head + size as usize));
    Ok(message)
}

fn nullable<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, BatchError> {
    match reader.i32()? {
        length if length < 0 => Ok(None),
        length => Ok(Some(reader.take(length as usize)?)),
    }
}

/// The messages inside a compressed one; returns what remains of the output allowed in all.
fn unpack(
    outer: &LegacyMessage,
    left: usize,
    max_output: usize,
    found: &mut Vec<LegacyMessage>,
) -> Result<usize, BatchError> {
    let Some(packed) = &outer.value else {
        return Err(BatchError::InvalidRecord("a compressed message without a value"));
    };
    if outer.compression == Compression::Zstd {
        return Err(BatchError::InvalidRecord("zstd came with magic 2"));
    }
    let unpacked = match (outer.compression, outer.magic) {
        (Compression::Lz4, 0) => {
            decompress(Compression::Lz4, &repair_header_checksum(packed), left)
        }
        (codec, _) => decompress(codec, packed, left),
    };
    let unpacked = unpacked.map_err(|error| match error {
        BatchError::TooLarge { .. } => BatchError::TooLarge { max_output },
        other => other,
    })?;
    let left = left - unpacked.len();
    let start = found.len();
    let mut rest = unpacked;
    while !rest.is_empty() {
        let mut inner = next(&mut rest)?;
        if inner.compression != Compression::None {
            return Err(BatchError::InvalidRecord("a compressed message inside a compressed one"));
        }
        if inner.magic != outer.magic {
            return Err(BatchError::InvalidRecord("an inner message of another magic"));
        }
        inner.compression = outer.compression;
        if outer.timestamp_type == TimestampType::LogAppendTime {
            inner.timestamp = outer.timestamp;
            inner.timestamp_type = TimestampType::LogAppendTime;
        }
        found.push(inner);
    }
    let Some(last) = found[start..].last().map(|message| message.offset) else {
        return Err(BatchError::InvalidRecord("a compressed message set without messages"));
    };
    if outer.magic == 1 {
        for message in &mut found[start..] {
            message.offset = message.offset.wrapping_sub(last).wrapping_add(outer.offset);
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests;
