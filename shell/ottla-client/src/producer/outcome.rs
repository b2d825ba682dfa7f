//! What an answer means for each batch of a request: delivered, failed, or again.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ProduceResponse;
use ottla_protocol::messages::produce_response::PartitionProduceResponse;

use super::Shared;
use super::accumulator::Batch;
use super::leaders::look_for_leaders;
use crate::error::{Error, Result};
use crate::topic_partition::TopicPartition;

/// Tells every batch its fate.
pub(super) fn apply<E: Env>(
    shared: &Arc<Shared<E>>,
    batches: Vec<(TopicPartition, Batch)>,
    answer: Result<Option<ProduceResponse>>,
) {
    let mut answers = match answer {
        Ok(Some(response)) => by_partition(response),
        Ok(None) => {
            for (partition, batch) in batches {
                delivered(shared, &partition, batch, -1, -1);
            }
            return;
        }
        Err(error) => {
            for (partition, batch) in batches {
                troubled(shared, &partition, batch, error.clone());
            }
            return;
        }
    };
    for (partition, batch) in batches {
        match answers.remove(&partition) {
            Some(answer) => answered(shared, &partition, batch, &answer),
            None => {
                let reason = format!("no answer about {partition}");
                let error = Error::Disconnected { address: "the leader".to_owned(), reason };
                troubled(shared, &partition, batch, error);
            }
        }
    }
}

fn by_partition(response: ProduceResponse) -> BTreeMap<TopicPartition, PartitionProduceResponse> {
    let mut found = BTreeMap::new();
    for topic in response.responses {
        for answer in topic.partition_responses {
            let key = TopicPartition { topic: topic.name.clone(), partition: answer.index };
            found.insert(key, answer);
        }
    }
    found
}

fn answered<E: Env>(
    shared: &Arc<Shared<E>>,
    partition: &TopicPartition,
    batch: Batch,
    answer: &PartitionProduceResponse,
) {
    let code = ErrorCode::from_code_or_unknown(answer.error_code);
    match code {
        ErrorCode::None => {
            delivered(shared, partition, batch, answer.base_offset, answer.log_append_time_ms);
        }
        // It is in the log; where, the broker no longer knows.
        ErrorCode::DuplicateSequenceNumber => delivered(shared, partition, batch, -1, -1),
        _ => {
            let told = answer.record_errors.first();
            let told = told.and_then(|error| error.batch_index_error_message.as_deref());
            let message = told.or(answer.error_message.as_deref());
            let doing = format!("send to {partition}");
            let error = Error::answer(answer.error_code, doing, message);
            let is_out_of_order = code == ErrorCode::OutOfOrderSequenceNumber;
            if is_out_of_order && shared.state.lock().is_of_former_id(&batch) {
                shared.state.lock().anew(partition, batch);
                shared.wake.notify_one();
                return;
            }
            // Out of order only because one before it is still to come again.
            let overtaken =
                is_out_of_order && shared.state.lock().is_behind_another(partition, &batch);
            if overtaken || error.is_retriable() {
                troubled(shared, partition, batch, error);
            } else {
                shared.state.lock().end(partition, &batch, false);
                batch.failed(&error);
            }
        }
    }
}

fn delivered<E: Env>(
    shared: &Shared<E>,
    partition: &TopicPartition,
    batch: Batch,
    base_offset: i64,
    append_time: i64,
) {
    shared.state.lock().end(partition, &batch, true);
    batch.delivered(partition, base_offset, append_time, shared.client.env().now());
}

/// Sends again while there is time; the leader may have moved, so metadata is asked for anew.
fn troubled<E: Env>(
    shared: &Arc<Shared<E>>,
    partition: &TopicPartition,
    mut batch: Batch,
    error: Error,
) {
    let now = shared.client.env().now();
    let hopeless =
        !error.is_retriable() && error.code() != Some(ErrorCode::OutOfOrderSequenceNumber);
    if hopeless || batch.is_late(now, shared.options.delivery_timeout) {
        shared.state.lock().end(partition, &batch, false);
        batch.failed(&error);
        return;
    }
    batch.trouble = Some(error);
    let not_before = now + shared.client.options().retry_backoff;
    shared.state.lock().again(partition, batch, not_before);
    shared.client.forget(&partition.topic);
    look_for_leaders(shared, vec![partition.topic.clone()]);
    shared.wake.notify_one();
}
