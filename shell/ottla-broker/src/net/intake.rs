//! What a peer has sent and nobody has served: bytes in, whole frames out.
//!
//! A frame's announced length is checked before anything else and never decides an allocation:
//! memory grows with the bytes that have arrived, within the node's budget. A connection that waits
//! with little or nothing received holds no buffer and no charge at all.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::budget::{Budget, Share};
use super::pool::{BUFFER_BYTES, LARGE_BYTES, Pool};

/// Bytes of a frame in waiting that are kept, in a block of just their size, without a charge.
const UNCHARGED_MAX: usize = 4 * 1024;
/// Least room for a read.
const ROOM_MIN: usize = 4 * 1024;
/// A buffer may grow to this multiple of what has arrived.
const GROWTH: usize = 4;
/// The length field before every frame.
const PREFIX: usize = 4;

/// Why a peer's bytes cannot be a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The length is below zero.
    Negative(i32),
    /// The length is above `socket.request.max.bytes`.
    TooLarge { announced: usize, limit: usize },
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FrameError::Negative(length) => write!(f, "a request of {length} bytes is announced"),
            FrameError::TooLarge { announced, limit } => write!(
                f,
                "a request of {announced} bytes is announced; socket.request.max.bytes is {limit}"
            ),
        }
    }
}

/// The receiving side of one connection.
pub(crate) struct Intake {
    bytes: BytesMut,
    /// What `bytes` holds of the node's budget while it is kept across a wait.
    share: Share,
    pool: Arc<Pool>,
    budget: Arc<Budget>,
    /// The last frame hardly fitted a usual buffer, so the next one will not either.
    is_hungry: bool,
}

/// A whole request without its length field, and its part of the budget.
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    /// Given back when the request has been served.
    pub(crate) share: Option<Share>,
}

impl Intake {
    pub(crate) fn new(pool: Arc<Pool>, budget: Arc<Budget>) -> Intake {
        let (bytes, share) = (BytesMut::new(), budget.share());
        Intake { bytes, share, pool, budget, is_hungry: false }
    }

    /// The next whole frame, if it has arrived.
    pub(crate) fn next_frame(&mut self, limit: usize) -> Result<Option<Frame>, FrameError> {
        let Some(length) = self.announced(limit)? else { return Ok(None) };
        if self.bytes.len() < PREFIX + length {
            return Ok(None);
        }
        self.is_hungry = length > BUFFER_BYTES / 2;
        self.bytes.advance(PREFIX);
        let bytes = self.bytes.split_to(length).freeze();
        // A frame of some size pins the buffer it lies in: the charge leaves with it.
        let share = (length > UNCHARGED_MAX).then(|| self.share.split_off());
        Ok(Some(Frame { bytes, share }))
    }

    /// Where the next read goes, charged to the node's budget. Call it when there is something to
    /// read, and [`Intake::park`] before waiting for more.
    pub(crate) async fn room(&mut self, limit: usize) -> Result<&mut BytesMut, FrameError> {
        let needed = self.announced(limit)?.map_or(0, |length| PREFIX + length);
        let arrived = self.bytes.len();
        let large = self.is_hungry || arrived + ROOM_MIN > BUFFER_BYTES;
        let size = if large { LARGE_BYTES } else { BUFFER_BYTES };
        let free = self.bytes.capacity() - arrived;
        // Room for the end of the frame, or a frame for which all that is pooled is too small.
        if free >= ROOM_MIN && (needed <= arrived + free || needed > size) {
            self.share.grow_to(self.bytes.capacity()).await;
        } else if arrived + ROOM_MIN <= size {
            self.share.grow_to(size).await;
            self.room_pooled(size);
        } else {
            self.room_large(needed).await;
        }
        Ok(&mut self.bytes)
    }

    /// Lets go of memory before a wait: little is kept aside, the buffer returns to the pool.
    pub(crate) fn park(&mut self) {
        if self.bytes.len() > UNCHARGED_MAX {
            return;
        }
        if self.bytes.capacity() > UNCHARGED_MAX {
            let kept = BytesMut::from(&self.bytes[..]);
            self.pool.put(std::mem::replace(&mut self.bytes, kept));
        }
        self.share.release();
    }

    /// Whether a frame has begun and not ended.
    pub(crate) fn is_partial(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Whether this connection holds part of a budget that others wait for.
    pub(crate) fn starves_others(&self) -> bool {
        self.share.bytes() > 0 && self.budget.is_short()
    }

    /// Bytes received and not served.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The length of the frame at the front, if its four bytes are here.
    fn announced(&self, limit: usize) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = self.bytes.first_chunk::<PREFIX>() else { return Ok(None) };
        let length = i32::from_be_bytes(*prefix);
        let announced = usize::try_from(length).map_err(|_| FrameError::Negative(length))?;
        if announced > limit {
            return Err(FrameError::TooLarge { announced, limit });
        }
        Ok(Some(announced))
    }

    /// Takes the front of the buffer back if the requests that lay there are served, else another.
    fn room_pooled(&mut self, size: usize) {
        let more = size - self.bytes.len();
        if self.bytes.capacity() > 0 && self.bytes.try_reclaim(more) {
            return;
        }
        let mut buffer = self.pool.take(size);
        buffer.extend_from_slice(&self.bytes);
        let old = std::mem::replace(&mut self.bytes, buffer);
        self.pool.put(old);
    }

    async fn room_large(&mut self, needed: usize) {
        let arrived = self.bytes.len();
        let room = self.bytes.capacity() - arrived;
        if room >= ROOM_MIN || (room > 0 && arrived + room >= needed) {
            return;
        }
        let capacity = needed.min(arrived * GROWTH).max(arrived + ROOM_MIN);
        self.share.grow_to(capacity).await;
        let mut larger = BytesMut::with_capacity(capacity);
        larger.extend_from_slice(&self.bytes);
        let old = std::mem::replace(&mut self.bytes, larger);
        self.pool.put(old);
    }
}

#[cfg(test)]
mod tests;
