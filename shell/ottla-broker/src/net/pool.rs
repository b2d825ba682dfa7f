//! Read buffers that outlive a connection's burst: fresh memory costs more than parsing a request.
//!
//! A buffer is never shared: it is in the pool or with one connection. The pool itself is bounded.

use bytes::BytesMut;
use parking_lot::Mutex;

/// Size of a pooled buffer: a burst of small requests, or a usual batch.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;
/// Buffers kept for the next burst; more are given back to the allocator.
const KEPT_MAX: usize = 64;

/// The node's spare read buffers.
#[derive(Default)]
pub(crate) struct Pool {
    spare: Mutex<Vec<BytesMut>>,
}

impl Pool {
    /// An empty buffer with room for [`BUFFER_BYTES`].
    pub(crate) fn take(&self) -> BytesMut {
        let spare = self.spare.lock().pop();
        spare.unwrap_or_else(|| BytesMut::with_capacity(BUFFER_BYTES))
    }

    /// Takes a buffer back, unless requests still hold parts of it or the pool is full.
    pub(crate) fn put(&self, mut buffer: BytesMut) {
        buffer.clear();
        if !buffer.try_reclaim(BUFFER_BYTES) || buffer.capacity() > 2 * BUFFER_BYTES {
            return;
        }
        let mut spare = self.spare.lock();
        if spare.len() < KEPT_MAX {
            spare.push(buffer);
        }
    }
}
