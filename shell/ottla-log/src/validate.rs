//! Judges the bytes of a produce request before they are given offsets, as Kafka's LogValidator does.
//!
//! Needs no lock and knows no offset: it may run before the partition is locked. [`assign`] then
//! patches offsets and epoch in the buffer the batches were copied to. Bytes that are in order are
//! passed on as they came; they are only rewritten where the topic asks for another compression or
//! for the broker's time, or where a header's largest timestamp is not true.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;
use ottla_protocol::records::{
    BatchError, BatchHeader, TimestampType, set_base_offset, set_leader_epoch, set_max_timestamp,
};
use smallvec::SmallVec;

use crate::config::{LogConfig, TimestampKind};

mod convert;
mod records;

/// Who hands the batches in; decides how far they are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A produce request.
    Client,
    /// A coordinator of this broker: may write control batches, its bytes are its own.
    Coordinator,
    /// A leader's log: offsets and timestamps stay as they are.
    Replica,
}

/// How deep a client's batches are looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// Every record, as Kafka does; compressed batches are unpacked.
    #[default]
    Full,
    /// The header and the CRC, where the header alone can answer.
    Header,
}

/// What the batches are held against.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    pub config: &'a LogConfig,
    pub origin: Origin,
    pub depth: Depth,
    pub now_ms: i64,
}

/// Batches fit for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// One or more whole batches, nothing else.
    pub records: Bytes,
    /// Their headers, as they stand in `records`.
    pub batches: SmallVec<[BatchHeader; 1]>,
    /// How many offsets they take.
    pub offsets_count: i64,
    /// The largest timestamp in them, or -1.
    pub max_timestamp: i64,
    /// The broker's time, where the topic asks for it; else -1.
    pub log_append_time_ms: i64,
}

/// Why nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub code: ErrorCode,
    pub message: String,
    /// The records at fault, where single ones are.
    pub record_errors: Vec<RecordError>,
}

/// A record at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    /// Its place in the batch.
    pub batch_index: i32,
    pub message: String,
}

impl Rejection {
    fn new(code: ErrorCode, message: impl Into<String>) -> Rejection {
        Rejection { code, message: message.into(), record_errors: Vec::new() }
    }
    fn invalid_record(message: impl Into<String>) -> Rejection {
        Rejection::new(ErrorCode::InvalidRecord, message)
    }
    fn of_batch(error: &BatchError) -> Rejection {
        let code = match error {
            BatchError::UnsupportedMagic(0 | 1) | BatchError::InvalidRecord(_) => {
                ErrorCode::InvalidRecord
            }
            BatchError::UnknownCompression(_) => ErrorCode::UnsupportedCompressionType,
            BatchError::TooLarge { .. } => ErrorCode::MessageTooLarge,
            _ => ErrorCode::CorruptMessage,
        };
        Rejection::new(code, error.to_string())
    }
    /// What cannot be unpacked or read behind a CRC that holds: the producer made it so, and would
    /// only send the same again if it were told that the batch was damaged on its way.
    fn of_records(error: &BatchError) -> Rejection {
        match Rejection::of_batch(error) {
            Rejection { code: ErrorCode::CorruptMessage, message, .. } => {
                Rejection::invalid_record(message)
            }
            other => other,
        }
    }
}

/// What one batch may unpack to while it is checked, whatever the topic allows: memory is the
/// node's, not the producer's.
pub const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// Judges `records`: what a produce request holds for one partition.
///
/// # Errors
/// The answer for the producer; nothing is to be appended then.
pub fn validate(records: Bytes, rules: &Rules<'_>) -> Result<Validated, Rejection> {
    let found = whole_batches(&records, rules)?;
    let mut passed = Passed { rewritten: false, output: SmallVec::new() };
    for (header, range) in found {
        match rules.origin {
            Origin::Replica => passed.keep(header, range),
            Origin::Client | Origin::Coordinator => {
                check_batch(header, &records, range, rules, &mut passed)?;
            }
        }
    }
    Ok(passed.into_validated(records, rules))
}

/// Gives batches their offsets, in the buffer they were copied to; answers with the last offset.
/// The buffer holds what [`validate`] passed, whose headers these are.
pub fn assign(
    records: &mut [u8],
    batches: &[BatchHeader],
    first_offset: i64,
    leader_epoch: i32,
) -> i64 {
    let (mut at, mut offset) = (0, first_offset);
    for header in batches {
        let batch = &mut records[at..at + header.size_in_bytes()];
        set_base_offset(batch, offset);
        set_leader_epoch(batch, leader_epoch);
        offset += i64::from(header.last_offset_delta) + 1;
        at += header.size_in_bytes();
    }
    offset - 1
}

/// Where each whole batch lies. Nearly always one.
type Batches = SmallVec<[(BatchHeader, Range<usize>); 1]>;

/// A batch as it goes into the log.
enum Piece {
    /// As it came, from here to there.
    Received(Range<usize>),
    Rewritten(Bytes),
}

/// Batches on their way through, and whether any differs from what came.
struct Passed {
    rewritten: bool,
    output: SmallVec<[(BatchHeader, Piece); 1]>,
}

impl Passed {
    fn keep(&mut self, header: BatchHeader, range: Range<usize>) {
        self.output.push((header, Piece::Received(range)));
    }

    /// Takes a batch that is not what came.
    fn replace(&mut self, bytes: Bytes) -> Result<(), Rejection> {
        let header = BatchHeader::parse(&bytes).map_err(|error| Rejection::of_batch(&error))?;
        self.rewritten = true;
        self.output.push((header, Piece::Rewritten(bytes)));
        Ok(())
    }

    fn into_validated(self, received: Bytes, rules: &Rules<'_>) -> Validated {
        let size: usize = self.output.iter().map(|(header, _)| header.size_in_bytes()).sum();
        let records = if self.rewritten {
            let mut joined = BytesMut::with_capacity(size);
            for (_, piece) in &self.output {
                joined.extend_from_slice(match piece {
                    Piece::Received(range) => &received[range.clone()],
                    Piece::Rewritten(bytes) => bytes,
                });
            }
            joined.freeze()
        } else if size == received.len() {
            received
        } else {
            // What trails the last whole batch is left off.
            received.slice(..size)
        };
        let stamped = rules.origin != Origin::Replica
            && rules.config.message_timestamp_type == TimestampKind::LogAppendTime;
        let batches: SmallVec<[_; 1]> = self.output.into_iter().map(|(header, _)| header).collect();
        Validated {
            records,
            offsets_count: batches.iter().map(|h| i64::from(h.last_offset_delta) + 1).sum(),
            max_timestamp: batches.iter().map(|h| h.max_timestamp).max().unwrap_or(-1),
            batches,
            log_append_time_ms: if stamped { rules.now_ms } else { -1 },
        }
    }
}

/// Takes the bytes apart into batches whose size and CRC hold. A torn batch at the end is left off,
/// as Kafka does; a torn first one leaves nothing, which is refused.
fn whole_batches(records: &Bytes, rules: &Rules<'_>) -> Result<Batches, Rejection> {
    let (mut found, mut at) = (Batches::new(), 0);
    while at < records.len() {
        let rest = &records[at..];
        let header = match BatchHeader::parse(rest) {
            Ok(header) if header.size_in_bytes() <= rest.len() => header,
            Ok(_) | Err(BatchError::Truncated { .. }) => break,
            Err(error) => return Err(Rejection::of_batch(&error)),
        };
        let bytes = &rest[..header.size_in_bytes()];
        if rules.origin != Origin::Replica
            && bytes.len() as u64 > u64::from(rules.config.max_message_bytes)
        {
            let message = format!(
                "The record batch size is {} bytes which exceeds the maximum configured value of {}.",
                bytes.len(),
                rules.config.max_message_bytes
            );
            return Err(Rejection::new(ErrorCode::MessageTooLarge, message));
        }
        let trusted = rules.origin == Origin::Coordinator
            || rules.origin == Origin::Replica && planted(Plant::CorruptBatchFollowed);
        if !trusted {
            header.verify_crc(bytes).map_err(|error| Rejection::of_batch(&error))?;
        }
        if rules.origin == Origin::Replica
            && found.last().is_some_and(|(last, _)| header.base_offset <= last.last_offset())
        {
            let message = format!("offset {} does not follow the one before", header.base_offset);
            return Err(Rejection::new(ErrorCode::CorruptMessage, message));
        }
        found.push((header, at..at + bytes.len()));
        at += bytes.len();
    }
    let total = at;
    if total as u64 > u64::from(rules.config.segment_bytes) && rules.origin != Origin::Replica {
        let message = format!(
            "Message batch size is {total} bytes in append, which exceeds the maximum configured segment size of {}.",
            rules.config.segment_bytes
        );
        return Err(Rejection::new(ErrorCode::RecordListTooLarge, message));
    }
    let several = found.len() > 1 && rules.origin == Origin::Client;
    if found.is_empty() {
        return Err(Rejection::invalid_record(
            "There must be at least one record batch per partition",
        ));
    }
    if several && found.iter().any(|(header, _)| header.has_producer_id()) {
        return Err(Rejection::invalid_record(
            "Produce requests with a producer id must contain exactly one record batch per partition",
        ));
    }
    Ok(found)
}

fn check_batch(
    header: BatchHeader,
    received: &Bytes,
    range: Range<usize>,
    rules: &Rules<'_>,
    passed: &mut Passed,
) -> Result<(), Rejection> {
    // A share of the memory is taken only by what needs one.
    let batch = || received.slice(range.clone());
    if rules.origin == Origin::Client {
        check_header(&header)?;
    }
    let codec = header.compression().map_err(|error| Rejection::of_batch(&error))?;
    let stamp = rules.config.message_timestamp_type == TimestampKind::LogAppendTime;
    let max_timestamp = if records::header_answers(&header, rules) {
        header.max_timestamp
    } else if range.start == 0 {
        records::check(&header, received, rules)?
    } else {
        records::check(&header, &batch(), rules)?
    };
    let converts = !header.is_control() && !convert::matches(rules.config.compression, codec);
    if converts {
        return passed.replace(convert::rebuild(&header, &batch(), rules)?);
    }
    let (kind, timestamp) = if stamp {
        (TimestampType::LogAppendTime, rules.now_ms)
    } else {
        (TimestampType::CreateTime, max_timestamp)
    };
    if header.timestamp_type() == kind && header.max_timestamp == timestamp {
        passed.keep(header, range);
        return Ok(());
    }
    let mut copy = BytesMut::from(&received[range]);
    set_max_timestamp(&mut copy, kind, timestamp);
    passed.replace(copy.freeze())
}

/// What a client's header must say, in Kafka's order.
fn check_header(header: &BatchHeader) -> Result<(), Rejection> {
    if header.base_offset != 0 {
        return Err(Rejection::invalid_record(format!(
            "The baseOffset of the record batch should be 0, but it is {}",
            header.base_offset
        )));
    }
    let count = i64::from(header.last_offset_delta) + 1;
    if header.records_count <= 0 {
        return Err(Rejection::invalid_record(format!(
            "Invalid reported count for record batch: {}",
            header.records_count
        )));
    }
    if count != i64::from(header.records_count) {
        return Err(Rejection::invalid_record(format!(
            "Inconsistent batch offset range [0, {}] and count of records {}",
            header.last_offset_delta, header.records_count
        )));
    }
    if header.is_control() {
        return Err(Rejection::invalid_record("Clients are not allowed to write control records"));
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return Err(Rejection::invalid_record(format!(
            "Invalid sequence number {} in record batch with producerId {}",
            header.base_sequence, header.producer_id
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
