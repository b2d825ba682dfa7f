//! OffsetForLeaderEpoch (key 23): v2-4. Where a leader epoch ends in this log, so that a consumer
//! (KIP-320) learns whether what it read is still there. -1 and -1 where the epoch is not known.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use ottla_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use ottla_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use super::led::led;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let answer = |asked| answer(rooms, &topic.topic, asked);
        OffsetForLeaderTopicResult {
            topic: topic.topic.clone(),
            partitions: topic.partitions.iter().map(answer).collect(),
            ..OffsetForLeaderTopicResult::default()
        }
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() }
}

fn answer<E: Env>(
    rooms: &Rooms<E>,
    topic: &Str,
    asked: &OffsetForLeaderPartition,
) -> EpochEndOffset {
    let found = find(rooms, topic, asked);
    let (leader_epoch, end_offset) = *found.as_ref().unwrap_or(&(-1, -1));
    EpochEndOffset {
        error_code: found.err().map_or(0, ErrorCode::code),
        partition: asked.partition,
        leader_epoch,
        end_offset,
        ..EpochEndOffset::default()
    }
}

fn find<E: Env>(
    rooms: &Rooms<E>,
    topic: &Str,
    asked: &OffsetForLeaderPartition,
) -> Result<(i32, i64), ErrorCode> {
    let partition = led(rooms, topic, asked.partition, asked.current_leader_epoch)?;
    Ok(partition.log.end_offset_for_epoch(asked.leader_epoch))
}
