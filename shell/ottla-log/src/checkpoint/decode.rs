//! Bytes to state. Nothing is trusted: not the header, not a length, not an order.

use bytes::Bytes;
use ottla_protocol::{Str, Uuid};

use super::{
    Checkpoint, CheckpointError, CheckpointHeader, Copying, HEADER_BYTES, MAGIC, PartitionRecord,
    SegmentRecord, VERSION,
};
use crate::epochs::EpochEntry;
use crate::index::AbortedTransaction;
use crate::options::TopicPartition;
use crate::producers::Producers;
use crate::wal::crc32c;

pub(super) fn checkpoint(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let corrupt = |what: &str| CheckpointError::Corrupt(what.to_owned());
    if bytes.len() < HEADER_BYTES {
        return Err(corrupt("it is shorter than its header"));
    }
    let mut head = Cursor { rest: &bytes[..HEADER_BYTES] };
    let magic = head.u32()?;
    let version = head.u16()?;
    if magic != MAGIC {
        return Err(corrupt("it does not begin like a checkpoint"));
    }
    if version != VERSION {
        return Err(CheckpointError::Version(version));
    }
    let flags = head.u16()?;
    let crc = head.u32()?;
    if crc != crc32c(&bytes[12..]) ^ u32::from(flags) {
        return Err(corrupt("its checksum does not match"));
    }
    let partitions = head.u32()?;
    let body_bytes = head.u64()?;
    let directory = head.uuid()?;
    let header = CheckpointHeader {
        directory,
        epoch: head.u64()?,
        wal_start_lsn: head.u64()?,
        next_number: head.u64()?,
        clean: flags & 1 == 1,
    };
    if body_bytes != (bytes.len() - HEADER_BYTES) as u64 {
        return Err(corrupt("its length is not what it says"));
    }
    let mut body = Cursor { rest: &bytes[HEADER_BYTES..] };
    let mut found = Vec::new();
    for _ in 0..partitions {
        let length = body.u32()? as usize;
        let mut one = Cursor { rest: body.take(length)? };
        found.push(partition(&mut one)?);
        one.end()?;
    }
    body.end()?;
    Ok(Checkpoint { header, partitions: found })
}

/// A name made by `encode_name`, and its `segment.bytes`.
pub(crate) fn decode_name(bytes: &[u8]) -> Result<(TopicPartition, u32), CheckpointError> {
    let mut cursor = Cursor { rest: bytes };
    let name = name(&mut cursor)?;
    cursor.end()?;
    Ok(name)
}

fn name(from: &mut Cursor<'_>) -> Result<(TopicPartition, u32), CheckpointError> {
    let topic_id = from.uuid()?;
    let partition = from.u32()?.cast_signed();
    let segment_bytes = from.u32()?;
    let length = from.u16()? as usize;
    let topic = std::str::from_utf8(from.take(length)?)
        .map_err(|_| CheckpointError::Corrupt("a topic's name is not UTF-8".to_owned()))?;
    Ok((TopicPartition { topic: Str::copy_from(topic), topic_id, partition }, segment_bytes))
}

fn partition(from: &mut Cursor<'_>) -> Result<PartitionRecord, CheckpointError> {
    let number = from.u64()?;
    let (id, segment_bytes) = name(from)?;
    let applied_lsn = from.u64()?;
    let (log_start, high_watermark, log_end) = (from.i64()?, from.i64()?, from.i64()?);
    let flags = from.take(1)?[0];
    let record = PartitionRecord {
        number,
        id,
        applied_lsn,
        log_start,
        high_watermark,
        log_end,
        segment_bytes,
        has_folder: flags & 1 != 0,
        index_saved: flags & 2 != 0,
        replicated: flags & 4 != 0,
        copying: Copying::from_bits(flags >> super::encode::FLAGS),
        segments: from.list(56, segment)?,
        epochs: from.list(12, |from| {
            Ok(EpochEntry { epoch: from.u32()?.cast_signed(), start_offset: from.i64()? })
        })?,
        producers: producers(from)?,
        aborted: from.list(32, |from| {
            Ok(AbortedTransaction {
                producer_id: from.i64()?,
                first_offset: from.i64()?,
                last_offset: from.i64()?,
                last_stable_offset: from.i64()?,
            })
        })?,
    };
    let ordered = (0..=high_watermark).contains(&log_start)
        && high_watermark <= log_end
        && record.segments.windows(2).all(|pair| pair[0].base_offset < pair[1].base_offset)
        && record.segments.last().is_none_or(|last| last.base_offset <= log_end);
    if ordered {
        return Ok(record);
    }
    Err(CheckpointError::Corrupt(format!("the offsets of {} contradict each other", record.id)))
}

fn segment(from: &mut Cursor<'_>) -> Result<SegmentRecord, CheckpointError> {
    Ok(SegmentRecord {
        base_offset: from.i64()?,
        size: from.u64()?,
        max_timestamp: from.i64()?,
        max_timestamp_offset: from.i64()?,
        first_timestamp: from.i64()?,
        created_ms: from.i64()?,
        modified_ms: from.i64()?,
    })
}

fn producers(from: &mut Cursor<'_>) -> Result<Producers, CheckpointError> {
    let length = from.u32()? as usize;
    let mut bytes = Bytes::copy_from_slice(from.take(length)?);
    let producers = Producers::decode(&mut bytes);
    let producers = producers.map_err(|error| CheckpointError::Corrupt(error.to_string()))?;
    if bytes.is_empty() {
        return Ok(producers);
    }
    Err(CheckpointError::Corrupt("there are bytes left over after the producers".to_owned()))
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], CheckpointError> {
        if count > self.rest.len() {
            return Err(CheckpointError::Corrupt("it ends in the middle of a field".to_owned()));
        }
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CheckpointError> {
        Ok(self.take(N)?.try_into().expect("take gives N bytes"))
    }

    fn u16(&mut self) -> Result<u16, CheckpointError> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    fn u32(&mut self) -> Result<u32, CheckpointError> {
        Ok(u32::from_be_bytes(self.array()?))
    }
    fn u64(&mut self) -> Result<u64, CheckpointError> {
        Ok(u64::from_be_bytes(self.array()?))
    }
    fn i64(&mut self) -> Result<i64, CheckpointError> {
        Ok(i64::from_be_bytes(self.array()?))
    }
    fn uuid(&mut self) -> Result<Uuid, CheckpointError> {
        Ok(Uuid(self.array()?))
    }

    /// A counted list of parts of at least `least` bytes; the count is checked before allocating.
    fn list<T>(
        &mut self,
        least: usize,
        mut one: impl FnMut(&mut Cursor<'a>) -> Result<T, CheckpointError>,
    ) -> Result<Vec<T>, CheckpointError> {
        let count = self.u32()? as usize;
        if count > self.rest.len() / least {
            return Err(CheckpointError::Corrupt("a list is longer than the file".to_owned()));
        }
        (0..count).map(|_| one(self)).collect()
    }

    fn end(&self) -> Result<(), CheckpointError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(CheckpointError::Corrupt("there are bytes left over".to_owned()))
    }
}
