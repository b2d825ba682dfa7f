//! All timers of a world, earliest first; those of one moment in the order they were set.

use std::collections::BTreeMap;
use std::task::Waker;

/// Names a set timer.
pub(super) type TimerKey = (u64, u64);

/// What is to be woken when.
#[derive(Default)]
pub(super) struct Timers {
    waiting: BTreeMap<TimerKey, Waker>,
    next: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: u64, waker: Waker) -> TimerKey {
        let key = (at, self.next);
        self.next += 1;
        self.waiting.insert(key, waker);
        key
    }

    pub(super) fn clear(&mut self, key: TimerKey) -> Option<Waker> {
        self.waiting.remove(&key)
    }

    pub(super) fn earliest(&self) -> Option<u64> {
        self.waiting.keys().next().map(|key| key.0)
    }

    /// Takes what is due.
    pub(super) fn take_due(&mut self, now: u64) -> Vec<Waker> {
        let mut due = Vec::new();
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > now {
                break;
            }
            due.push(entry.remove());
        }
        due
    }
}
