//! The three indexes of a segment, byte for byte Kafka's: `.index`, `.timeindex`, `.txnindex`.
//!
//! The active segment's live in memory and are written when it is sealed; a sealed segment's are
//! read in place, one small read per step of a binary search. All are derived from the `.log` file
//! and are rebuilt from it when they do not check out: an index is never trusted over the log.

use std::io;

mod offset;
mod time;
mod txn;

pub use offset::{OffsetEntry, OffsetIndex};
pub use time::{TimeEntry, TimeIndex};
pub use txn::{AbortedTransaction, TxnIndex};

/// Bytes that can be read at a position: a file, or a file and what is not yet written to it.
pub trait ReadAt {
    /// Reads up to `buf.len()` bytes; 0 at the end.
    ///
    /// # Errors
    /// Those of the disk.
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;

    /// The number of bytes.
    fn size(&self) -> u64;

    /// Fills `buf` whole.
    ///
    /// # Errors
    /// `UnexpectedEof` past the end, and those of the disk.
    fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buf.len() {
            match self.read_at(&mut buf[done..], position + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// An open file of a known size, as [`ReadAt`].
#[derive(Debug, Clone, Copy)]
pub struct FileView<'a, F> {
    pub file: &'a F,
    /// What lies beyond is not looked at: preallocated or not yet valid.
    pub size: u64,
}

impl<F: ottla_env::File> ReadAt for FileView<'_, F> {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(position)).unwrap_or(usize::MAX);
        let want = buf.len().min(left);
        if want == 0 { Ok(0) } else { self.file.read_at(&mut buf[..want], position) }
    }
    fn size(&self) -> u64 {
        self.size
    }
}

/// The same of what is in memory: `WouldBlock` where the disk would have to be waited for.
#[derive(Debug, Clone, Copy)]
pub struct CachedView<'a, F> {
    pub file: &'a F,
    pub size: u64,
}

impl<F: ottla_env::File> ReadAt for CachedView<'_, F> {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(position)).unwrap_or(usize::MAX);
        let want = buf.len().min(left);
        if want == 0 { Ok(0) } else { self.file.try_read_at(&mut buf[..want], position) }
    }
    fn size(&self) -> u64 {
        self.size
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(self.len());
        let count = buf.len().min(self.len() - start);
        buf[..count].copy_from_slice(&self[start..start + count]);
        Ok(count)
    }
    fn size(&self) -> u64 {
        self.len() as u64
    }
}

/// Searches fixed-size entries for the first that is not `before`; the result is its number.
/// Reads one entry per step until what is left fits one page, then that page at once.
fn partition_point(
    source: &(impl ReadAt + ?Sized),
    entry_size: usize,
    mut before: impl FnMut(&[u8]) -> bool,
) -> io::Result<u64> {
    let count = source.size() / entry_size as u64;
    let (mut low, mut high) = (0, count);
    let mut entry = [0; 64];
    while (high - low) as usize > PAGE / entry_size {
        let middle = low + (high - low) / 2;
        source.read_exact_at(&mut entry[..entry_size], middle * entry_size as u64)?;
        if before(&entry[..entry_size]) { low = middle + 1 } else { high = middle }
    }
    let mut page = vec![0; (high - low) as usize * entry_size];
    source.read_exact_at(&mut page, low * entry_size as u64)?;
    let inside = page.chunks_exact(entry_size).position(|entry| !before(entry));
    Ok(inside.map_or(high, |index| low + index as u64))
}

const PAGE: usize = 4096;

/// The last `N` bytes of a slice that is known to be long enough, as an array.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the slice has N bytes by its range")
}
