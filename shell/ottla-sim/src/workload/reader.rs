//! Fetching: one request's worth of records, and a whole partition at the end.

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::records::{batches, records, verify_crc};

use super::{FETCH_NEWEST, TOPIC};
use crate::history::{PartitionEnd, Written};
use crate::wire::{Connection, WireError};

/// Bytes asked for at once: little, so that reads begin and end inside segments.
const FETCH_BYTES: i32 = 64 * 1024;
/// What a batch unpacks to at most.
const UNPACKED_MAX: usize = 16 << 20;

/// Asks for records from `offset` on.
///
/// # Errors
/// If there is no answer.
pub async fn fetch<E: Env>(
    connection: &mut Connection<E>,
    partition: i32,
    offset: i64,
    max_wait_ms: i32,
) -> Result<PartitionData, WireError> {
    let wanted = FetchPartition {
        partition,
        current_leader_epoch: -1,
        fetch_offset: offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: FETCH_BYTES,
        ..FetchPartition::default()
    };
    let topic =
        FetchTopic { topic: TOPIC.into(), partitions: vec![wanted], ..FetchTopic::default() };
    let request = FetchRequest {
        replica_id: -1,
        max_wait_ms,
        min_bytes: 1,
        max_bytes: FETCH_BYTES,
        session_id: 0,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let mut response = connection.call(&request, FETCH_NEWEST).await?;
    let topic = response.responses.pop();
    let answer = topic.and_then(|mut topic| topic.partitions.pop());
    answer.ok_or_else(|| WireError::Nonsense("a fetch response without the partition".to_owned()))
}

/// The records of a fetch, from `offset` on.
///
/// # Errors
/// Says what is wrong with a batch.
pub fn unpack(bytes: &Bytes, offset: i64) -> Result<Vec<(i64, Written)>, String> {
    let mut found = Vec::new();
    for batch in batches(bytes) {
        let (header, batch) = match batch {
            Ok(batch) => batch,
            // The last one may be cut, as Kafka's clients know.
            Err(error) if !found.is_empty() => {
                let _ = error;
                break;
            }
            Err(error) => return Err(error.to_string()),
        };
        verify_crc(&batch).map_err(|error| error.to_string())?;
        let read = records(&header, &batch, UNPACKED_MAX).map_err(|error| error.to_string())?;
        for record in read {
            let record = record.map_err(|error| error.to_string())?;
            let value = record.value.unwrap_or_default();
            let written = Written::parse(&value)
                .ok_or_else(|| format!("offset {} holds no record of ours", record.offset))?;
            if record.offset >= offset {
                found.push((record.offset, written));
            }
        }
    }
    Ok(found)
}

/// Reads a partition from its start to its end.
///
/// # Errors
/// Says why it cannot be read.
pub async fn read_all<E: Env>(
    connection: &mut Connection<E>,
    partition: i32,
) -> Result<PartitionEnd, String> {
    let mut end = PartitionEnd::default();
    let mut offset = 0;
    loop {
        let answer = fetch(connection, partition, offset, 0).await.map_err(|e| e.to_string())?;
        if answer.error_code != 0 {
            return Err(format!("fetch at {offset} answered error {}", answer.error_code));
        }
        end.log_start = answer.log_start_offset;
        end.high_watermark = answer.high_watermark;
        let found = unpack(&answer.records.unwrap_or_default(), offset)?;
        let Some((last, _)) = found.last() else { return Ok(end) };
        offset = last + 1;
        end.records.extend(found);
    }
}
