//! `.timeindex`: (timestamp, offset - base offset), 8 and 4 bytes, big endian.
//!
//! An entry says: up to this offset, the largest timestamp is this one. A lookup answers from which
//! offset on a record with at least the asked timestamp may be found, never the record itself.

use std::io;

use super::{ReadAt, array, partition_point};
use crate::error::Corruption;

/// One entry, with its absolute offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeEntry {
    /// -1 in the entry that stands for "none".
    pub timestamp: i64,
    pub offset: i64,
}

/// The time index of an active segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeIndex {
    base_offset: i64,
    /// (timestamp, relative offset): timestamps strictly increasing, offsets not decreasing.
    entries: Vec<(i64, u32)>,
}

const ENTRY: usize = 12;

impl TimeIndex {
    /// An index without entries.
    pub const fn new(base_offset: i64) -> TimeIndex {
        TimeIndex { base_offset, entries: Vec::new() }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a file of `segment.index.bytes` would hold no more; one place is kept for the entry
    /// that is written when the segment is sealed.
    pub fn is_full(&self, max_bytes: u32) -> bool {
        self.entries.len() + 1 >= max_bytes as usize / ENTRY
    }

    /// The last entry, or (-1, base offset).
    pub fn last(&self) -> TimeEntry {
        self.entry(self.entries.len().checked_sub(1))
    }

    /// Adds an entry if its timestamp is larger than the last one's.
    pub fn append(&mut self, timestamp: i64, offset: i64) {
        let last = self.last();
        let Ok(relative) = u32::try_from(offset - self.base_offset) else { return };
        if timestamp > last.timestamp && offset >= last.offset {
            self.entries.push((timestamp, relative));
        }
    }

    /// The last entry at or below `timestamp`, or (-1, base offset).
    pub fn lookup(&self, timestamp: i64) -> TimeEntry {
        let after = self.entries.partition_point(|entry| entry.0 <= timestamp);
        self.entry(after.checked_sub(1))
    }

    /// Drops entries at or past `offset`.
    pub fn truncate(&mut self, offset: i64) {
        let relative = offset - self.base_offset;
        let keep = self.entries.partition_point(|entry| i64::from(entry.1) < relative);
        self.entries.truncate(keep);
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * ENTRY);
        for (timestamp, relative) in &self.entries {
            bytes.extend_from_slice(&timestamp.to_be_bytes());
            bytes.extend_from_slice(&relative.to_be_bytes());
        }
        bytes
    }

    /// Reads a whole file, trusting nothing. Zeroes at the end are left off.
    ///
    /// # Errors
    /// What does not hold; the index is to be rebuilt from the log.
    pub fn decode_checked(
        bytes: &[u8],
        base_offset: i64,
        next_offset: i64,
    ) -> Result<TimeIndex, Corruption> {
        if !bytes.len().is_multiple_of(ENTRY) {
            return Err(Corruption::new(bytes.len() as u64, "the time index has a torn entry"));
        }
        let mut entries: Vec<(i64, u32)> = Vec::with_capacity(bytes.len() / ENTRY);
        for (number, chunk) in bytes.chunks_exact(ENTRY).enumerate() {
            let entry = (i64::from_be_bytes(array(chunk, 0)), u32::from_be_bytes(array(chunk, 8)));
            if number > 0 && entry == (0, 0) && bytes[number * ENTRY..].iter().all(|b| *b == 0) {
                break;
            }
            let increases = entries.last().is_none_or(|last| last.0 < entry.0 && last.1 <= entry.1);
            if !increases || base_offset + i64::from(entry.1) >= next_offset {
                let what =
                    format!("time index entry {number} is out of order or out of the segment");
                return Err(Corruption::new((number * ENTRY) as u64, what));
            }
            // Kafka seals a segment without any timestamp with an entry of -1.
            if entry.0 >= 0 {
                entries.push(entry);
            }
        }
        Ok(TimeIndex { base_offset, entries })
    }

    /// [`TimeIndex::lookup`] in the file of a sealed segment.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn lookup_in(
        source: &(impl ReadAt + ?Sized),
        base_offset: i64,
        timestamp: i64,
    ) -> io::Result<TimeEntry> {
        let after = partition_point(source, ENTRY, |entry| {
            i64::from_be_bytes(array(entry, 0)) <= timestamp
        })?;
        let Some(found) = after.checked_sub(1) else {
            return Ok(TimeEntry { timestamp: -1, offset: base_offset });
        };
        let mut entry = [0; ENTRY];
        source.read_exact_at(&mut entry, found * ENTRY as u64)?;
        let offset = base_offset + i64::from(u32::from_be_bytes(array(&entry, 8)));
        Ok(TimeEntry { timestamp: i64::from_be_bytes(array(&entry, 0)), offset })
    }

    fn entry(&self, index: Option<usize>) -> TimeEntry {
        match index.and_then(|index| self.entries.get(index)) {
            Some(entry) => {
                TimeEntry { timestamp: entry.0, offset: self.base_offset + i64::from(entry.1) }
            }
            None => TimeEntry { timestamp: -1, offset: self.base_offset },
        }
    }
}

#[cfg(test)]
mod tests;
