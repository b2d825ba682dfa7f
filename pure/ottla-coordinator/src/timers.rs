//! Every timer of a shard, in one table. It never fires by itself: the driver asks for the deadline.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::Str;

use crate::now::Now;

/// What may fall due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A member has not been heard of for its session timeout.
    Heartbeat { group: Str, member: Str },
    /// The join phase has lasted long enough.
    Join { group: Str },
    /// Members that joined have not asked for their assignment in time.
    Sync { group: Str },
    /// Time to look for offsets past their retention.
    ExpireOffsets,
}

/// At most one deadline per timer.
#[derive(Debug, Default)]
pub struct Timers {
    deadlines: BTreeMap<Timer, i64>,
    /// The same pairs in order of time.
    queue: BTreeSet<(i64, Timer)>,
}

impl Timers {
    /// Sets or moves `timer` to `after_ms` from now.
    pub fn schedule(&mut self, now: Now, timer: Timer, after_ms: i64) {
        let deadline = now.mono_ms.saturating_add(after_ms.max(0));
        if let Some(earlier) = self.deadlines.insert(timer.clone(), deadline) {
            if earlier == deadline {
                return;
            }
            self.queue.remove(&(earlier, timer.clone()));
        }
        self.queue.insert((deadline, timer));
    }

    pub fn cancel(&mut self, timer: &Timer) {
        if let Some((timer, deadline)) = self.deadlines.remove_entry(timer) {
            self.queue.remove(&(deadline, timer));
        }
    }

    /// The monotonic millisecond at which the next timer is due.
    pub fn deadline(&self) -> Option<i64> {
        self.queue.first().map(|(deadline, _)| *deadline)
    }

    /// When `timer` is due.
    pub fn deadline_of(&self, timer: &Timer) -> Option<i64> {
        self.deadlines.get(timer).copied()
    }

    /// Takes the earliest timer that is due.
    pub fn take_due(&mut self, now: Now) -> Option<Timer> {
        if self.deadline()? > now.mono_ms {
            return None;
        }
        let (_, timer) = self.queue.pop_first()?;
        self.deadlines.remove(&timer);
        Some(timer)
    }

    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }
}

#[cfg(test)]
mod tests;
