//! Walks from batch to batch by their headers, reading little.

use std::io;

use ottla_protocol::records::{BATCH_HEADER_SIZE, BatchHeader};

use crate::index::ReadAt;

/// A walk over headers; the records between them are skipped, not read where they are large.
pub struct HeaderWalk<'a, S: ?Sized> {
    source: &'a S,
    position: u64,
    window: Vec<u8>,
    /// Where the window's first byte lies in the source.
    window_start: u64,
    /// Bytes read at once.
    step: usize,
}

impl<'a, S: ReadAt + ?Sized> HeaderWalk<'a, S> {
    /// A walk from `position`, where a batch must begin.
    pub fn new(source: &'a S, position: u64) -> HeaderWalk<'a, S> {
        HeaderWalk { source, position, window: Vec::new(), window_start: 0, step: WINDOW }
    }

    /// A walk that will not go far.
    pub fn short(source: &'a S, position: u64) -> HeaderWalk<'a, S> {
        HeaderWalk { step: SHORT_WINDOW, ..HeaderWalk::new(source, position) }
    }

    /// The next batch and where it begins; `None` at the end of the source.
    ///
    /// # Errors
    /// The disk's, and `InvalidData` where no whole batch lies.
    pub fn next_batch(&mut self) -> io::Result<Option<(u64, BatchHeader)>> {
        let position = self.position;
        if position >= self.source.size() {
            return Ok(None);
        }
        let invalid = |what: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{what} at byte {position}"))
        };
        let header =
            BatchHeader::parse(self.bytes_at(position)?).map_err(|error| invalid(&error))?;
        let end = position + header.size_in_bytes() as u64;
        if end > self.source.size() {
            return Err(invalid(&"a batch that goes beyond the end"));
        }
        self.position = end;
        Ok(Some((position, header)))
    }

    /// What is in the window from `position` on, at least a header if the source has that much.
    fn bytes_at(&mut self, position: u64) -> io::Result<&[u8]> {
        let window_end = self.window_start + self.window.len() as u64;
        let inside =
            position >= self.window_start && position + BATCH_HEADER_SIZE as u64 <= window_end;
        if !inside {
            self.window.resize(self.step, 0);
            let mut filled = 0;
            while filled < BATCH_HEADER_SIZE {
                match self.source.read_at(&mut self.window[filled..], position + filled as u64)? {
                    0 => break,
                    count => filled += count,
                }
            }
            self.window.truncate(filled);
            self.window_start = position;
        }
        Ok(&self.window[(position - self.window_start) as usize..])
    }
}

const WINDOW: usize = 8 << 10;
const SHORT_WINDOW: usize = 512;
