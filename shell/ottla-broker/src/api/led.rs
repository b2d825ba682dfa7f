//! The partition a request is about, where only its leader answers.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::{ErrorCode, Str};

use crate::partition::registry::Partition;
use crate::rooms::Rooms;

/// The epoch of a client that knows of none.
pub(super) const ANY_EPOCH: i32 = -1;

/// A partition that this node leads, in the epoch the client believes in.
pub(super) fn led<E: Env>(
    rooms: &Rooms<E>,
    topic: &Str,
    index: i32,
    believed_epoch: i32,
) -> Result<Arc<Partition<E>>, ErrorCode> {
    let partition = kept(rooms, topic, index, believed_epoch)?;
    partition.check_leader()?;
    Ok(partition)
}

/// A partition that has a replica here, whoever leads it.
pub(super) fn kept<E: Env>(
    rooms: &Rooms<E>,
    topic: &Str,
    index: i32,
    believed_epoch: i32,
) -> Result<Arc<Partition<E>>, ErrorCode> {
    let Some(partition) = rooms.partitions.partition(topic, index) else {
        let image = rooms.metadata.image();
        let is_elsewhere =
            image.topics.get(topic).is_some_and(|t| t.partitions.contains_key(&index));
        return Err(match is_elsewhere {
            true => ErrorCode::NotLeaderOrFollower,
            false => ErrorCode::UnknownTopicOrPartition,
        });
    };
    partition.check_leader_epoch(believed_epoch)?;
    partition.check_replica()?;
    Ok(partition)
}
