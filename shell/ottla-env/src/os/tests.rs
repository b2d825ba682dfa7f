//! What only the real environment has: threads, signals of their end, limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::Env;
use crate::task::Stopped;

#[test]
fn blocking_work_runs_on_at_most_four_threads() {
    run(Some(2), |env| async move {
        let running = Arc::new(AtomicUsize::new(0));
        let mut waits = Vec::new();
        for _ in 0..64 {
            let running = running.clone();
            waits.push(env.run_blocking(move || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                now
            }));
        }
        for wait in waits {
            assert!(wait.await.unwrap() <= 4);
        }
    })
    .unwrap();
}

#[test]
fn a_panic_in_blocking_work_stops_that_work_alone() {
    run(Some(1), |env| async move {
        for _ in 0..8 {
            let outcome: Result<(), Stopped> = env.run_blocking(|| panic!("on purpose")).await;
            assert_eq!(outcome, Err(Stopped));
        }
        assert_eq!(env.run_blocking(|| 5).await, Ok(5));
    })
    .unwrap();
}

#[test]
fn a_dedicated_thread_is_stopped_while_parked() {
    run(Some(1), |env| async move {
        let task = env.spawn_dedicated("test-parked", std::future::pending());
        task.abort();
        let end = env.timeout(Duration::from_secs(10), task).await.unwrap();
        assert_eq!(end, Err(Stopped));
    })
    .unwrap();
}

#[test]
fn a_dedicated_thread_has_its_name_and_its_timers() {
    run(Some(1), |env| async move {
        let inner = env.clone();
        let task = env.spawn_dedicated("test-dedicated", async move {
            inner.sleep(Duration::from_millis(1)).await;
            assert_eq!(std::thread::current().name(), Some("test-dedicated"));
        });
        assert_eq!(env.timeout(Duration::from_secs(10), task).await, Ok(Ok(())));
    })
    .unwrap();
}

#[test]
fn the_file_limit_is_raised_to_the_hard_one() {
    let first = raise_file_limit();
    assert_eq!(first, raise_file_limit());
    assert!(first.is_none_or(|limit| limit > 0));
}

#[test]
fn signals_can_be_listened_for() {
    run(Some(1), |env| async move {
        let mut signals = shutdown_signal().unwrap();
        assert!(env.timeout(Duration::from_millis(1), signals.next()).await.is_err());
    })
    .unwrap();
}

#[test]
fn block_on_survives_wakes_from_other_threads() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || sender.send(7).unwrap());
        assert_eq!(block_on(receiver), Ok(7));
    });
}
