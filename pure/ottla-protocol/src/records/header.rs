//! The 61 bytes before the records of a batch (magic 2), and the few places a broker patches in them.
//!
//! ```text
//!  0 base offset i64        8 batch length i32     12 leader epoch i32    16 magic i8
//! 17 crc u32               21 attributes i16      23 last offset delta i32
//! 27 base timestamp i64    35 max timestamp i64   43 producer id i64
//! 51 producer epoch i16    53 base sequence i32   57 records count i32   61 records
//! ```
//! The CRC covers everything from the attributes on: offset and epoch are patched without touching it.

use crate::records::attributes::{self, TimestampType};
use crate::records::batch_error::BatchError;
use crate::records::compression::Compression;
use crate::records::crc::crc32c;

pub const BATCH_HEADER_SIZE: usize = 61;
/// What the batch length does not count: base offset and the length itself.
pub(crate) const LENGTH_OVERHEAD: usize = 12;
pub(crate) const MAGIC_AT: usize = 16;
const LEADER_EPOCH_AT: usize = 12;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;

pub const NO_PRODUCER_ID: i64 = -1;
pub const NO_PRODUCER_EPOCH: i16 = -1;
pub const NO_SEQUENCE: i32 = -1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    pub batch_length: i32,
    pub partition_leader_epoch: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads a header and checks what makes it one: its magic, a length that holds it, counts not below zero.
    /// Whether the batch is all there, and its CRC, are the caller's next questions.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let Some(b) = bytes.first_chunk::<BATCH_HEADER_SIZE>() else {
            // The magic is told first if it is there: old batches are shorter than a header.
            return match bytes.get(MAGIC_AT) {
                Some(magic) if *magic != 2 => Err(BatchError::UnsupportedMagic(*magic as i8)),
                _ => {
                    Err(BatchError::Truncated { needed: BATCH_HEADER_SIZE, remaining: bytes.len() })
                }
            };
        };
        let header = Self::read(b);
        if header.magic != 2 {
            return Err(BatchError::UnsupportedMagic(header.magic));
        }
        if header.batch_length < (BATCH_HEADER_SIZE - LENGTH_OVERHEAD) as i32 {
            return Err(BatchError::InvalidLength(header.batch_length.into()));
        }
        if header.records_count < 0 || header.last_offset_delta < 0 {
            return Err(BatchError::InvalidRecord("a count below zero"));
        }
        Ok(header)
    }

    fn read(b: &[u8; BATCH_HEADER_SIZE]) -> BatchHeader {
        BatchHeader {
            base_offset: i64::from_be_bytes(at(b, 0)),
            batch_length: i32::from_be_bytes(at(b, 8)),
            partition_leader_epoch: i32::from_be_bytes(at(b, LEADER_EPOCH_AT)),
            magic: b[MAGIC_AT] as i8,
            crc: u32::from_be_bytes(at(b, CRC_AT)),
            attributes: i16::from_be_bytes(at(b, ATTRIBUTES_AT)),
            last_offset_delta: i32::from_be_bytes(at(b, 23)),
            base_timestamp: i64::from_be_bytes(at(b, 27)),
            max_timestamp: i64::from_be_bytes(at(b, MAX_TIMESTAMP_AT)),
            producer_id: i64::from_be_bytes(at(b, 43)),
            producer_epoch: i16::from_be_bytes(at(b, 51)),
            base_sequence: i32::from_be_bytes(at(b, 53)),
            records_count: i32::from_be_bytes(at(b, 57)),
        }
    }

    /// The header's bytes, with the CRC as it stands.
    pub fn to_bytes(&self) -> [u8; BATCH_HEADER_SIZE] {
        let mut b = [0u8; BATCH_HEADER_SIZE];
        b[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        b[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        b[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        b[16] = self.magic as u8;
        b[17..21].copy_from_slice(&self.crc.to_be_bytes());
        b[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        b[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        b[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        b[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        b[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        b[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        b[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        b[57..61].copy_from_slice(&self.records_count.to_be_bytes());
        b
    }

    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(self.last_offset_delta.into())
    }

    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// The whole batch, header included.
    pub fn size_in_bytes(&self) -> usize {
        LENGTH_OVERHEAD + self.batch_length.max(0) as usize
    }

    pub fn compression(&self) -> Result<Compression, BatchError> {
        Compression::from_code((self.attributes & attributes::COMPRESSION) as u8)
    }

    pub fn timestamp_type(&self) -> TimestampType {
        match self.attributes & attributes::LOG_APPEND_TIME {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & attributes::TRANSACTIONAL != 0
    }

    pub fn is_control(&self) -> bool {
        self.attributes & attributes::CONTROL != 0
    }

    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// When the cleaner may drop tombstones and markers of this batch, once it has set that.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & attributes::DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// Whether the bytes of the batch, whose header this is, are what its writer meant.
    pub fn verify_crc(&self, batch: &[u8]) -> Result<(), BatchError> {
        let (needed, remaining) = (self.size_in_bytes(), batch.len());
        let covered =
            batch.get(ATTRIBUTES_AT..needed).ok_or(BatchError::Truncated { needed, remaining })?;
        match crc32c(covered) {
            computed if computed == self.crc => Ok(()),
            computed => Err(BatchError::CrcMismatch { stored: self.crc, computed }),
        }
    }

    /// Sequence numbers wrap from `i32::MAX` to 0.
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence {
            NO_SEQUENCE => NO_SEQUENCE,
            base => increment_sequence(base, self.last_offset_delta),
        }
    }
}

/// `sequence + by`, wrapping from `i32::MAX` to 0.
pub(crate) fn increment_sequence(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) & i64::from(i32::MAX)) as i32
}

fn at<const N: usize>(bytes: &[u8; BATCH_HEADER_SIZE], from: usize) -> [u8; N] {
    *bytes[from..].first_chunk().expect("every field lies inside the header")
}

/// Whether the whole batch's bytes are what its writer meant.
pub fn verify_crc(batch: &[u8]) -> Result<(), BatchError> {
    BatchHeader::parse(batch)?.verify_crc(batch)
}

/// Gives the batch its place in the log. `batch` must hold a header.
pub fn set_base_offset(batch: &mut [u8], base_offset: i64) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
}

/// Stamps the epoch of the leader that appends. `batch` must hold a header.
pub fn set_leader_epoch(batch: &mut [u8], leader_epoch: i32) {
    batch[LEADER_EPOCH_AT..MAGIC_AT].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Sets the timestamps' owner and the highest one, then the CRC anew. `batch` must be one whole batch.
pub fn set_max_timestamp(batch: &mut [u8], timestamp_type: TimestampType, max_timestamp: i64) {
    let attributes = i16::from_be_bytes([batch[ATTRIBUTES_AT], batch[ATTRIBUTES_AT + 1]]);
    let attributes = match timestamp_type {
        TimestampType::CreateTime => attributes & !attributes::LOG_APPEND_TIME,
        TimestampType::LogAppendTime => attributes | attributes::LOG_APPEND_TIME,
    };
    batch[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
    batch[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&max_timestamp.to_be_bytes());
    let crc = crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
}
