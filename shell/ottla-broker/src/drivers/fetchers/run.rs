//! The loop of one fetcher: what is due, ask for it, take in the answer.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use tokio::sync::watch;

use super::Fetchers;
use super::line::Line;
use super::members::{Members, Plan};

/// How long to wait at most before looking what is due, whatever has been told.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Runs until it is aborted.
pub(super) async fn run<E: Env>(fetchers: Arc<Fetchers<E>>, leader: i32, members: Arc<Members<E>>) {
    let mut line = Line::closed();
    let mut is_failing = false;
    let mut changes = members.watch();
    loop {
        // What comes from here on is looked at in the next round.
        changes.mark_unchanged();
        let now_ms = fetchers.office.now_ms();
        let plan = members.plan(now_ms, |partition| fetchers.throttled_for(partition));
        if plan.due.is_empty() {
            pause(&fetchers, &mut changes, &plan, now_ms).await;
            continue;
        }
        let outcome = tokio::select! {
            biased;
            outcome = line.fetch(&fetchers, leader, &plan) => Some(outcome),
            // A fetch may wait for long, and the leader takes the next one only after it. What
            // came is not to wait with it.
            _ = changes.changed() => None,
        };
        match outcome {
            None => line.close(),
            Some(Ok((response, version))) => {
                is_failing = false;
                super::absorb::absorb(&fetchers, leader, &mut line, &plan, response, version).await;
            }
            Some(Err(error)) => {
                if !is_failing {
                    tracing::warn!(leader, %error, "cannot fetch from a leader; trying again");
                }
                is_failing = true;
                line.close();
                let now_ms = fetchers.office.now_ms();
                for due in plan.due.values() {
                    due.partition.unreachable(due.point.leader_epoch, now_ms);
                }
            }
        }
    }
}

async fn pause<E: Env>(
    fetchers: &Fetchers<E>,
    changes: &mut watch::Receiver<u64>,
    plan: &Plan<E>,
    now_ms: i64,
) {
    let next = plan.next_ms.map(|next| u64::try_from(next - now_ms).unwrap_or(0).max(1));
    let limit = next.map_or(LOOK_MAX, Duration::from_millis).min(LOOK_MAX);
    // Told or not, it is looked at.
    let _told = fetchers.env.timeout(limit, changes.changed()).await;
}
