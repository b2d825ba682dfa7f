use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{NEVER, UnlessPanic, idle_max};

/// Goal: a panic inside ends the future and nothing else.
#[test]
fn a_panic_is_caught() {
    let mut cx = Context::from_waker(Waker::noop());
    let fine = UnlessPanic(pin!(async { 7 }));
    assert_eq!(pin!(fine).poll(&mut cx), Poll::Ready(Some(7)));
    let faulty = UnlessPanic(pin!(async { std::panic::resume_unwind(Box::new("fault")) }));
    let outcome: Poll<Option<()>> = pin!(faulty).poll(&mut cx);
    assert_eq!(outcome, Poll::Ready(None));
}

/// Goal: a negative idle time means never, and no time overflows the clock.
#[test]
fn idle_times_are_bounded() {
    assert_eq!(idle_max(-1), NEVER);
    assert_eq!(idle_max(i64::MAX), NEVER);
    assert_eq!(idle_max(600_000), Duration::from_secs(600));
}
