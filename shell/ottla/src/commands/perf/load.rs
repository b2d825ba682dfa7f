//! The sending side: records as fast as possible or when they are due, and what becomes of them.
//!
//! The loop has a thread of its own: it waits for moments more exactly than a task can, and takes no
//! worker from the client that it measures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ottla_client::{Delivery, Error, Producer, ProducerRecord};
use ottla_env::os::{OsEnv, ShutdownSignals};
use ottla_env::{Env, MonoTime, Task};
use ottla_protocol::Str;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{mpsc, oneshot};

use super::meter::{Ending, Meter, watch};
use super::schedule::{Payload, Schedule};
use crate::commands::Outcome;
use crate::exit::Exit;

/// What is to be sent.
pub(super) struct Plan {
    pub(super) topic: Str,
    pub(super) payload: Payload,
    /// `None`: as fast as possible.
    pub(super) schedule: Option<Schedule>,
    /// End after so many records.
    pub(super) records: Option<u64>,
    /// End after this time; what is due and was not sent by then has failed.
    pub(super) limit: Option<Duration>,
    /// Every record says when it was due, and belongs to the run of this number.
    pub(super) stamp: Option<u64>,
    pub(super) begin: MonoTime,
}

/// Records sent and not yet acknowledged, at most.
const IN_FLIGHT_MAX: usize = 100_000;

/// A record on its way.
struct Sent {
    due: MonoTime,
    bytes: u64,
    delivery: Delivery,
}

/// What the loop and who waits for it share.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    sent: AtomicU64,
}

/// Sends what was planned and waits for its fate, all of which `meter` counts; `progress` is the
/// meter that is shown meanwhile. An exit is the one of a signal that ended the run early.
///
/// # Errors
/// What kept a record from being sent at all.
pub(super) async fn send(
    env: &OsEnv,
    producer: Arc<Producer<OsEnv>>,
    plan: Plan,
    meter: &Arc<Meter>,
    progress: &Meter,
    signals: &mut ShutdownSignals,
) -> Outcome<Option<Exit>> {
    let (limit, records) = (plan.limit, plan.records);
    let shared = Arc::new(Shared::default());
    let (on_the_way, arriving) = mpsc::channel(IN_FLIGHT_MAX);
    let (tell, ended) = oneshot::channel();
    let settling = env.spawn("perf-settle", settle(arriving, meter.clone()));
    let sending = {
        let (clock, producer, own) = (env.clone(), producer.clone(), shared.clone());
        let work = async move {
            let sent = send_all(&clock, &producer, plan, &own, on_the_way).await;
            let _ = tell.send(sent);
        };
        Stopping(env.spawn_dedicated("perf-send", work), shared.clone())
    };
    let ending = watch(env, progress, signals, limit, ended).await;
    drop(sending);
    let (stopped, sent) = match ending {
        // A loop that was stopped has no word of its own.
        Ending::Done(sent) => (None, sent.unwrap_or(Ok(()))),
        Ending::TimeUp => (None, Ok(())),
        Ending::Stopped(exit) => (Some(exit), Ok(())),
    };
    let settled = async {
        producer.flush().await;
        // It ends with the loop, whose end of the channel it listens to.
        let _ = settling.await;
    };
    let stopped = match watch(env, progress, signals, None, settled).await {
        Ending::Stopped(exit) => Some(exit),
        _ => stopped,
    };
    sent?;
    if let (None, Some(records)) = (stopped, records) {
        let missing = records.saturating_sub(shared.sent.load(Ordering::Relaxed));
        meter.failed(missing, || "it was due and could not be sent in time".to_owned());
    }
    Ok(stopped)
}

/// Ends the loop when dropped.
struct Stopping(Task, Arc<Shared>);

impl Drop for Stopping {
    fn drop(&mut self) {
        self.1.stop.store(true, Ordering::Relaxed);
        self.0.abort();
    }
}

async fn send_all(
    env: &OsEnv,
    producer: &Producer<OsEnv>,
    plan: Plan,
    shared: &Shared,
    on_the_way: mpsc::Sender<Sent>,
) -> Result<(), Error> {
    let until = plan.limit.map(|limit| plan.begin + limit);
    for number in 0..plan.records.unwrap_or(u64::MAX) {
        let mut due = env.now();
        if let Some(schedule) = plan.schedule {
            due = plan.begin + schedule.due(number);
            wait_until(env, due).await;
        }
        if shared.stop.load(Ordering::Relaxed) || until.is_some_and(|until| env.now() >= until) {
            break;
        }
        // First the place among what is on its way, so that no record is sent and not counted.
        let Ok(place) = on_the_way.reserve().await else { break };
        let value = match plan.stamp {
            Some(run) => plan.payload.stamped(number, run, due.0),
            None => plan.payload.value(number),
        };
        let bytes = value.len() as u64;
        let delivery = producer.send(ProducerRecord::new(plan.topic.clone(), value)).await?;
        shared.sent.fetch_add(1, Ordering::Relaxed);
        place.send(Sent { due, bytes, delivery });
    }
    Ok(())
}

/// Looks at the fates one after the other; each says itself when it was known.
async fn settle(mut arriving: mpsc::Receiver<Sent>, meter: Arc<Meter>) {
    while let Some(Sent { due, bytes, delivery }) = arriving.recv().await {
        match delivery.timed().await {
            Ok((_, at)) => meter.done_since(due, bytes, at),
            Err(error) => meter.failed(1, || error.to_string()),
        }
    }
}

/// Waits for a moment, on a thread of one's own: timers of tasks go by whole milliseconds, so the
/// last part blocks the thread.
async fn wait_until(env: &OsEnv, at: MonoTime) {
    const EXACT: Duration = Duration::from_millis(3);
    let left = at - env.now();
    if left > EXACT {
        env.sleep(left - EXACT).await;
    }
    // A wait may end early for no reason.
    loop {
        let left = at - env.now();
        if left.is_zero() {
            break;
        }
        Condvar::new().wait_for(&mut Mutex::new(()).lock(), left);
    }
}
