//! Clocks, sleeps, time limits, chance.

use std::path::PathBuf;
use std::time::Duration;

use ottla_env::time::Elapsed;
use ottla_env::{Env, MonoTime};
use tokio::sync::mpsc;

pub(super) async fn sleeps_end_in_the_order_of_their_times<E: Env>(env: E, _root: PathBuf) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let start = env.now();
    for millis in [150, 50, 100, 0] {
        let (inner, sender) = (env.clone(), sender.clone());
        env.spawn("test-sleeper", async move {
            inner.sleep_until(start + Duration::from_millis(millis)).await;
            sender.send(millis).unwrap();
        });
    }
    drop(sender);
    let mut order = Vec::new();
    while let Some(millis) = receiver.recv().await {
        assert!(env.now().since(start) >= Duration::from_millis(millis));
        order.push(millis);
    }
    assert_eq!(order, [0, 50, 100, 150]);
}

pub(super) async fn a_timeout_cuts_a_wait_and_lets_a_quick_one_be<E: Env>(env: E, _root: PathBuf) {
    let start = env.now();
    let cut = env.timeout(Duration::from_millis(30), std::future::pending::<()>()).await;
    assert_eq!(cut, Err(Elapsed));
    assert!(env.now().since(start) >= Duration::from_millis(30));
    assert_eq!(env.timeout(Duration::from_secs(3600), async { 4 }).await, Ok(4));
    assert_eq!(env.timeout(Duration::MAX, async { 5 }).await, Ok(5));
    assert_eq!(env.timeout(Duration::ZERO, async { 6 }).await, Ok(6), "ready comes first");
    env.sleep_until(MonoTime(0)).await;
}

pub(super) async fn time_does_not_go_back<E: Env>(env: E, _root: PathBuf) {
    let (mut last, wall) = (env.now(), env.wall_ms());
    assert!(wall > 1_600_000_000_000, "the wall clock stands after 2020");
    for _ in 0..100 {
        env.sleep(Duration::from_micros(100)).await;
        let now = env.now();
        assert!(now.since(last) >= Duration::from_micros(100));
        last = now;
    }
}

pub(super) async fn random_bytes_differ<E: Env>(env: E, _root: PathBuf) {
    let mut bytes = [0; 1000];
    env.fill_random(&mut bytes);
    let distinct: std::collections::BTreeSet<u8> = bytes.into_iter().collect();
    assert!(distinct.len() > 100);
    assert_ne!(env.random_u64(), env.random_u64());
    env.fill_random(&mut []);
}
