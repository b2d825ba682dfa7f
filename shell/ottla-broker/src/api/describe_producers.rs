//! DescribeProducers (key 61): v0. What a partition remembers of the idempotent and transactional
//! producers that write to it (KIP-664).

use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::topic_name;
use ottla_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use ottla_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use crate::log;
use crate::rooms::Rooms;

/// No transaction is open, no sequence is known.
const NONE: i64 = -1;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.iter().map(|topic| {
        let describe = |index: &i32| describe(rooms, &topic.name, *index);
        TopicResponse {
            name: topic.name.clone(),
            partitions: topic.partition_indexes.iter().map(describe).collect(),
            ..TopicResponse::default()
        }
    });
    DescribeProducersResponse { topics: topics.collect(), ..Default::default() }
}

fn describe<E: Env>(rooms: &Rooms<E>, topic: &Str, partition_index: i32) -> PartitionResponse {
    let mut response =
        PartitionResponse { partition_index, error_message: None, ..Default::default() };
    match rooms.partitions.partition(topic, partition_index) {
        Some(partition) if !partition.is_leader() => {
            response.error_code = ErrorCode::NotLeaderOrFollower.code();
        }
        Some(partition) => {
            response.active_producers = partition.log.producers().iter().map(producer).collect();
        }
        None => {
            let code = match topic_name::validate(topic) {
                Ok(()) => ErrorCode::UnknownTopicOrPartition,
                Err(_) => ErrorCode::InvalidTopicException,
            };
            response.error_code = code.code();
            let message = format!("There is no partition {partition_index} of topic {topic} here.");
            response.error_message = Some(Str::from(message));
        }
    }
    response
}

fn producer((producer_id, state): &(i64, log::ProducerState)) -> ProducerState {
    ProducerState {
        producer_id: *producer_id,
        producer_epoch: state.epoch.into(),
        last_sequence: state.batches.back().map_or(-1, |batch| batch.last_sequence),
        last_timestamp: state.last_timestamp,
        coordinator_epoch: state.coordinator_epoch,
        current_txn_start_offset: state.transaction_start.unwrap_or(NONE),
        ..ProducerState::default()
    }
}
