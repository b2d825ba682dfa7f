//! An append-only buffer with one writer and many readers, who never see a byte before it is
//! published and never see a published byte change.
//!
//! `0 <= published <= capacity`. Bytes below `published` are immutable and may be borrowed by
//! anyone, but for the one [`Hole`] that may be open among them; bytes at or above it, and the hole,
//! belong to the one [`BufferWriter`]. Readers hold the allocation through an `Arc`, so a view
//! outlives the writer.

#![allow(unsafe_code)]

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::aligned::AlignedBuffer;

/// The bytes do not fit what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferFull;

/// Bytes of a [`Hole`].
pub const HOLE_BYTES: usize = 64;
/// Where the hole begins while there is none.
const NO_HOLE: usize = usize::MAX;

/// Room for [`HOLE_BYTES`] that was passed over, to be filled in once: a header whose contents are
/// known only when what follows it is.
#[derive(Debug)]
pub struct Hole {
    position: usize,
}

struct Inner {
    memory: AlignedBuffer,
    /// Stored by the writer after the bytes below it, with release ordering.
    published: AtomicUsize,
    /// Where the open hole begins. Stored before `published` passes the hole, and again after its
    /// bytes are written, both with release ordering: who sees the end of a hole sees its bytes.
    hole: AtomicUsize,
}

impl Inner {
    fn published(&self) -> usize {
        self.published.load(Ordering::Acquire)
    }

    /// Panics unless the range is published and clear of the hole. In this order: a hole is stored
    /// before `published` passes it.
    fn check(&self, range: &Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.published(), "only what is written");
        let hole = self.hole.load(Ordering::Acquire);
        let clear = range.end <= hole || range.start >= hole.saturating_add(HOLE_BYTES);
        assert!(clear, "a hole is read only when it is filled");
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.check(&range);
        // SAFETY: the range is inside the allocation and below `published`: it is initialised. The
        // writer writes only at or above `published` and in the open hole, which `check` found
        // elsewhere; a hole to come lies above `published`. So nobody changes it while borrowed.
        unsafe {
            let start = self.memory.start().as_ptr().add(range.start);
            std::slice::from_raw_parts(start, range.end - range.start)
        }
    }
}

/// The readers' handle. Cheap to clone.
#[derive(Clone)]
pub struct SharedBuffer {
    inner: Arc<Inner>,
}

/// The only handle that may append.
pub struct BufferWriter {
    inner: Arc<Inner>,
}

/// What a [`Bytes`] view owns: a published range, kept alive.
struct View {
    inner: Arc<Inner>,
    range: Range<usize>,
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        self.inner.slice(self.range.clone())
    }
}

impl SharedBuffer {
    /// An empty buffer of `capacity` bytes, rounded up to whole pages, and its writer.
    #[allow(clippy::new_ret_no_self)]
    pub fn new(capacity: usize) -> (BufferWriter, SharedBuffer) {
        let memory = AlignedBuffer::zeroed(capacity);
        let (published, hole) = (AtomicUsize::new(0), AtomicUsize::new(NO_HOLE));
        let inner = Arc::new(Inner { memory, published, hole });
        (BufferWriter { inner: inner.clone() }, SharedBuffer { inner })
    }

    /// How many bytes are there to read.
    pub fn published(&self) -> usize {
        self.inner.published()
    }

    /// How many bytes fit in all.
    pub fn capacity(&self) -> usize {
        self.inner.memory.capacity()
    }

    /// The bytes of a published range, borrowed.
    ///
    /// # Panics
    /// If the range is not within what is published, or touches the open hole.
    pub fn as_written(&self, range: Range<usize>) -> &[u8] {
        self.inner.slice(range)
    }

    /// The bytes of a published range, shared without a copy; keeps the whole buffer alive.
    ///
    /// # Panics
    /// If the range is not within what is published, or touches the open hole.
    pub fn slice(&self, range: Range<usize>) -> Bytes {
        self.inner.check(&range);
        Bytes::from_owner(View { inner: self.inner.clone(), range })
    }
}

impl BufferWriter {
    /// Copies `bytes` behind what is there and publishes them; says where they begin.
    ///
    /// # Errors
    /// [`BufferFull`], with nothing written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<usize, BufferFull> {
        self.append_with(bytes.len(), |room| room.copy_from_slice(bytes))
    }

    /// Lets `fill` write the next `len` bytes in place, then publishes them; says where they begin.
    /// The room holds zeroes, or what an earlier use of a recycled buffer left.
    ///
    /// # Errors
    /// [`BufferFull`], with `fill` not called.
    pub fn append_with(
        &mut self,
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<usize, BufferFull> {
        let position = self.inner.published();
        if len > self.inner.memory.capacity() - position {
            return Err(BufferFull);
        }
        // SAFETY: the range is inside the allocation and at or above `published`, where readers
        // never look; `&mut self` on the only writer makes this the only mutable borrow.
        let room = unsafe {
            let start = self.inner.memory.start().as_ptr().add(position);
            std::slice::from_raw_parts_mut(start, len)
        };
        fill(room);
        self.inner.published.store(position + len, Ordering::Release);
        Ok(position)
    }

    /// Leaves [`HOLE_BYTES`] out, to be filled in later; what is appended meanwhile can be read.
    ///
    /// # Errors
    /// [`BufferFull`].
    ///
    /// # Panics
    /// If a hole is open already.
    pub fn reserve(&mut self) -> Result<Hole, BufferFull> {
        let position = self.inner.published();
        assert_eq!(self.inner.hole.load(Ordering::Relaxed), NO_HOLE, "one hole at a time");
        if HOLE_BYTES > self.inner.memory.capacity() - position {
            return Err(BufferFull);
        }
        self.inner.hole.store(position, Ordering::Release);
        self.inner.published.store(position + HOLE_BYTES, Ordering::Release);
        Ok(Hole { position })
    }

    /// Fills the open hole; from now on it is read as all else.
    ///
    /// # Panics
    /// If the hole is one of another buffer.
    #[allow(clippy::needless_pass_by_value)]
    pub fn fill(&mut self, hole: Hole, bytes: &[u8; HOLE_BYTES]) {
        assert_eq!(self.inner.hole.load(Ordering::Relaxed), hole.position, "the open hole");
        // SAFETY: the hole lies inside the allocation (`reserve` saw to it), readers keep clear of it
        // while it is open, and `&mut self` on the only writer makes this the only write.
        unsafe {
            let start = self.inner.memory.start().as_ptr().add(hole.position);
            std::slice::from_raw_parts_mut(start, HOLE_BYTES).copy_from_slice(bytes);
        }
        self.inner.hole.store(NO_HOLE, Ordering::Release);
    }

    /// How many bytes are published.
    pub fn published(&self) -> usize {
        self.inner.published()
    }

    /// How many bytes still fit.
    pub fn remaining(&self) -> usize {
        self.inner.memory.capacity() - self.inner.published()
    }

    /// A readers' handle.
    pub fn reader(&self) -> SharedBuffer {
        SharedBuffer { inner: self.inner.clone() }
    }

    /// Empties the buffer for another use if no reader and no view is left; else `None`, and the
    /// memory goes when they do.
    pub fn recycle(mut self) -> Option<BufferWriter> {
        let inner = Arc::get_mut(&mut self.inner)?;
        *inner.published.get_mut() = 0;
        *inner.hole.get_mut() = NO_HOLE;
        Some(self)
    }
}

impl std::fmt::Debug for SharedBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedBuffer")
            .field("published", &self.published())
            .field("capacity", &self.capacity())
            .finish()
    }
}

impl std::fmt::Debug for BufferWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BufferWriter").field("published", &self.published()).finish()
    }
}
