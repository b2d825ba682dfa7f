//! Who waits until records of a partition are committed: producers with acks=all, coordinators. Ordered
//! by offset, completed as the high watermark passes, sent away when the leader's epoch ends.
//!
//! A ticket may wait for many partitions; it wakes its holder once, when the last of them has its
//! outcome.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ottla_protocol::ErrorCode;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::Notify;

/// An epoch in which nothing is waited for.
const NO_EPOCH: i32 = -1;

/// What one request or coordinator waits for.
pub(crate) struct Ticket {
    left: AtomicUsize,
    outcomes: Mutex<Outcomes>,
    /// The holder's; several tickets may share one.
    notify: Arc<Notify>,
}

/// By place: nothing while it is waited for.
type Outcomes = SmallVec<[Option<Result<(), ErrorCode>>; 1]>;

impl Ticket {
    /// A ticket for so many partitions.
    pub(crate) fn new(places: usize, notify: Arc<Notify>) -> Arc<Ticket> {
        let outcomes = Mutex::new(SmallVec::from_elem(None, places));
        Arc::new(Ticket { left: AtomicUsize::new(places), outcomes, notify })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// Completes once it is done, or because another ticket of the same holder is: look then.
    pub(crate) async fn changed(&self) {
        self.notify.notified().await;
    }

    /// The outcome of one place, if there is one.
    pub(crate) fn outcome(&self, place: usize) -> Option<Result<(), ErrorCode>> {
        self.outcomes.lock()[place]
    }

    fn settle(&self, place: usize, outcome: Result<(), ErrorCode>) {
        {
            let mut outcomes = self.outcomes.lock();
            if outcomes[place].is_some() {
                return;
            }
            outcomes[place] = Some(outcome);
        }
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.notify.notify_one();
        }
    }
}

/// Those who wait for one partition.
pub(crate) struct Commits {
    waiting: Mutex<Waiting>,
    /// Whether anybody does, so that progress need not lock to learn that nobody does.
    is_awaited: AtomicBool,
}

struct Waiting {
    epoch: i32,
    /// In the order of their offsets; made with the first.
    waits: Option<Box<Waits>>,
}

#[derive(Default)]
struct Waits {
    queue: VecDeque<Wait>,
}

struct Wait {
    offset: i64,
    ticket: Arc<Ticket>,
    place: usize,
}

impl Default for Commits {
    fn default() -> Commits {
        let waiting = Waiting { epoch: NO_EPOCH, waits: None };
        Commits { waiting: Mutex::new(waiting), is_awaited: AtomicBool::new(false) }
    }
}

impl Commits {
    /// Waits for the high watermark to pass `offset`, appended in `epoch`. Look at the high watermark
    /// after this, and call [`Commits::passed`], or its last move may be missed.
    pub(crate) fn wait(&self, epoch: i32, offset: i64, ticket: &Arc<Ticket>, place: usize) {
        {
            let mut waiting = self.waiting.lock();
            if waiting.epoch == epoch {
                let waits = &mut waiting.waits.get_or_insert_default().queue;
                // Two appends may come here in another order than they got their offsets.
                let at =
                    waits.iter().rposition(|wait| wait.offset <= offset).map_or(0, |at| at + 1);
                waits.insert(at, Wait { offset, ticket: Arc::clone(ticket), place });
                self.is_awaited.store(true, Ordering::SeqCst);
                return;
            }
        }
        ticket.settle(place, Err(ErrorCode::NotLeaderOrFollower));
    }

    /// The high watermark is there now.
    pub(crate) fn passed(&self, high_watermark: i64, outcome: Result<(), ErrorCode>) {
        if !self.is_awaited.load(Ordering::SeqCst) {
            return;
        }
        let mut waiting = self.waiting.lock();
        let waits = &mut waiting.waits.get_or_insert_default().queue;
        while waits.front().is_some_and(|wait| wait.offset < high_watermark) {
            let wait = waits.pop_front().expect("there is a first");
            wait.ticket.settle(wait.place, outcome);
        }
        self.is_awaited.store(!waits.is_empty(), Ordering::SeqCst);
    }

    /// A leader's epoch begins: whoever waits for the one before waits in vain.
    pub(crate) fn begin(&self, epoch: i32) {
        self.turn_over(epoch, ErrorCode::NotLeaderOrFollower);
    }

    /// This node does not lead any more.
    pub(crate) fn end(&self, error: ErrorCode) {
        self.turn_over(NO_EPOCH, error);
    }

    fn turn_over(&self, epoch: i32, error: ErrorCode) {
        let mut waiting = self.waiting.lock();
        if waiting.epoch == epoch {
            return;
        }
        waiting.epoch = epoch;
        for wait in waiting.waits.take().into_iter().flat_map(|waits| waits.queue) {
            wait.ticket.settle(wait.place, Err(error));
        }
        self.is_awaited.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
