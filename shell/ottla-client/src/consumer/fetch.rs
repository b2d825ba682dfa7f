//! Fetch requests and their answers: one at a time to each leader, each in a task of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_env::Env;
use ottla_protocol::Str;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use tokio::sync::mpsc;

use super::ConsumerOptions;
use crate::client::{Client, Lane, Target};
use crate::error::Result;
use crate::topic_partition::TopicPartition;

/// A fetch that came back.
pub(super) struct Answer {
    pub(super) leader: i32,
    /// What was asked for: the offset of each partition.
    pub(super) asked: BTreeMap<TopicPartition, i64>,
    pub(super) outcome: Result<FetchResponse>,
}

/// Sends a fetch; the answer comes through `answers`.
pub(super) fn spawn<E: Env>(
    client: &Client<E>,
    lane: Lane,
    options: &ConsumerOptions,
    leader: i32,
    asked: BTreeMap<TopicPartition, i64>,
    answers: mpsc::UnboundedSender<Answer>,
) {
    let request = request(options, &asked);
    let patience = options.fetch_max_wait;
    let asking = client.clone();
    let task = async move {
        let outcome = call(&asking, leader, lane, &request, patience).await;
        // Nobody listens any more: the consumer is gone.
        let _ = answers.send(Answer { leader, asked, outcome });
    };
    drop(client.env().spawn("fetch", task));
}

async fn call<E: Env>(
    client: &Client<E>,
    leader: i32,
    lane: Lane,
    request: &FetchRequest,
    patience: Duration,
) -> Result<FetchResponse> {
    client.call(Target::Broker(leader), lane, request, patience).await
}

/// Without a session: whole and independent each time.
fn request(options: &ConsumerOptions, asked: &BTreeMap<TopicPartition, i64>) -> FetchRequest {
    let mut topics: BTreeMap<Str, Vec<FetchPartition>> = BTreeMap::new();
    for (partition, offset) in asked {
        topics.entry(partition.topic.clone()).or_default().push(FetchPartition {
            partition: partition.partition,
            current_leader_epoch: -1,
            fetch_offset: *offset,
            log_start_offset: -1,
            partition_max_bytes: options.partition_max_bytes,
            ..FetchPartition::default()
        });
    }
    FetchRequest {
        replica_id: -1,
        max_wait_ms: i32::try_from(options.fetch_max_wait.as_millis()).unwrap_or(i32::MAX),
        min_bytes: options.fetch_min_bytes,
        max_bytes: options.fetch_max_bytes,
        isolation_level: options.isolation.code(),
        session_id: 0,
        session_epoch: -1,
        topics: topics
            .into_iter()
            .map(|(topic, partitions)| FetchTopic { topic, partitions, ..FetchTopic::default() })
            .collect(),
        rack_id: options.rack.clone(),
        ..FetchRequest::default()
    }
}
