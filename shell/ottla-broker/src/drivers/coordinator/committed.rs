//! What a shard asks of its partition: whether this node leads it, and whether what was appended is
//! committed. There is no other way for an answer to go out: what coordinators answered at the local
//! append was lost with the leader.

use std::time::Duration;

use ottla_env::Env;
use ottla_protocol::ErrorCode;

use crate::partition::registry::Partition;

/// The epoch in which this node leads a partition; nothing where another node leads it.
pub(super) fn led_in<E: Env>(partition: &Partition<E>) -> Option<i32> {
    let epoch = partition.leader_epoch();
    partition.check_leader().ok().map(|()| epoch)
}

/// What an answer rests on: the end of the last append of its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Appends {
    /// The shard's epoch: the partition's, when this node became its leader.
    pub(super) epoch: i32,
    /// Of the last record; below 0 for an empty log.
    pub(super) offset: i64,
}

/// Waits until enough replicas have everything up to there, and says what to answer if they do not:
/// another coordinator has to say, or this one later.
pub(super) async fn committed<E: Env>(
    env: &E,
    partition: &Partition<E>,
    appends: Appends,
    limit: Duration,
) -> Result<(), ErrorCode> {
    if appends.offset < 0 {
        return Ok(());
    }
    match env.timeout(limit, partition.committed(appends.epoch, appends.offset)).await {
        Ok(Ok(())) => Ok(()),
        // The leadership ended, or the log failed: what it holds may be gone.
        Ok(Err(_)) => Err(ErrorCode::NotCoordinator),
        // The records are in the log and may come to be committed: the client asks again.
        Err(_) => Err(ErrorCode::CoordinatorNotAvailable),
    }
}
