//! Spawning, stopping, and tokio's channels between tasks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::{Env, Stopped};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};

pub(super) async fn a_task_reports_its_end<E: Env>(env: E, _root: PathBuf) {
    let (sender, receiver) = oneshot::channel();
    let task = env.spawn("test", async move {
        sender.send(3).unwrap();
    });
    assert_eq!(receiver.await, Ok(3));
    assert_eq!(task.await, Ok(()));
}

pub(super) async fn an_aborted_task_reads_as_stopped<E: Env>(env: E, _root: PathBuf) {
    let (sender, receiver) = oneshot::channel::<()>();
    let task = env.spawn("test", async move {
        let _kept = sender;
        std::future::pending::<()>().await;
    });
    task.abort();
    assert_eq!(task.await, Err(Stopped));
    assert!(receiver.await.is_err(), "what the task held is dropped");
    drop(env.spawn("test", async {}));
}

pub(super) async fn a_dedicated_task_waits_and_is_woken<E: Env>(env: E, _root: PathBuf) {
    let (requests, mut queue) = mpsc::channel::<oneshot::Sender<u64>>(4);
    let inner = env.clone();
    let task = env.spawn_dedicated("test-writer", async move {
        let mut count = 0;
        while let Some(reply) = queue.recv().await {
            inner.disk_pause().await;
            count += 1;
            reply.send(count).unwrap();
        }
    });
    for expected in 1..=100 {
        let (reply, answer) = oneshot::channel();
        requests.send(reply).await.unwrap();
        assert_eq!(answer.await, Ok(expected));
    }
    drop(requests);
    assert_eq!(task.await, Ok(()));
}

pub(super) async fn blocking_work_answers<E: Env>(env: E, _root: PathBuf) {
    let answers = tokio::join!(env.run_blocking(|| 1), env.run_blocking(|| "two"));
    assert_eq!(answers, (Ok(1), Ok("two")));
}

pub(super) async fn channels_and_select_work<E: Env>(env: E, _root: PathBuf) {
    let (position, mut durable) = watch::channel(0_u64);
    let notify = Arc::new(Notify::new());
    let permits = Arc::new(Semaphore::new(1));
    let waiter = env.spawn("test-waiter", {
        let (notify, permits) = (notify.clone(), permits.clone());
        async move {
            let _permit = permits.acquire().await.unwrap();
            loop {
                tokio::select! {
                    biased;
                    () = notify.notified() => return,
                    changed = durable.changed() => changed.unwrap(),
                }
            }
        }
    });
    for next in 1..=10 {
        position.send(next).unwrap();
        env.sleep(Duration::from_millis(1)).await;
    }
    notify.notify_one();
    assert_eq!(waiter.await, Ok(()));
    assert_eq!(permits.available_permits(), 1);
}
