//! A thread that polls one future and parks in between. It steals no work and runs no other.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use super::limits::collect_before_sleep;

/// Wakes the parked thread. `notified` keeps a wake that comes before the park.
struct Unpark {
    thread: Thread,
    notified: AtomicBool,
}

impl Unpark {
    fn of_this_thread() -> Arc<Unpark> {
        Arc::new(Unpark { thread: std::thread::current(), notified: AtomicBool::new(false) })
    }

    fn park_until_notified(&self) {
        // A park may end for no reason.
        while !self.notified.swap(false, Ordering::Acquire) {
            std::thread::park();
        }
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        if !self.notified.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

/// Runs `future` on this thread until it ends.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let unpark = Unpark::of_this_thread();
    let waker = Waker::from(unpark.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => {
                collect_before_sleep();
                unpark.park_until_notified();
            }
        }
    }
}

/// Ends a dedicated thread before its future's next poll.
#[derive(Default)]
pub(super) struct Stop {
    stopped: AtomicBool,
    waker: parking_lot::Mutex<Option<Waker>>,
}

impl Stop {
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.lock().take() {
            waker.wake();
        }
    }
}

/// Runs `future` on this thread until it ends or is stopped; `true` if it ended.
pub(super) fn block_on_until<F: Future<Output = ()>>(future: F, stop: &Stop) -> bool {
    let mut future = pin!(future);
    block_on(std::future::poll_fn(|cx| {
        *stop.waker.lock() = Some(cx.waker().clone());
        if stop.stopped.load(Ordering::SeqCst) {
            return Poll::Ready(false);
        }
        future.as_mut().poll(cx).map(|()| true)
    }))
}
