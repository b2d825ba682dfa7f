//! `.index`: (offset - base offset, position), 4 bytes each, big endian, for about every 4 KiB of log.
//!
//! An entry names the LAST offset of a batch and the position where that batch begins. A lookup
//! answers where to start scanning, never where the offset is.

use std::io;

use super::{ReadAt, array, partition_point};
use crate::error::Corruption;

/// One entry, with its absolute offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetEntry {
    pub offset: i64,
    pub position: u32,
}

/// The offset index of an active segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetIndex {
    base_offset: i64,
    /// (relative offset, position), both strictly increasing.
    entries: Vec<(u32, u32)>,
}

const ENTRY: usize = 8;

impl OffsetIndex {
    /// An index without entries.
    pub const fn new(base_offset: i64) -> OffsetIndex {
        OffsetIndex { base_offset, entries: Vec::new() }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a file of `segment.index.bytes` would hold no more.
    pub fn is_full(&self, max_bytes: u32) -> bool {
        self.entries.len() >= max_bytes as usize / ENTRY
    }

    /// Adds an entry; one that does not lie beyond the last is left out, as is one whose offset or
    /// position does not fit (the segment rolls before that).
    pub fn append(&mut self, offset: i64, position: u64) {
        let relative = u32::try_from(offset - self.base_offset);
        let (Ok(relative), Ok(position)) = (relative, u32::try_from(position)) else { return };
        if self.entries.last().is_none_or(|last| last.0 < relative && last.1 < position) {
            self.entries.push((relative, position));
        }
    }

    /// The last entry at or below `offset`, or the segment's beginning.
    pub fn lookup(&self, offset: i64) -> OffsetEntry {
        let relative = offset - self.base_offset;
        let after = self.entries.partition_point(|entry| i64::from(entry.0) <= relative);
        self.entry(after.checked_sub(1))
    }

    /// The last entry whose batch begins at or before `position` and ends below `upper`, or the
    /// segment's beginning: a place between two batches, nothing before it at or past `upper`.
    pub fn last_within(&self, position: u64, upper: i64) -> OffsetEntry {
        let relative = upper - self.base_offset;
        let after = self.entries.partition_point(|entry| {
            u64::from(entry.1) <= position && i64::from(entry.0) < relative
        });
        self.entry(after.checked_sub(1))
    }

    /// Drops entries whose batch begins at or past `position`.
    pub fn truncate(&mut self, position: u64) {
        let keep = self.entries.partition_point(|entry| u64::from(entry.1) < position);
        self.entries.truncate(keep);
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * ENTRY);
        for (relative, position) in &self.entries {
            bytes.extend_from_slice(&relative.to_be_bytes());
            bytes.extend_from_slice(&position.to_be_bytes());
        }
        bytes
    }

    /// Reads a whole file, trusting nothing: entries must increase and lie inside the segment.
    /// Zeroes at the end (a preallocated index after a crash) are left off.
    ///
    /// # Errors
    /// What does not hold; the index is to be rebuilt from the log.
    pub fn decode_checked(
        bytes: &[u8],
        base_offset: i64,
        segment_size: u64,
    ) -> Result<OffsetIndex, Corruption> {
        if !bytes.len().is_multiple_of(ENTRY) {
            return Err(Corruption::new(bytes.len() as u64, "the offset index has a torn entry"));
        }
        let mut entries: Vec<(u32, u32)> = Vec::with_capacity(bytes.len() / ENTRY);
        for (number, chunk) in bytes.chunks_exact(ENTRY).enumerate() {
            let entry = (u32::from_be_bytes(array(chunk, 0)), u32::from_be_bytes(array(chunk, 4)));
            if number > 0 && entry == (0, 0) && bytes[number * ENTRY..].iter().all(|b| *b == 0) {
                break;
            }
            let increases = entries.last().is_none_or(|last| last.0 < entry.0 && last.1 < entry.1);
            if !increases || u64::from(entry.1) >= segment_size {
                let what =
                    format!("offset index entry {number} is out of order or out of the segment");
                return Err(Corruption::new((number * ENTRY) as u64, what));
            }
            entries.push(entry);
        }
        Ok(OffsetIndex { base_offset, entries })
    }

    /// [`OffsetIndex::lookup`] in the file of a sealed segment.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn lookup_in(
        source: &(impl ReadAt + ?Sized),
        base_offset: i64,
        offset: i64,
    ) -> io::Result<OffsetEntry> {
        let relative = offset - base_offset;
        OffsetIndex::last_in(source, base_offset, |entry_offset, _| entry_offset <= relative)
    }

    /// [`OffsetIndex::last_within`] in the file of a sealed segment.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn last_within_in(
        source: &(impl ReadAt + ?Sized),
        base_offset: i64,
        position: u64,
        upper: i64,
    ) -> io::Result<OffsetEntry> {
        let relative = upper - base_offset;
        OffsetIndex::last_in(source, base_offset, |entry_offset, entry_position| {
            u64::from(entry_position) <= position && entry_offset < relative
        })
    }

    /// The last entry of a file for which `holds` (of its relative offset and its position), which
    /// it does for all entries before that, too; or the segment's beginning.
    fn last_in(
        source: &(impl ReadAt + ?Sized),
        base_offset: i64,
        holds: impl Fn(i64, u32) -> bool,
    ) -> io::Result<OffsetEntry> {
        let after = partition_point(source, ENTRY, |entry| {
            let offset = i64::from(u32::from_be_bytes(array(entry, 0)));
            holds(offset, u32::from_be_bytes(array(entry, 4)))
        })?;
        let Some(found) = after.checked_sub(1) else {
            return Ok(OffsetEntry { offset: base_offset, position: 0 });
        };
        let mut entry = [0; ENTRY];
        source.read_exact_at(&mut entry, found * ENTRY as u64)?;
        let offset = base_offset + i64::from(u32::from_be_bytes(array(&entry, 0)));
        Ok(OffsetEntry { offset, position: u32::from_be_bytes(array(&entry, 4)) })
    }

    fn entry(&self, index: Option<usize>) -> OffsetEntry {
        match index.and_then(|index| self.entries.get(index)) {
            Some(entry) => {
                OffsetEntry { offset: self.base_offset + i64::from(entry.0), position: entry.1 }
            }
            None => OffsetEntry { offset: self.base_offset, position: 0 },
        }
    }
}

#[cfg(test)]
mod tests;
