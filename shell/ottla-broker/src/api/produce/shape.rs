//! Whether a partition's bytes have the shape that a request of a version must have: exactly one
//! batch of magic 2 since v3, any message set before. The batch itself is checked by the log.

use bytes::Bytes;
use ottla_protocol::ErrorCode;
use ottla_protocol::records::{BatchError, BatchHeader, BatchOptions, Compression, legacy};

/// Offset and length, before every batch.
const OVERHEAD: usize = 12;
/// Bytes up to and with the magic.
const UP_TO_MAGIC: usize = 17;
/// The least a batch of any magic announces.
const ANNOUNCED_MIN: i32 = 14;
/// The lower byte of a batch's attributes, and the bit in it of a transaction's batch.
const ATTRIBUTES_LOW: usize = 22;
const TRANSACTIONAL: u8 = 0x10;
/// First version whose records are one batch of magic 2.
const ONE_BATCH: i16 = 3;
/// First version that may carry zstd.
const ZSTD: i16 = 7;
/// What a message set of old may unpack to, as a multiple of the largest batch and in all.
const UNPACKED_FACTOR: usize = 16;
const UNPACKED_MAX: usize = 64 << 20;

type Objection = (ErrorCode, String);

/// The one batch in `records`, which for v0-2 is made of the message set in it.
pub(super) fn one_batch(
    records: Option<&Bytes>,
    version: i16,
    batch_max: impl FnOnce() -> u32,
) -> Result<Bytes, Objection> {
    let nothing = Bytes::new();
    let records = records.unwrap_or(&nothing);
    if version < ONE_BATCH && legacy::is_legacy(records) {
        return up_converted(records, batch_max());
    }
    let Some(length) = first_batch(records)? else {
        let text = format!(
            "Produce requests with version {version} must have at least one record batch per partition"
        );
        return Err((ErrorCode::InvalidRecord, text));
    };
    if records[UP_TO_MAGIC - 1] != 2 {
        let text = format!(
            "Produce requests with version {version} are only allowed to contain record batches with magic version 2"
        );
        return Err((ErrorCode::InvalidRecord, text));
    }
    let header = match BatchHeader::parse(records) {
        Ok(header) => header,
        // The log refuses its counts, and says beside it where it starts.
        Err(BatchError::InvalidRecord(_)) => return Ok(records.slice(..length)),
        Err(error) => return Err(corrupt(error)),
    };
    if version < ZSTD && header.compression().is_ok_and(|codec| codec == Compression::Zstd) {
        let text = format!(
            "Produce requests with version {version} are not allowed to use ZStandard compression"
        );
        return Err((ErrorCode::UnsupportedCompressionType, text));
    }
    if first_batch(&records[length..])?.is_some() {
        let text = format!(
            "Produce requests with version {version} are only allowed to contain exactly one record batch per partition"
        );
        return Err((ErrorCode::InvalidRecord, text));
    }
    Ok(records.slice(..length))
}

/// Whether a batch of the right shape belongs to a transaction.
pub(super) fn is_transactional(batch: &Bytes) -> bool {
    batch.get(ATTRIBUTES_LOW).is_some_and(|attributes| attributes & TRANSACTIONAL != 0)
}

/// The length of the batch at the front; nothing where the bytes end before it does.
fn first_batch(bytes: &[u8]) -> Result<Option<usize>, Objection> {
    let Some(prefix) = bytes.first_chunk::<OVERHEAD>() else { return Ok(None) };
    let announced = i32::from_be_bytes([prefix[8], prefix[9], prefix[10], prefix[11]]);
    if announced < ANNOUNCED_MIN {
        let text = format!(
            "Record size {announced} is less than the minimum record overhead ({ANNOUNCED_MIN})"
        );
        return Err((ErrorCode::CorruptMessage, text));
    }
    let Some(magic) = bytes.get(UP_TO_MAGIC - 1) else { return Ok(None) };
    if *magic > 2 {
        let text = format!("Invalid magic found in record: {}", i8::from_be_bytes([*magic]));
        return Err((ErrorCode::CorruptMessage, text));
    }
    let length = OVERHEAD + usize::try_from(announced).expect("announced is at least 14");
    Ok((length <= bytes.len()).then_some(length))
}

fn up_converted(set: &Bytes, batch_max: u32) -> Result<Bytes, Objection> {
    let batch_max = usize::try_from(batch_max).unwrap_or(UNPACKED_MAX);
    let unpacked_max = batch_max.saturating_mul(UNPACKED_FACTOR).min(UNPACKED_MAX);
    match legacy::to_batch(set, BatchOptions::default(), unpacked_max).map_err(corrupt)? {
        Some(batch) => Ok(batch),
        None => Err((ErrorCode::InvalidRecord, "The message set is empty".into())),
    }
}

fn corrupt(error: BatchError) -> Objection {
    let code = match error {
        BatchError::TooLarge { .. } => ErrorCode::MessageTooLarge,
        BatchError::UnknownCompression(_) => ErrorCode::UnsupportedCompressionType,
        _ => ErrorCode::CorruptMessage,
    };
    (code, error.to_string())
}
