//! Handles of running tasks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The work was dropped before it ended: the node stops, or the task panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the task was stopped")
    }
}

impl std::error::Error for Stopped {}

/// A spawned task. Await it to learn of its end; dropping it lets the task run on.
pub struct Task {
    pub(crate) done: tokio::sync::oneshot::Receiver<()>,
    pub(crate) abort: Arc<dyn Fn() + Send + Sync>,
}

impl Task {
    /// Stops the task at its next await. A dedicated thread ends when its future is next polled.
    pub fn abort(&self) {
        (self.abort)();
    }
}

impl Future for Task {
    type Output = Result<(), Stopped>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.done).poll(cx).map(|end| end.map_err(|_| Stopped))
    }
}
