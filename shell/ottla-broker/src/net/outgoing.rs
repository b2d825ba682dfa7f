//! Answers on their way out: small ones gathered, large ones passed on as they are.
//!
//! Nothing is copied twice and record batches not at all: those in files are sent by the kernel. The queue knows its size, so that a peer
//! that does not read stops being served before it costs memory.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes, BytesMut};
use ottla_env::File;

use crate::api::answer::Part;
use crate::log::FileRange;

/// Chunks below this are gathered into one; a copy is cheaper than one more slice to write.
const GATHER_MAX: usize = 2 * 1024;
/// Slices handed to one write.
const SLICES_MAX: usize = 64;

/// What is to be written next.
pub(crate) enum Next<'a, F> {
    /// Slices, and whether more follows at once.
    Slices(&'a [IoSlice<'a>], bool),
    File(&'a FileRange<F>),
}

/// The sending side of one connection.
pub(crate) struct Outgoing<F> {
    chunks: VecDeque<Part<F>>,
    /// Small chunks behind all of `chunks`.
    tail: BytesMut,
    bytes: usize,
}

impl<F> Default for Outgoing<F> {
    fn default() -> Outgoing<F> {
        Outgoing { chunks: VecDeque::new(), tail: BytesMut::new(), bytes: 0 }
    }
}

impl<F: File> Outgoing<F> {
    /// Queues one answer: its length field, then its chunks.
    pub(crate) fn push(&mut self, answer: impl IntoIterator<Item = Bytes>, length: usize) {
        self.push_parts(answer.into_iter().map(Part::Bytes), length);
    }

    /// The same of an answer that may hold ranges of files.
    pub(crate) fn push_parts(&mut self, answer: impl IntoIterator<Item = Part<F>>, length: usize) {
        let prefix = i32::try_from(length).expect("an answer is shorter than 2 GiB");
        self.tail.extend_from_slice(&prefix.to_be_bytes());
        let mut rest = length;
        for part in answer {
            rest -= part.len();
            match part {
                Part::Bytes(chunk) if chunk.len() < GATHER_MAX => {
                    self.tail.extend_from_slice(&chunk);
                }
                part => {
                    self.seal();
                    self.chunks.push_back(part);
                }
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
        mut write: impl FnMut(Next<'_, F>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.seal();
        let mut written = 0;
        while let Some(front) = self.chunks.front() {
            let answer = match front {
                Part::File(range) => write(Next::File(range)),
                Part::Bytes(_) => {
                    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                    let mut count = 0;
                    for (slice, part) in slices.iter_mut().zip(&self.chunks) {
                        let Part::Bytes(chunk) = part else { break };
                        *slice = IoSlice::new(chunk);
                        count += 1;
                    }
                    write(Next::Slices(&slices[..count], self.chunks.len() > count))
                }
            };
            match answer {
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
            self.chunks.push_back(Part::Bytes(self.tail.split().freeze()));
        }
    }

    fn advance(&mut self, mut taken: usize) {
        self.bytes -= taken;
        while taken > 0 {
            let front = self.chunks.front_mut().expect("no more is written than is queued");
            if front.len() > taken {
                match front {
                    Part::Bytes(chunk) => chunk.advance(taken),
                    Part::File(range) => range.advance(taken),
                }
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

impl<F: File> Part<F> {
    fn len(&self) -> usize {
        match self {
            Part::Bytes(chunk) => chunk.len(),
            Part::File(range) => range.len(),
        }
    }
}

#[cfg(test)]
mod tests;
