//! ListOffsets (key 2): v0-11. Offsets by timestamp, or by one of the negative timestamps that stand
//! for a place: latest, earliest, the record with the largest timestamp and so on.
//!
//! - A consumer sees nothing at or above the high watermark; a read-committed one (v2+) nothing at
//!   or above the last stable offset.
//! - v0 answers with a list; Kafka 4 closes the connection, older clients still ask.
//! - A partition named twice is INVALID_REQUEST, a place that the version lacks UNSUPPORTED_VERSION.
//! - There is no tiered storage: the earliest local offset is the log start, nothing is tiered.

use std::collections::HashSet;
use std::sync::Arc;

use ottla_env::Env;
use ottla_plant::{Plant, planted};
use ottla_protocol::messages::list_offsets_request::ListOffsetsPartition;
use ottla_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use super::led::{kept, led};
use crate::log::TimestampedOffset;
use crate::partition::registry::Partition;
use crate::rooms::Rooms;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;
/// First version that has an error for offsets that are not known yet.
const OFFSET_NOT_AVAILABLE: i16 = 5;
/// No offset, timestamp or epoch.
const NONE: i64 = -1;
/// Replica ids of those who are none.
const CONSUMER: i32 = -1;
const DEBUGGER: i32 = -2;
/// Where nothing was found.
const NOWHERE: TimestampedOffset =
    TimestampedOffset { offset: NONE, timestamp: NONE, leader_epoch: -1 };

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let reads_committed = request.isolation_level == 1;
    let is_consumer = request.replica_id == CONSUMER;
    let wants_leader = request.replica_id != DEBUGGER;
    let doubled = doubled(&request);
    let mut response = ListOffsetsResponse::default();
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        let mut answers = HashSet::new();
        for asked in &topic.partitions {
            if !answers.insert(asked.partition_index) {
                continue;
            }
            let outcome = if doubled.contains(&(&topic.name, asked.partition_index)) {
                Err(ErrorCode::InvalidRequest)
            } else if is_unsupported(asked.timestamp, context.version) {
                Err(ErrorCode::UnsupportedVersion)
            } else {
                let reader = Reader { is_consumer, wants_leader, reads_committed };
                find(rooms, &topic.name, asked, &reader, context.version).await
            };
            partitions.push(answered(asked.partition_index, outcome, context.version));
        }
        let name = topic.name.clone();
        let topic = ListOffsetsTopicResponse { name, partitions, ..Default::default() };
        response.topics.push(topic);
    }
    response
}

/// The partitions that are asked for more than once; none of them is answered.
fn doubled(request: &ListOffsetsRequest) -> HashSet<(&Str, i32)> {
    let mut seen = HashSet::new();
    let asked = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| (&topic.name, partition.partition_index))
    });
    asked.filter(|asked| !seen.insert(*asked)).collect()
}

/// Who asks. Only a consumer is held to the high watermark; a replica or a debugger is not.
struct Reader {
    is_consumer: bool,
    /// Not who looks into the replicas themselves.
    wants_leader: bool,
    reads_committed: bool,
}

fn is_unsupported(timestamp: i64, version: i16) -> bool {
    let since = match timestamp {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        // No version knows what that should be.
        ..EARLIEST_PENDING_UPLOAD => i16::MAX,
        _ => 0,
    };
    version < since
}

async fn find<E: Env>(
    rooms: &Arc<Rooms<E>>,
    topic: &Str,
    asked: &ListOffsetsPartition,
    reader: &Reader,
    version: i16,
) -> Result<TimestampedOffset, ErrorCode> {
    let (index, epoch) = (asked.partition_index, asked.current_leader_epoch);
    let partition = match reader.wants_leader {
        true => led(rooms, topic, index, epoch)?,
        false => kept(rooms, topic, index, epoch)?,
    };
    if reader.is_consumer
        && asks_for_the_end(asked.timestamp)
        && !partition.knows_what_is_committed()
        && !planted(Plant::LatestTooEarly)
    {
        // What this node knows to be committed may lie below what readers were told before.
        return Err(match version {
            OFFSET_NOT_AVAILABLE.. => ErrorCode::OffsetNotAvailable,
            _ => ErrorCode::LeaderNotAvailable,
        });
    }
    let offsets = partition.log.offsets();
    let upper = match reader {
        _ if planted(Plant::LatestIsLogEnd) => offsets.log_end,
        Reader { is_consumer: true, reads_committed: true, .. } => offsets.last_stable,
        Reader { is_consumer: true, .. } => offsets.high_watermark,
        _ => offsets.log_end,
    };
    let leader_epoch = partition.leader_epoch();
    match asked.timestamp {
        LATEST => Ok(TimestampedOffset { offset: upper, timestamp: NONE, leader_epoch }),
        EARLIEST | EARLIEST_LOCAL => {
            let (offset, timestamp) = (offsets.log_start, NONE);
            // Of a log without records it is the epoch that the next one will be written in.
            let leader_epoch = epoch_of(&partition, offset).unwrap_or(leader_epoch);
            Ok(TimestampedOffset { offset, timestamp, leader_epoch })
        }
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Ok(NOWHERE),
        timestamp => look_up(rooms, partition, timestamp, upper).await,
    }
}

/// Whether the answer is bounded by what is committed.
fn asks_for_the_end(timestamp: i64) -> bool {
    timestamp == LATEST || timestamp == MAX_TIMESTAMP || timestamp >= 0
}

/// Looks into the records, which may lie on the disk.
async fn look_up<E: Env>(
    rooms: &Arc<Rooms<E>>,
    partition: Arc<Partition<E>>,
    timestamp: i64,
    upper: i64,
) -> Result<TimestampedOffset, ErrorCode> {
    let found = rooms.env.run_blocking(move || match timestamp {
        MAX_TIMESTAMP => partition.log.max_timestamp_offset(upper),
        timestamp => partition.log.offset_for_timestamp(timestamp, upper),
    });
    let found = found.await.map_err(|_stopped| ErrorCode::KafkaStorageError)?;
    found.map(|found| found.unwrap_or(NOWHERE)).map_err(|error| error.kafka_code())
}

/// The leader epoch that an offset was written in: the lowest whose end lies beyond it.
fn epoch_of<E: Env>(partition: &Partition<E>, offset: i64) -> Option<i32> {
    let (mut low, mut high) = (0, partition.leader_epoch());
    while low < high {
        let middle = low + (high - low) / 2;
        match partition.log.end_offset_for_epoch(middle) {
            (_, end) if end > offset => high = middle,
            _ => low = middle + 1,
        }
    }
    let (found, end) = partition.log.end_offset_for_epoch(high);
    (found >= 0 && end > offset).then_some(found)
}

fn answered(
    partition_index: i32,
    outcome: Result<TimestampedOffset, ErrorCode>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let (found, error) = match outcome {
        Ok(found) => (found, None),
        Err(error) => (NOWHERE, Some(error)),
    };
    let mut answered = ListOffsetsPartitionResponse {
        partition_index,
        error_code: error.map_or(0, ErrorCode::code),
        ..ListOffsetsPartitionResponse::default()
    };
    match version {
        0 if found.offset == NONE => {}
        0 => answered.old_style_offsets.push(found.offset),
        _ => (answered.timestamp, answered.offset) = (found.timestamp, found.offset),
    }
    if version >= 4 {
        answered.leader_epoch = found.leader_epoch;
    }
    answered
}
