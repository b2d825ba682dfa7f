//! DescribeLogDirs (key 35): v1-5. Each data directory, what the partitions in it take, and what the
//! file system has left (v4+). A copy that is to take its replica's place is marked, with how many offsets it
//! is behind (KIP-113).

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use ottla_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ottla_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use crate::log::{self, DataDir};
use crate::partition::registry::{Partition, Topic};
use crate::rooms::Rooms;

/// The file system does not say.
const UNKNOWN_BYTES: i64 = -1;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let mut spaces = Vec::new();
    for dir in rooms.data_dirs.of_partitions() {
        spaces.push(space(rooms, dir.clone()).await);
    }
    // Of one moment: a replica that moves meanwhile is not seen in two places.
    let here = rooms.partitions.topics();
    let mut results = Vec::new();
    for (dir, (usable_bytes, total_bytes)) in rooms.data_dirs.of_partitions().zip(spaces) {
        let offline = dir.failed().map(|_| ErrorCode::KafkaStorageError);
        let topics = match offline {
            Some(_) => Vec::new(),
            None => topics(&here, dir, request.topics.as_deref()),
        };
        results.push(DescribeLogDirsResult {
            error_code: offline.map_or(0, ErrorCode::code),
            log_dir: Str::from(dir.path().display().to_string()),
            topics,
            total_bytes,
            usable_bytes,
            ..DescribeLogDirsResult::default()
        });
    }
    DescribeLogDirsResponse { results, ..Default::default() }
}

/// Free and total bytes of a directory's file system.
async fn space<E: Env>(rooms: &Rooms<E>, dir: DataDir<E>) -> (i64, i64) {
    let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    match rooms.env.run_blocking(move || dir.space()).await {
        Ok(Ok((free, total))) => (bytes(free), bytes(total)),
        _ => (UNKNOWN_BYTES, UNKNOWN_BYTES),
    }
}

/// What a directory has of what is asked for; all of it where nothing is named.
fn topics<E: Env>(
    here: &[Arc<Topic<E>>],
    dir: &DataDir<E>,
    wanted: Option<&[DescribableLogDirTopic]>,
) -> Vec<DescribeLogDirsTopic> {
    let in_dir = |partition: &Arc<Partition<E>>| match dir.directory_id() {
        directory if partition.log.directory_id() == directory => Some(described(partition)),
        _ => {
            let copy = dir.copy(partition.topic_id(), partition.index());
            copy.map(|copy| copied(&copy, partition))
        }
    };
    let described = |topic: &Topic<E>, found: &mut dyn Iterator<Item = &Arc<Partition<E>>>| {
        let partitions = found.filter_map(in_dir).collect();
        DescribeLogDirsTopic { name: topic.name.clone(), partitions, ..Default::default() }
    };
    match wanted {
        None => {
            let all = here.iter().map(|topic| described(topic, &mut topic.partitions()));
            all.filter(|topic| !topic.partitions.is_empty()).collect()
        }
        Some(wanted) => {
            let by_name: BTreeMap<&str, _> =
                here.iter().map(|topic| (&*topic.name, topic)).collect();
            let found = wanted.iter().filter_map(|wanted| {
                let topic = by_name.get(&*wanted.topic)?;
                let mut named =
                    wanted.partitions.iter().filter_map(|index| topic.partition(*index));
                Some(described(topic, &mut named))
            });
            found.filter(|topic| !topic.partitions.is_empty()).collect()
        }
    }
}

/// A copy of a partition that is in another directory.
fn copied<E: Env>(copy: &log::Partition<E>, of: &Partition<E>) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition {
        partition_index: of.index(),
        partition_size: i64::try_from(copy.size_in_bytes()).unwrap_or(i64::MAX),
        offset_lag: of.log.offsets().log_end - copy.offsets().log_end,
        is_future_key: true,
        ..DescribeLogDirsPartition::default()
    }
}

fn described<E: Env>(partition: &Partition<E>) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition {
        partition_index: partition.index(),
        partition_size: i64::try_from(partition.log.size_in_bytes()).unwrap_or(i64::MAX),
        ..DescribeLogDirsPartition::default()
    }
}
