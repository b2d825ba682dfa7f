//! Read buffers that outlive a connection's burst: fresh memory costs more than parsing a request.
//!
//! A buffer is never shared: it is in the pool or with one connection. The pool itself is bounded.

use bytes::BytesMut;
use parking_lot::Mutex;

/// Size of a pooled buffer: a burst of small requests, or a usual batch.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;
/// Size of a pooled buffer for a connection whose requests are larger than that.
pub(crate) const LARGE_BYTES: usize = 256 * 1024;
/// Buffers kept for the next burst; more are given back to the allocator.
const KEPT_MAX: usize = 64;
/// The same, of the large ones.
const LARGE_KEPT_MAX: usize = 16;

/// The node's spare read buffers.
#[derive(Default)]
pub(crate) struct Pool {
    spare: Mutex<Vec<BytesMut>>,
    large: Mutex<Vec<BytesMut>>,
}

impl Pool {
    /// An empty buffer with room for `bytes`: [`BUFFER_BYTES`] or [`LARGE_BYTES`].
    pub(crate) fn take(&self, bytes: usize) -> BytesMut {
        let shelf = if bytes > BUFFER_BYTES { &self.large } else { &self.spare };
        let spare = shelf.lock().pop();
        spare.unwrap_or_else(|| BytesMut::with_capacity(bytes))
    }

    /// Takes a buffer back, unless requests still hold parts of it or the pool is full.
    pub(crate) fn put(&self, mut buffer: BytesMut) {
        buffer.clear();
        if buffer.capacity() == 0 {
            return;
        }
        let (shelf, kept_max, bytes_max) = if buffer.try_reclaim(LARGE_BYTES) {
            (&self.large, LARGE_KEPT_MAX, 2 * LARGE_BYTES)
        } else if buffer.try_reclaim(BUFFER_BYTES) {
            (&self.spare, KEPT_MAX, 2 * BUFFER_BYTES)
        } else {
            return;
        };
        let mut shelf = shelf.lock();
        if shelf.len() < kept_max && buffer.capacity() <= bytes_max {
            shelf.push(buffer);
        }
    }
}
