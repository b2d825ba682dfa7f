//! Which segments time, size and the log start offset condemn: Kafka's rules, as a pure plan.
//!
//! Never deletes past the high watermark, so the log start can never exceed it, and never touches
//! a file: the partition carries the plan out.

use ottla_plant::{Plant, planted};

use crate::config::LogConfig;

/// What retention needs to know of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentFacts {
    pub base_offset: i64,
    pub size: u64,
    /// The largest record timestamp, or -1 if no record has one.
    pub max_timestamp: i64,
    /// When its file was last written: stands in where no record has a timestamp.
    pub modified_ms: i64,
}

impl SegmentFacts {
    /// The time by which its age is measured.
    pub fn largest_timestamp(&self) -> i64 {
        if self.max_timestamp >= 0 { self.max_timestamp } else { self.modified_ms }
    }
}

/// Where the log stands. `log_start <= high_watermark <= log_end`.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub log_start: i64,
    pub high_watermark: i64,
    pub log_end: i64,
}

/// Why a segment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// All its records lie before the log start offset.
    LogStart,
    /// The log is larger than `retention.bytes` without it.
    Size,
    /// Its newest record is older than `retention.ms`.
    Time,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Why each of the first segments goes; its length is how many go.
    pub delete: Vec<Breach>,
    /// All segments go, so a new empty one is needed first, at the log end offset.
    pub roll_active: bool,
    /// The log start offset afterwards.
    pub new_log_start: i64,
}

/// The plan for segments given oldest first, the last one active.
pub fn plan(segments: &[SegmentFacts], at: &Bounds, now_ms: i64, config: &LogConfig) -> Plan {
    let mut delete = Vec::new();
    let by_age_and_size = config.cleanup_policy.delete;
    let total = segments.iter().map(|segment| segment.size).sum::<u64>();
    extend(&mut delete, segments, at, Breach::LogStart, |_, upper| upper <= at.log_start);
    if by_age_and_size && config.retention_bytes >= 0 {
        // What log start already took no longer counts.
        let gone = segments[..delete.len()].iter().map(|segment| segment.size).sum::<u64>();
        let mut excess = (total - gone).saturating_sub(config.retention_bytes.unsigned_abs());
        extend(&mut delete, segments, at, Breach::Size, |segment, _| {
            let whole = excess >= segment.size || planted(Plant::RetentionTakesTooMuch);
            let breached = whole && excess > 0;
            excess = excess.saturating_sub(segment.size);
            breached
        });
    }
    if by_age_and_size && config.retention_ms >= 0 {
        extend(&mut delete, segments, at, Breach::Time, |segment, _| {
            now_ms.saturating_sub(segment.largest_timestamp()) > config.retention_ms
        });
    }
    let roll_active = !delete.is_empty() && delete.len() == segments.len();
    let first_kept = segments.get(delete.len()).map_or(at.log_end, |kept| kept.base_offset);
    let new_log_start = if delete.is_empty() { at.log_start } else { first_kept.max(at.log_start) };
    Plan { delete, roll_active, new_log_start }
}

/// When the plan may next be other than empty without new records: the oldest segment's end of life.
pub fn due_ms(oldest: &SegmentFacts, config: &LogConfig) -> Option<i64> {
    let by_time = config.cleanup_policy.delete && config.retention_ms >= 0;
    by_time
        .then(|| oldest.largest_timestamp().saturating_add(config.retention_ms).saturating_add(1))
}

/// Condemns further segments, oldest first, for as long as `breached` and the high watermark allow.
fn extend(
    delete: &mut Vec<Breach>,
    segments: &[SegmentFacts],
    at: &Bounds,
    why: Breach,
    mut breached: impl FnMut(&SegmentFacts, i64) -> bool,
) {
    for index in delete.len()..segments.len() {
        let segment = &segments[index];
        let next = segments.get(index + 1);
        let upper = next.map_or(at.log_end, |next| next.base_offset);
        let last_and_empty = next.is_none() && segment.size == 0;
        // The active segment is never taken for the log start alone: nothing follows it there.
        let start_of_active = why == Breach::LogStart && next.is_none();
        if last_and_empty || start_of_active || at.high_watermark < upper {
            return;
        }
        if !breached(segment, upper) {
            return;
        }
        delete.push(why);
    }
}

#[cfg(test)]
mod tests;
