//! One task for the timers of all shards. It sleeps until the first deadline and never busy-waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_env::{Env, MonoTime};

use super::CoordinatorDriver;
use super::room::{Room, now};

/// Runs until the coordinator stops.
pub(super) async fn run<E: Env>(driver: Arc<CoordinatorDriver<E>>) {
    while !driver.is_stopped() {
        let rooms = driver.rooms();
        let deadline = rooms.iter().map(|room| room.deadline()).min().unwrap_or(i64::MAX);
        driver.sleeps_until.store(deadline, Ordering::SeqCst);
        // A deadline that was set before the store is seen here, a later one notifies.
        let sooner = driver.rooms().iter().any(|room| room.deadline() < deadline);
        if !sooner && deadline > now(&driver.env).mono_ms {
            sleep_or_notice(&driver, deadline).await;
        }
        fire_due(&driver, &rooms).await;
    }
}

async fn sleep_or_notice<E: Env>(driver: &CoordinatorDriver<E>, deadline_ms: i64) {
    let mut stopped = driver.stopped.subscribe();
    let nanos = u64::try_from(deadline_ms).unwrap_or(0).saturating_mul(1_000_000);
    tokio::select! {
            biased;
        () = driver.env.sleep_until(MonoTime(nanos)) => {}
        () = driver.timer.notified() => {}
        _ended = stopped.wait_for(|stopped| *stopped) => {}
    }
}

async fn fire_due<E: Env>(driver: &CoordinatorDriver<E>, rooms: &[Arc<Room<E>>]) {
    for room in rooms {
        while room.deadline() <= now(&driver.env).mono_ms {
            room.fire(&driver.env, &driver.data_dirs).await;
        }
    }
}
