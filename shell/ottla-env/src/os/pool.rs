//! A few threads for blocking work. Never more than it was made with, unlike tokio's own pool: a
//! slow disk must slow its readers, not breed threads.

#![allow(clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::task::Stopped;

type Job = Box<dyn FnOnce() + Send>;

/// The queue has no limit of its own: each job is awaited by a request that counts against one.
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Inner {
    queue: Mutex<Queue>,
    filled: Condvar,
}

/// Threads and their queue; the threads end after the last handle is dropped.
pub(super) struct Pool {
    inner: Arc<Inner>,
}

impl Pool {
    pub(super) fn start(threads: usize) -> io::Result<Pool> {
        let queue = Mutex::new(Queue { jobs: VecDeque::new(), closed: false });
        let pool = Pool { inner: Arc::new(Inner { queue, filled: Condvar::new() }) };
        for index in 0..threads {
            let inner = pool.inner.clone();
            let name = format!("ottla-disk-{index}");
            std::thread::Builder::new().name(name).spawn(move || work(&inner))?;
        }
        Ok(pool)
    }

    /// Queues `work` at once: the order of calls is the order of work.
    pub(super) fn run<T, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, Stopped>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody waits any more when the receiver is gone: the work is not worth doing.
            if !sender.is_closed() {
                let _ = sender.send(work());
            }
        });
        self.inner.queue.lock().jobs.push_back(job);
        self.inner.filled.notify_one();
        async move { receiver.await.map_err(|_| Stopped) }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.inner.queue.lock();
        queue.closed = true;
        queue.jobs.clear();
        drop(queue);
        self.inner.filled.notify_all();
    }
}

fn work(inner: &Inner) {
    while let Some(job) = next(inner) {
        // A panic is reported by the panic hook; its caller sees `Stopped`, the thread lives on.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

fn next(inner: &Inner) -> Option<Job> {
    let mut queue = inner.queue.lock();
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            return Some(job);
        }
        if queue.closed {
            return None;
        }
        inner.filled.wait(&mut queue);
    }
}
