use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::{Sight, Waiter, Watchers};

fn is_woken(waiter: &Waiter, bytes: i64) -> bool {
    let woken = pin!(waiter.arrived(bytes));
    woken.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Goal: a fetch is woken once, when its bytes are there, counted over all its partitions.
#[test]
fn a_waiter_is_woken_when_its_bytes_are_there() {
    let (one, two) = (Arc::new(Watchers::default()), Arc::new(Watchers::default()));
    let waiter = Arc::new(Waiter::default());
    let registrations =
        [one.watch(&waiter, Sight::Committed), two.watch(&waiter, Sight::Committed)];
    waiter.reset();
    one.appending(60);
    one.progressed();
    assert!(!is_woken(&waiter, 100));
    two.appending(40);
    assert!(!is_woken(&waiter, 100), "appended is not visible");
    two.progressed();
    two.progressed();
    assert!(is_woken(&waiter, 100));
    assert!(!is_woken(&waiter, 100), "once");
    waiter.reset();
    one.progressed();
    assert!(is_woken(&waiter, 1), "any progress is at least a byte");
    drop(registrations);
    waiter.reset();
    one.appending(1000);
    one.progressed();
    assert!(!is_woken(&waiter, 1), "nobody is registered any more");
    assert!(one.waiting.lock().is_empty() && two.waiting.lock().is_empty());
}

/// Goal: bytes that were appended but not yet visible at registration count when they become so.
#[test]
fn what_becomes_visible_later_counts() {
    let watchers = Arc::new(Watchers::default());
    let waiter = Arc::new(Waiter::default());
    watchers.appending(100);
    let _registration = watchers.watch(&waiter, Sight::Committed);
    waiter.reset();
    watchers.progressed();
    assert!(is_woken(&waiter, 100));
}

/// Goal: whatever becomes of a partition, who waits for it looks again.
#[test]
fn a_change_of_role_wakes_everybody() {
    let watchers = Arc::new(Watchers::default());
    let waiter = Arc::new(Waiter::default());
    let _registration = watchers.watch(&waiter, Sight::Committed);
    waiter.reset();
    watchers.wake_all();
    assert!(is_woken(&waiter, i64::MAX));
}
