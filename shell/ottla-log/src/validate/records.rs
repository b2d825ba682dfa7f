//! The records of one batch, one by one: places, keys, timestamps.

use bytes::Bytes;
use ottla_protocol::ErrorCode;
use ottla_protocol::records::{BatchHeader, TimestampType, records};

use super::{Depth, Origin, RecordError, Rejection, Rules, UNPACKED_BYTES_MAX};
use crate::config::{LogConfig, TimestampKind};

/// Whether the header can be believed without looking at the records.
pub(super) fn header_answers(header: &BatchHeader, rules: &Rules<'_>) -> bool {
    if rules.origin == Origin::Coordinator || header.is_control() {
        return true;
    }
    // In a header-only check every record is taken to lie between the two timestamps told.
    let stamps = rules.config.message_timestamp_type == TimestampKind::LogAppendTime;
    let in_time = stamps
        || [header.base_timestamp, header.max_timestamp]
            .into_iter()
            .all(|timestamp| out_of_range(timestamp, rules.config, rules.now_ms).is_none());
    rules.depth == Depth::Header
        && in_time
        && !rules.config.cleanup_policy.compact
        && header.timestamp_type() == TimestampType::CreateTime
}

/// Reads every record; answers with the largest timestamp.
///
/// # Errors
/// The rejection that names the records at fault.
pub(super) fn check(
    header: &BatchHeader,
    batch: &Bytes,
    rules: &Rules<'_>,
) -> Result<i64, Rejection> {
    let mut iter = records(header, batch, unpacked_max(rules.config))
        .map_err(|error| Rejection::of_records(&error))?;
    let mut faults = Faults::default();
    let (mut index, mut max_timestamp) = (0, -1);
    while let Some(record) = iter.next_ref() {
        let record = record.map_err(|error| Rejection::invalid_record(error.to_string()))?;
        if record.offset_delta != index {
            faults.invalid(index, format!(
                "Inner record {} inside the record batch does not have incremental offsets, expected offset is {index}",
                record.offset_delta
            ));
        }
        if rules.config.cleanup_policy.compact && record.key.is_none() {
            faults.invalid(index, "Compacted topic cannot accept message without key.".to_owned());
        }
        let stamped = rules.config.message_timestamp_type == TimestampKind::LogAppendTime;
        if !stamped && let Some(range) = out_of_range(record.timestamp, rules.config, rules.now_ms)
        {
            faults.untimely(index, record.timestamp, range);
        }
        max_timestamp = max_timestamp.max(record.timestamp);
        index += 1;
    }
    faults.into_result().map(|()| max_timestamp)
}

/// What one batch may unpack to.
pub(super) fn unpacked_max(config: &LogConfig) -> usize {
    usize::try_from(config.max_decompressed_message_bytes)
        .unwrap_or(usize::MAX)
        .min(UNPACKED_BYTES_MAX)
}

/// The range a timestamp had to lie in, if it does not. -1 means none and is always in order.
fn out_of_range(timestamp: i64, config: &LogConfig, now_ms: i64) -> Option<(i64, i64)> {
    let earliest = now_ms.saturating_sub(config.message_timestamp_before_max_ms);
    let latest = now_ms.saturating_add(config.message_timestamp_after_max_ms);
    (timestamp != -1 && (timestamp < earliest || timestamp > latest)).then_some((earliest, latest))
}

/// Records at fault; only the first few are told.
#[derive(Default)]
struct Faults {
    told: Vec<RecordError>,
    count: usize,
    untimely: bool,
}

impl Faults {
    fn invalid(&mut self, batch_index: i32, message: String) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(RecordError { batch_index, message });
        }
    }

    fn untimely(&mut self, index: i32, timestamp: i64, (earliest, latest): (i64, i64)) {
        self.untimely = true;
        self.invalid(index, format!(
            "Timestamp {timestamp} of message with offset {index} is out of range. The timestamp should be within [{earliest}, {latest}]"
        ));
    }

    fn into_result(self) -> Result<(), Rejection> {
        if self.count == 0 {
            return Ok(());
        }
        let (code, message) = if self.untimely {
            let text = "One or more records have been rejected due to invalid timestamp";
            (ErrorCode::InvalidTimestamp, text.to_owned())
        } else {
            let text = format!(
                "One or more records have been rejected due to {} record errors in total, and only showing the first {} errors at most",
                self.count,
                self.told.len()
            );
            (ErrorCode::InvalidRecord, text)
        };
        Err(Rejection { code, message, record_errors: self.told })
    }
}

/// An answer names no more records than this; a batch may hold a million.
const TOLD_MAX: usize = 1000;
