//! Who waits for a partition's records: registrations of waiting fetches, each woken once.
//!
//! An append costs one look at an empty list where nobody waits. It never wakes a fetch before as
//! many bytes are there as it asked for, as far as appends tell; a fetch that is woken reads anew and
//! decides itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A fetch that waits for `min.bytes` over all its partitions.
#[derive(Default)]
pub(crate) struct Waiter {
    arrived: AtomicI64,
    /// Bytes that are worth waking for; nothing is while the fetch reads.
    expected: AtomicI64,
    woken: AtomicBool,
    notify: Notify,
}

impl Waiter {
    /// Counts from here on. Read after this, and say then what is still missing.
    pub(crate) fn reset(&self) {
        self.expected.store(i64::MAX, Ordering::SeqCst);
        self.arrived.store(0, Ordering::SeqCst);
        self.woken.store(false, Ordering::SeqCst);
    }

    /// Completes once that many bytes have arrived since the last reset.
    pub(crate) async fn arrived(&self, bytes: i64) {
        self.expected.store(bytes, Ordering::SeqCst);
        self.wake_if_enough();
        self.notify.notified().await;
    }

    fn add(&self, bytes: i64) {
        self.arrived.fetch_add(bytes, Ordering::SeqCst);
        self.wake_if_enough();
    }

    fn wake_if_enough(&self) {
        if self.arrived.load(Ordering::SeqCst) >= self.expected.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        if !self.woken.swap(true, Ordering::SeqCst) {
            self.notify.notify_one();
        }
    }
}

/// What a reader sees of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// A consumer: what is committed.
    Committed,
    /// A follower: all there is.
    All,
}

/// The registrations of one partition.
#[derive(Default)]
pub(crate) struct Watchers {
    /// Bytes appended since the start of the process, counted before they become visible.
    appended: AtomicU64,
    /// What `appended` was when progress was last told: what came later may not be visible yet.
    told: AtomicU64,
    waiting: Mutex<Vec<Watch>>,
    /// Whether `waiting` has entries, so that an append need not lock to learn that it has none.
    is_watched: AtomicBool,
}

struct Watch {
    waiter: Arc<Waiter>,
    sight: Sight,
    /// What of `appended` the waiter has been told.
    counted: u64,
}

impl Watchers {
    /// Notes that `bytes` are about to be appended.
    pub(crate) fn appending(&self, bytes: usize) {
        self.appended.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    /// More may be visible to consumers than before: tells those who wait.
    pub(crate) fn progressed(&self) {
        let appended = self.appended.load(Ordering::SeqCst);
        self.told.store(appended, Ordering::SeqCst);
        self.tell(Sight::Committed, appended);
    }

    /// More is there for followers.
    pub(crate) fn extended(&self) {
        self.tell(Sight::All, self.appended.load(Ordering::SeqCst));
    }

    fn tell(&self, sight: Sight, appended: u64) {
        if !self.is_watched.load(Ordering::SeqCst) {
            return;
        }
        for watch in self.waiting.lock().iter_mut().filter(|watch| watch.sight == sight) {
            // Progress without an append of a client (a marker, a coordinator) counts as a byte.
            let bytes = appended.saturating_sub(watch.counted).max(1);
            watch.counted = appended;
            watch.waiter.add(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// The partition is gone or changed its role: everybody looks again.
    pub(crate) fn wake_all(&self) {
        for watch in self.waiting.lock().iter() {
            watch.waiter.wake();
        }
    }

    /// Registers until the result is dropped. Read after this, or progress may be missed.
    pub(crate) fn watch(self: &Arc<Self>, waiter: &Arc<Waiter>, sight: Sight) -> Registration {
        let counted = match sight {
            Sight::Committed => self.told.load(Ordering::SeqCst),
            Sight::All => self.appended.load(Ordering::SeqCst),
        };
        let mut waiting = self.waiting.lock();
        waiting.push(Watch { waiter: Arc::clone(waiter), sight, counted });
        self.is_watched.store(true, Ordering::SeqCst);
        Registration { watchers: Arc::clone(self), waiter: Arc::clone(waiter) }
    }
}

/// A place among the watchers, given up when dropped.
pub(crate) struct Registration {
    watchers: Arc<Watchers>,
    waiter: Arc<Waiter>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut waiting = self.watchers.waiting.lock();
        if let Some(at) = waiting.iter().position(|watch| Arc::ptr_eq(&watch.waiter, &self.waiter))
        {
            waiting.swap_remove(at);
        }
        self.watchers.is_watched.store(!waiting.is_empty(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
