//! The node's budget of request bytes: who may hold how much of what peers are sending.
//!
//! It never grants on the word of a length field: a connection asks for what it is about to fill.
//! The sum of all grants stays within the limit, plus one overdraft: a single connection at a time
//! may pass the limit to complete the frame it has begun, so that a node full of half-received
//! frames always makes progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Bytes that all connections together may hold.
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
    /// Connections that wait for bytes; those that hold some without using them notice.
    waiting: AtomicUsize,
    freed: Notify,
    overdraft: Arc<Semaphore>,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Budget> {
        Arc::new(Budget {
            limit,
            used: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            overdraft: Arc::new(Semaphore::new(1)),
        })
    }

    /// A share without bytes, to grow later.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), bytes: 0, overdraft: None }
    }

    /// Bytes held now.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether somebody waits for bytes, so that whoever holds some in vain should let go.
    pub(crate) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    fn try_take(&self, bytes: usize) -> bool {
        self.used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.limit)
            })
            .is_ok()
    }
}

/// What one connection holds of the budget; given back when dropped.
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
    overdraft: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Grows the share to `bytes` in all, waiting until the node has them. Cancel-safe.
    pub(crate) async fn grow_to(&mut self, bytes: usize) {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) else { return };
        if self.overdraft.is_none() && !self.budget.try_take(more) {
            self.wait_for(more).await;
        } else if self.overdraft.is_some() {
            self.budget.used.fetch_add(more, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// Gives everything back.
    pub(crate) fn release(&mut self) {
        if self.bytes == 0 && self.overdraft.is_none() {
            return;
        }
        self.budget.used.fetch_sub(self.bytes, Ordering::SeqCst);
        self.bytes = 0;
        self.overdraft = None;
        if self.budget.is_short() {
            self.budget.freed.notify_waiters();
        }
    }

    /// Moves what is held into a share of its own, which travels with a request.
    pub(crate) fn split_off(&mut self) -> Share {
        let budget = Arc::clone(&self.budget);
        Share { budget, bytes: std::mem::take(&mut self.bytes), overdraft: self.overdraft.take() }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    async fn wait_for(&mut self, more: usize) {
        let budget = Arc::clone(&self.budget);
        let _waiting = Waiting::enter(&budget.waiting);
        loop {
            let mut freed = std::pin::pin!(budget.freed.notified());
            // Enabled before the attempt, or a release in between would be missed.
            freed.as_mut().enable();
            if budget.try_take(more) {
                return;
            }
            tokio::select! {
                biased;
                () = freed => {}
                permit = Arc::clone(&budget.overdraft).acquire_owned() => {
                    self.overdraft = permit.ok();
                    budget.used.fetch_add(more, Ordering::Relaxed);
                    return;
                }
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

/// Counts a waiter for as long as it waits, cancelled or not.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Waiting<'a> {
        count.fetch_add(1, Ordering::SeqCst);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
