//! Says so, every few seconds, where this node finds no leader of the metadata quorum.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;

use super::LifecycleDriver;

/// How long an election may take before anybody is told.
const FIRST: Duration = Duration::from_secs(3);
const EVERY: Duration = Duration::from_secs(5);

/// Runs until the node stops.
pub(super) async fn run<E: Env>(driver: Arc<LifecycleDriver<E>>) {
    let mut view = driver.raft.watch();
    let mut pause = FIRST;
    loop {
        if view.wait_for(|now| now.leader.is_none()).await.is_err() {
            return;
        }
        let found = async {
            let _ = view.wait_for(|now| now.leader.is_some()).await;
        };
        if driver.env.timeout(pause, found).await.is_ok() {
            pause = FIRST;
            continue;
        }
        pause = EVERY;
        let config = driver.config.get();
        let voters = config.quorum.voters.iter().map(ToString::to_string);
        let servers = config.quorum.bootstrap_servers.iter().map(ToString::to_string);
        let controllers = voters.chain(servers).collect::<Vec<_>>().join(", ");
        tracing::warn!(
            controllers,
            "no leader of the metadata quorum is to be reached; check that a majority of these \
             controllers runs, that these addresses lead to them from here, and that they name the \
             same voters; this node goes on trying"
        );
    }
}
