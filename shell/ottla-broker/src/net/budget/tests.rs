use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::Budget;

/// Whether `future` completes when polled once.
fn ready<F: Future<Output = ()>>(future: F) -> bool {
    let mut future = pin!(future);
    matches!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()))
}

/// Goal: the sum of shares stays within the limit plus one overdraft, and what is dropped is free.
#[test]
fn the_limit_holds_for_all_but_one_overdraft() {
    let budget = Budget::new(100);
    let (mut first, mut second, mut third) = (budget.share(), budget.share(), budget.share());
    assert!(ready(first.grow_to(80)));
    assert!(ready(second.grow_to(20)));
    assert_eq!(budget.used(), 100);
    // The first that asks for more than there is gets the overdraft, the next one waits.
    assert!(ready(second.grow_to(50)));
    assert!(!ready(third.grow_to(1)));
    assert_eq!(third.bytes(), 0);
    assert!(!budget.is_short(), "a cancelled wait no longer counts");
    drop(first);
    assert!(ready(third.grow_to(10)));
    drop(second);
    drop(third);
    assert_eq!(budget.used(), 0);
}

/// Goal: a share split off keeps its bytes until it is dropped itself.
#[test]
fn a_share_travels_with_its_request() {
    let budget = Budget::new(100);
    let mut share = budget.share();
    assert!(ready(share.grow_to(60)));
    let travelling = share.split_off();
    assert_eq!((share.bytes(), travelling.bytes()), (0, 60));
    drop(share);
    assert_eq!(budget.used(), 60);
    drop(travelling);
    assert_eq!(budget.used(), 0);
}

/// Goal: a waiter is woken by a release. Method: poll, release, poll again.
#[test]
fn a_release_wakes_a_waiter() {
    let budget = Budget::new(10);
    let (mut first, mut overdrawn) = (budget.share(), budget.share());
    assert!(ready(first.grow_to(10)));
    assert!(ready(overdrawn.grow_to(5)));
    let mut third = budget.share();
    let mut wait = pin!(third.grow_to(4));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(wait.as_mut().poll(&mut cx).is_pending());
    assert!(budget.is_short());
    first.release();
    assert!(wait.as_mut().poll(&mut cx).is_ready());
}
