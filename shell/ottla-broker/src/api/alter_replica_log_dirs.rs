//! AlterReplicaLogDirs (key 34): v1-2. Has replicas of this node moved to another of its directories
//! (KIP-113); the answer says that it was begun, DescribeLogDirs how far it is.
//!
//! - A replica that is not here yet is made in the directory that was named for it, and answered with
//!   REPLICA_NOT_AVAILABLE: `kafka-reassign-partitions` asks before it moves the replica to this node.
//! - Where the replica is in that directory already, a move to another is given up.
//! - A partition that is named more than once goes where it was named for last, and is answered once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use ottla_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use crate::log::LogError;
use crate::rooms::Rooms;

/// How long a move waits for what an earlier one left behind, and how often it looks.
const FORMER_PAUSE: Duration = Duration::from_millis(2);
const FORMER_LOOKS: usize = 500;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let mut wanted: BTreeMap<&Str, BTreeMap<i32, &Str>> = BTreeMap::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            for index in &topic.partitions {
                wanted.entry(&topic.name).or_default().insert(*index, &dir.path);
            }
        }
    }
    let mut results = Vec::with_capacity(wanted.len());
    for (topic, indexes) in wanted {
        let mut partitions = Vec::with_capacity(indexes.len());
        for (index, path) in indexes {
            let outcome = begin(rooms, path, topic, index).await;
            partitions.push(AlterReplicaLogDirPartitionResult {
                partition_index: index,
                error_code: outcome.err().map_or(0, ErrorCode::code),
                ..Default::default()
            });
        }
        results.push(AlterReplicaLogDirTopicResult {
            topic_name: topic.clone(),
            partitions,
            ..Default::default()
        });
    }
    rooms.moves.tell();
    AlterReplicaLogDirsResponse { results, ..Default::default() }
}

async fn begin<E: Env>(
    rooms: &Rooms<E>,
    path: &Str,
    topic: &Str,
    index: i32,
) -> Result<(), ErrorCode> {
    let dir = rooms.data_dirs.at_path(Path::new(path.as_str()));
    let dir = dir.ok_or(ErrorCode::LogDirNotFound)?;
    if dir.failed().is_some() {
        return Err(ErrorCode::KafkaStorageError);
    }
    let directory = dir.directory_id();
    let Some(partition) = rooms.partitions.partition(topic, index) else {
        let image = rooms.metadata.image();
        let known = image.topics.get(topic).is_some_and(|t| t.partitions.contains_key(&index));
        if !known {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        rooms.data_dirs.prefer(topic, index, directory);
        return Err(ErrorCode::ReplicaNotAvailable);
    };
    if partition.log.is_offline() {
        return Err(ErrorCode::KafkaStorageError);
    }
    // What the replica left there when it moved the last time goes once that move is durable.
    for _ in 0..FORMER_LOOKS {
        if !rooms.data_dirs.holds_former(&partition.log, directory) {
            break;
        }
        rooms.env.sleep(FORMER_PAUSE).await;
    }
    loop {
        let begun = if partition.log.directory_id() == directory {
            rooms.data_dirs.give_up_copies(partition.log.id())
        } else {
            rooms.data_dirs.begin_copy(&partition.log, directory).map(|_| ())
        };
        match begun {
            Err(LogError::Busy) => rooms.data_dirs.room().await,
            outcome => return outcome.map_err(|error| error.kafka_code()),
        }
    }
}
