//! DeleteRecords (key 21): v0-2. Moves the log start; -1 means to the high watermark. Answered once
//! that is durable, and every live replica has moved its own, with the least log start of all. Unlike
//! Kafka it waits for one that is down, too, as long as that may lead as it is: in sync, or eligible (KIP-966).
//!
//! Not for internal topics (INVALID_TOPIC_EXCEPTION), nor for topics that are only compacted
//! (POLICY_VIOLATION), as in Kafka.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::{Env, MonoTime};
use ottla_protocol::messages::delete_records_request::DeleteRecordsPartition;
use ottla_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use ottla_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use super::led::{ANY_EPOCH, led};
use crate::log::Mark;
use crate::partition::registry::{Partition, is_internal};
use crate::rooms::Rooms;

/// Stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;
const NO_OFFSET: i64 = -1;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut response = DeleteRecordsResponse::default();
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let deadline = rooms.env.now() + timeout;
    let (mut mark, mut replicated) = (Mark::default(), Vec::new());
    for topic in request.topics {
        let mut result = DeleteRecordsTopicResult { name: topic.name, ..Default::default() };
        for asked in &topic.partitions {
            let outcome = delete(rooms, &result.name, asked, &mut mark).await;
            if let Ok((log_start, partition)) = &outcome {
                let place = (response.topics.len(), result.partitions.len());
                replicated.push((place, Arc::clone(partition), *log_start));
            }
            let outcome = outcome.map(|(log_start, _)| log_start);
            result.partitions.push(answered(asked.partition_index, outcome));
        }
        response.topics.push(result);
    }
    if rooms.data_dirs.wait_durable(&mark).await.is_err() {
        for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            *partition = answered(partition.partition_index, Err(ErrorCode::KafkaStorageError));
        }
    }
    for ((topic, at), partition, log_start) in replicated {
        let outcome = low_watermark(rooms, &partition, log_start, deadline).await;
        let answer = &mut response.topics[topic].partitions[at];
        if answer.error_code == 0 {
            *answer = answered(answer.partition_index, outcome);
        }
    }
    response
}

/// Waits until every replica that lives or may lead begins at `log_start` or beyond; answers the least of
/// them.
async fn low_watermark<E: Env>(
    rooms: &Rooms<E>,
    partition: &Partition<E>,
    log_start: i64,
    deadline: MonoTime,
) -> Result<i64, ErrorCode> {
    let mut timer = rooms.env.sleep_until(deadline);
    loop {
        let moved = partition.follower_moved();
        tokio::pin!(moved);
        // What moves from here on is not missed.
        moved.as_mut().enable();
        let image = rooms.metadata.image();
        let known = image.topics.partition(partition.topic_id(), partition.index());
        let is_alive = |id: i32| image.brokers.get(id).is_some_and(|broker| !broker.fenced);
        // It would lead without having fetched once more, and show again what is deleted here.
        let may_lead = |id: i32| known.is_some_and(|known| known.may_lead(id));
        let least = partition.low_watermark(|id| is_alive(id) || may_lead(id))?;
        if least >= log_start {
            return Ok(least);
        }
        tokio::select! {
            biased;
            () = &mut moved => {}
            () = &mut timer => return Err(ErrorCode::RequestTimedOut),
        }
    }
}

/// The new log start here.
type Deleted<E> = (i64, Arc<Partition<E>>);

async fn delete<E: Env>(
    rooms: &Arc<Rooms<E>>,
    topic: &Str,
    asked: &DeleteRecordsPartition,
    mark: &mut Mark,
) -> Result<Deleted<E>, ErrorCode> {
    if is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let partition = led(rooms, topic, asked.partition_index, ANY_EPOCH)?;
    if !partition.log.config().cleanup_policy.delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let offset = match asked.offset {
        HIGH_WATERMARK => partition.log.offsets().high_watermark,
        offset => offset,
    };
    let log = Arc::clone(&partition.log);
    let deleted = rooms.env.run_blocking(move || log.delete_records_before(offset)).await;
    let deleted = deleted.map_err(|_stopped| ErrorCode::KafkaStorageError)?;
    let deleted = deleted.map_err(|error| error.kafka_code())?;
    mark.raise(partition.log.place(), deleted.lsn);
    partition.watchers().wake_all();
    Ok((deleted.log_start, partition))
}

fn answered(partition_index: i32, outcome: Result<i64, ErrorCode>) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult {
        partition_index,
        low_watermark: *outcome.as_ref().unwrap_or(&NO_OFFSET),
        error_code: outcome.err().map_or(0, ErrorCode::code),
        ..DeleteRecordsPartitionResult::default()
    }
}
