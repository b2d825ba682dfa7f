//! DeleteRecords (key 21): v0-2. Moves the log start; -1 means to the high watermark. Answered once
//! that is durable.
//!
//! Not for internal topics (INVALID_TOPIC_EXCEPTION), nor for topics that are only compacted
//! (POLICY_VIOLATION), as in Kafka.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::delete_records_request::DeleteRecordsPartition;
use ottla_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use ottla_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use super::led::{ANY_EPOCH, led};
use crate::partition::registry::is_internal;
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
    let mut lsn = 0;
    for topic in request.topics {
        let mut result = DeleteRecordsTopicResult { name: topic.name, ..Default::default() };
        for asked in &topic.partitions {
            let outcome = delete(rooms, &result.name, asked, &mut lsn).await;
            result.partitions.push(answered(asked.partition_index, outcome));
        }
        response.topics.push(result);
    }
    if rooms.data_dir.wait_durable(lsn).await.is_err() {
        for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            *partition = answered(partition.partition_index, Err(ErrorCode::KafkaStorageError));
        }
    }
    response
}

async fn delete<E: Env>(
    rooms: &Arc<Rooms<E>>,
    topic: &Str,
    asked: &DeleteRecordsPartition,
    lsn: &mut u64,
) -> Result<i64, ErrorCode> {
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
    *lsn = deleted.lsn.max(*lsn);
    partition.watchers.wake_all();
    Ok(deleted.log_start)
}

fn answered(partition_index: i32, outcome: Result<i64, ErrorCode>) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult {
        partition_index,
        low_watermark: *outcome.as_ref().unwrap_or(&NO_OFFSET),
        error_code: outcome.err().map_or(0, ErrorCode::code),
        ..DeleteRecordsPartitionResult::default()
    }
}
