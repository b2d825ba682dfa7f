//! An open segment file, with what is known of its bytes: which of them this process has checked or
//! written itself, and where a reader left off. It judges nothing.
//!
//! Checked bytes may be sent from the page cache as they are; all others are read and their
//! checksums verified first. What is known goes with the handle when it is closed.

use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_env::File;
use parking_lot::Mutex;
use smallvec::SmallVec;

/// Ranges remembered; readers at more places than this cost a check more.
const RANGES_MAX: usize = 16;
/// Readers whose place is remembered.
const PLACES_MAX: usize = 8;

/// A file of a partition.
#[derive(Debug)]
pub(crate) struct OpenFile<F> {
    file: F,
    known: Mutex<Known>,
    /// Bytes below were asked of the disk ahead of a reader, and need not stay in memory behind it.
    ahead: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    /// Disjoint, in order, never touching.
    checked: SmallVec<[Range<u64>; 2]>,
    /// (offset, position of its batch): where runs ended, the newest last.
    places: SmallVec<[(i64, u64); 2]>,
}

impl<F> Deref for OpenFile<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.file
    }
}

impl<F> OpenFile<F> {
    pub(crate) fn new(file: F) -> OpenFile<F> {
        OpenFile { file, known: Mutex::default(), ahead: AtomicU64::new(0) }
    }

    /// The batches of a range are whole and their checksums held, or this process wrote them.
    pub(crate) fn mark_checked(&self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let checked = &mut self.known.lock().checked;
        let first = checked.partition_point(|known| known.end < range.start);
        let after = checked.partition_point(|known| known.start <= range.end);
        let mut merged = range;
        if first < after {
            merged.start = merged.start.min(checked[first].start);
            merged.end = merged.end.max(checked[after - 1].end);
            checked.drain(first..after);
        }
        if checked.len() >= RANGES_MAX {
            let shortest =
                (0..checked.len()).min_by_key(|at| checked[*at].end - checked[*at].start);
            checked.remove(shortest.unwrap_or(0));
        }
        let at = checked.partition_point(|known| known.start < merged.start);
        checked.insert(at, merged);
    }

    /// Whether a whole range is checked.
    pub(crate) fn is_checked(&self, range: &Range<u64>) -> bool {
        let known = self.known.lock();
        let after = known.checked.partition_point(|known| known.start <= range.start);
        after > 0 && known.checked[after - 1].end >= range.end
    }

    /// The file is cut at `position`: nothing is known of what comes to lie beyond.
    pub(crate) fn forget_from(&self, position: u64) {
        let mut known = self.known.lock();
        known.checked.retain(|range| {
            range.end = range.end.min(position);
            !range.is_empty()
        });
        known.places.retain(|place| place.1 < position);
    }

    /// The batch that holds `offset` begins at `position`.
    pub(crate) fn mark_place(&self, offset: i64, position: u64) {
        let places = &mut self.known.lock().places;
        places.retain(|place| place.0 != offset);
        if places.len() >= PLACES_MAX {
            places.remove(0);
        }
        places.push((offset, position));
    }

    /// Where the batch that holds `offset` begins, if a reader stopped right there.
    pub(crate) fn place(&self, offset: i64) -> Option<u64> {
        let known = self.known.lock();
        known.places.iter().rev().find(|place| place.0 == offset).map(|place| place.1)
    }

    /// Notes that bytes up to `end` are asked of the disk; returns how far they were before.
    pub(crate) fn note_ahead(&self, end: u64) -> u64 {
        self.ahead.fetch_max(end, Ordering::Relaxed)
    }
}

/// A range of an open file. The handle keeps the bytes readable after the name is gone.
pub struct FileRange<F> {
    file: Arc<OpenFile<F>>,
    position: u64,
    len: usize,
}

impl<F> Clone for FileRange<F> {
    fn clone(&self) -> FileRange<F> {
        FileRange { file: Arc::clone(&self.file), position: self.position, len: self.len }
    }
}

impl<F> std::fmt::Debug for FileRange<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileRange")
            .field("position", &self.position)
            .field("len", &self.len)
            .finish()
    }
}

impl<F: File> FileRange<F> {
    /// A range that the file has.
    pub(crate) fn new(file: Arc<OpenFile<F>>, position: u64, len: usize) -> FileRange<F> {
        FileRange { file, position, len }
    }

    /// A range of a file that belongs to no partition.
    pub fn of(file: F, position: u64, len: usize) -> FileRange<F> {
        FileRange::new(Arc::new(OpenFile::new(file)), position, len)
    }

    /// The file.
    pub fn file(&self) -> &F {
        &self.file
    }

    /// Where it begins, in bytes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Leaves the first `count` bytes off.
    ///
    /// # Panics
    /// If it has fewer.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.len, "no more is taken than is there");
        self.position += count as u64;
        self.len -= count;
    }

    /// Its bytes, from the disk if need be.
    ///
    /// # Errors
    /// Those of pread(2), and `UnexpectedEof` if the file was cut.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        self.file.read_exact_at(&mut bytes, self.position)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
