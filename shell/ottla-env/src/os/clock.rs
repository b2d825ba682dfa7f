//! Monotonic and wall time, and sleeping until a monotonic time.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::MonoTime;

/// Further away than any process lives, and still a time tokio can count to.
const FAR_AHEAD: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// The zero of this process's monotonic time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin(Instant);

impl Origin {
    pub(super) fn now() -> Origin {
        Origin(Instant::now())
    }

    pub(super) fn elapsed(self) -> MonoTime {
        MonoTime(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Must be called within a tokio runtime's context.
    pub(super) fn sleep_until(self, at: MonoTime) -> OsSleep {
        let ahead = Duration::from_nanos(at.0).min(FAR_AHEAD);
        let at = tokio::time::Instant::from_std(self.0 + ahead);
        OsSleep(Box::pin(tokio::time::sleep_until(at)))
    }
}

/// The wall clock; times before 1970 are negative.
pub(super) fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

/// See [`crate::Env::sleep_until`].
pub struct OsSleep(Pin<Box<tokio::time::Sleep>>);

impl Future for OsSleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
