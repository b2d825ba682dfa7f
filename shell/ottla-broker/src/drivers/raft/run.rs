//! The loop: does what is queued, then waits for the next thing to happen and takes one step.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::{Env, MonoTime};
use ottla_raft::Event;

use super::RaftDriver;

/// Runs until the node resigns or its disk fails.
pub(super) async fn run<E: Env>(driver: Arc<RaftDriver<E>>) {
    loop {
        while driver.do_next().await {}
        driver.drained.notify_waiters();
        let Some(step) = driver.select().await else { return };
        match step {
            Next::Durable => driver.note_durable(),
            Next::Time => driver.step(Event::Tick),
            Next::Work => {}
            Next::Failed(what) => driver.fail(&what),
        }
    }
}

/// What the loop woke for.
enum Next {
    Durable,
    Time,
    Work,
    Failed(crate::log::Failed),
}

impl<E: Env> RaftDriver<E> {
    /// Waits. Nothing where it is over.
    async fn select(&self) -> Option<Next> {
        let (lsn, alarm_ms) = {
            let mut core = self.core.lock();
            if core.is_over {
                return None;
            }
            if !core.queue.is_empty() {
                return Some(Next::Work);
            }
            core.alarm_ms = core.raft.deadline_ms();
            (core.undurable.front().map(|(lsn, _)| *lsn), core.alarm_ms)
        };
        let alarm = self.env.sleep_until(at(alarm_ms));
        tokio::select! {
            biased;
            () = self.work.notified() => Some(Next::Work),
            durable = self.data_dir.wait_durable(lsn.unwrap_or_default()), if lsn.is_some() => {
                Some(durable.map_or_else(Next::Failed, |()| Next::Durable))
            }
            () = alarm => Some(Next::Time),
        }
    }
}

/// The machine counts in whole milliseconds, of which the clock has many parts.
fn at(ms: i64) -> MonoTime {
    const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);
    let ms = u64::try_from(ms).unwrap_or(0);
    MonoTime::default() + Duration::from_millis(ms).min(NEVER)
}
