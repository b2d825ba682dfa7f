//! DescribeLogDirs (key 35): v1-5. The one data directory, what the partitions in it take, and what
//! the file system has left (v4+).

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use ottla_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ottla_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use crate::partition::registry::{Partition, Topic};
use crate::rooms::Rooms;

/// The file system does not say.
const UNKNOWN_BYTES: i64 = -1;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let data_dir = rooms.data_dir.clone();
    let space = rooms.env.run_blocking(move || data_dir.space()).await;
    let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let (usable_bytes, total_bytes) = match space {
        Ok(Ok((free, total))) => (bytes(free), bytes(total)),
        _ => (UNKNOWN_BYTES, UNKNOWN_BYTES),
    };
    let offline = rooms.data_dir.failed().map(|_| ErrorCode::KafkaStorageError);
    let topics = match (offline, &request.topics) {
        (Some(_), _) => Vec::new(),
        (None, Some(wanted)) => wanted.iter().filter_map(|topic| wanted_of(rooms, topic)).collect(),
        (None, None) => rooms.partitions.topics().iter().map(|topic| all_of(topic)).collect(),
    };
    let result = DescribeLogDirsResult {
        error_code: offline.map_or(0, ErrorCode::code),
        log_dir: Str::from(rooms.data_dir.path().display().to_string()),
        topics,
        total_bytes,
        usable_bytes,
        ..DescribeLogDirsResult::default()
    };
    DescribeLogDirsResponse { results: vec![result], ..Default::default() }
}

fn all_of<E: Env>(topic: &Topic<E>) -> DescribeLogDirsTopic {
    let partitions = topic.partitions().map(|partition| described(partition)).collect();
    DescribeLogDirsTopic { name: topic.name.clone(), partitions, ..Default::default() }
}

/// What is here of what was asked for.
fn wanted_of<E: Env>(
    rooms: &Rooms<E>,
    wanted: &DescribableLogDirTopic,
) -> Option<DescribeLogDirsTopic> {
    let topic = rooms.partitions.topic(&wanted.topic)?;
    let found = wanted.partitions.iter().filter_map(|index| topic.partition(*index));
    let partitions = found.map(|partition| described(partition)).collect();
    Some(DescribeLogDirsTopic { name: topic.name.clone(), partitions, ..Default::default() })
}

fn described<E: Env>(partition: &Partition<E>) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition {
        partition_index: partition.index,
        partition_size: i64::try_from(partition.log.size_in_bytes()).unwrap_or(i64::MAX),
        ..DescribeLogDirsPartition::default()
    }
}
