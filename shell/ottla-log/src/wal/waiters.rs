//! Who waits for which position: each is woken once, when its own position is durable, so that a
//! group's end costs nothing to those whose records are in a later one.

use std::collections::BTreeMap;
use std::task::Waker;

use parking_lot::Mutex;
use smallvec::SmallVec;

/// Tasks that wait, by position. As many as there are tasks.
#[derive(Default)]
pub(super) struct Waiters {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    by_position: BTreeMap<(u64, u64), Waker>,
    next_ticket: u64,
}

/// A place among the waiters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    lsn: u64,
    ticket: u64,
}

impl Waiters {
    /// Registers unless `is_over` says that there is nothing to wait for any more; it is asked under
    /// the lock that [`Waiters::wake_to`] takes after the position moved.
    pub(super) fn register(
        &self,
        lsn: u64,
        place: Option<Place>,
        waker: &Waker,
        is_over: impl FnOnce() -> bool,
    ) -> Option<Place> {
        let mut waiting = self.waiting.lock();
        if is_over() {
            return None;
        }
        let place = place.unwrap_or_else(|| {
            waiting.next_ticket += 1;
            Place { lsn, ticket: waiting.next_ticket }
        });
        waiting.by_position.insert((place.lsn, place.ticket), waker.clone());
        Some(place)
    }

    /// Gives a place up.
    pub(super) fn leave(&self, place: Place) {
        self.waiting.lock().by_position.remove(&(place.lsn, place.ticket));
    }

    /// Wakes those who wait for `lsn` or less.
    pub(super) fn wake_to(&self, lsn: u64) {
        let mut woken: SmallVec<[Waker; 8]> = SmallVec::new();
        {
            let mut waiting = self.waiting.lock();
            while let Some(first) = waiting.by_position.first_entry()
                && first.key().0 <= lsn
            {
                woken.push(first.remove());
            }
        }
        woken.into_iter().for_each(Waker::wake);
    }
}
