//! Answers on their way out: small ones gathered, large ones passed on as they are.
//!
//! Nothing is copied twice and record batches not at all. The queue knows its size, so that a peer
//! that does not read stops being served before it costs memory.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes, BytesMut};

/// Chunks below this are gathered into one; a copy is cheaper than one more slice to write.
const GATHER_MAX: usize = 2 * 1024;
/// Slices handed to one write.
const SLICES_MAX: usize = 64;

/// The sending side of one connection.
#[derive(Default)]
pub(crate) struct Outgoing {
    chunks: VecDeque<Bytes>,
    /// Small chunks behind all of `chunks`.
    tail: BytesMut,
    bytes: usize,
}

impl Outgoing {
    /// Queues one answer: its length field, then its chunks.
    pub(crate) fn push(&mut self, answer: impl IntoIterator<Item = Bytes>, length: usize) {
        let prefix = i32::try_from(length).expect("an answer is shorter than 2 GiB");
        self.tail.extend_from_slice(&prefix.to_be_bytes());
        let mut rest = length;
        for chunk in answer {
            rest -= chunk.len();
            if chunk.len() < GATHER_MAX {
                self.tail.extend_from_slice(&chunk);
            } else {
                self.seal();
                self.chunks.push_back(chunk);
            }
        }
        assert_eq!(rest, 0, "an answer is as long as it says");
        self.bytes += length + 4;
    }

    /// Whether the socket has taken everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Bytes not yet taken by the socket.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes until all is gone or the socket takes no more; the number of bytes it took.
    pub(crate) fn flush(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.seal();
        let mut written = 0;
        while !self.chunks.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                *slice = IoSlice::new(chunk);
                count += 1;
            }
            match write(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    self.advance(taken);
                    written += taken;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
    }

    fn advance(&mut self, mut taken: usize) {
        self.bytes -= taken;
        while taken > 0 {
            let front = self.chunks.front_mut().expect("no more is written than is queued");
            if front.len() > taken {
                front.advance(taken);
                return;
            }
            taken -= front.len();
            self.chunks.pop_front();
        }
        if self.chunks.is_empty() {
            // An idle connection holds no memory.
            self.tail = BytesMut::new();
            self.chunks.shrink_to(8);
        }
    }
}

#[cfg(test)]
mod tests;
