//! Shards follow the leadership of their partitions: read when this node becomes leader, sent away
//! when it is leader no more. It looks at what is and not at what has changed, so no change is missed.

use std::sync::Arc;

use ottla_env::Env;

use super::CoordinatorDriver;

/// Follows, until the coordinator stops. One shard is read at a time; a request for another one does
/// not wait for its turn.
pub(super) async fn follow<E: Env>(driver: Arc<CoordinatorDriver<E>>) {
    let mut images = driver.metadata.watch_image();
    let mut stopped = driver.stopped.subscribe();
    loop {
        // What changes from here on is looked at in the next round.
        images.mark_unchanged();
        driver.close_lost().await;
        if let Some(partition) = driver.next_unread() {
            // Whether it is served or not, it has been said.
            let _read_or_logged = driver.room(partition).await;
            continue;
        }
        tokio::select! {
            biased;
            _ended = stopped.wait_for(|stopped| *stopped) => return,
            changed = images.changed() => if changed.is_err() { return },
        }
    }
}
