//! The task that sends: asks what is due, sends it by leader, wakes for what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::Str;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use tokio::sync::oneshot;

use super::accumulator::{Batch, Due};
use super::leaders::look_for_leaders;
use super::{Acks, Shared, outcome};
use crate::client::Target;
use crate::error::{Error, Result};
use crate::topic_partition::TopicPartition;

/// Runs until the producer is closed and everything has met its fate.
pub(super) async fn run<E: Env>(shared: Arc<Shared<E>>) {
    loop {
        if !ensure_producer_id(&shared).await {
            return;
        }
        let due = take_due(&shared);
        expire(&shared, due.expired);
        for (leader, batches) in due.by_leader {
            dispatch(&shared, leader, batches);
        }
        if !due.leaderless.is_empty() {
            look_for_leaders(&shared, due.leaderless);
        }
        {
            let state = shared.state.lock();
            if state.closed && state.unfinished == 0 {
                break;
            }
        }
        match due.next {
            None => shared.wake.notified().await,
            Some(at) => tokio::select! {
                biased;
                () = shared.wake.notified() => {}
                () = shared.client.env().sleep_until(at) => {}
            },
        }
    }
    shared.client.close_lane(shared.lane);
}

fn take_due<E: Env>(shared: &Shared<E>) -> Due {
    let cluster = shared.client.cluster();
    let leader = |partition: &TopicPartition| {
        let topic_id = cluster.topic(&partition.topic)?.id;
        let (leader, _epoch) = cluster.leader(&partition.topic, partition.partition)?;
        Some((leader, topic_id))
    };
    shared.state.lock().due(shared.client.env().now(), leader)
}

fn expire<E: Env>(shared: &Shared<E>, expired: Vec<(TopicPartition, Batch)>) {
    let any = !expired.is_empty();
    for (partition, batch) in expired {
        let error = match &batch.trouble {
            Some(trouble) => trouble.clone(),
            None => Error::Timeout {
                doing: format!("send to {partition}"),
                after: shared.options.delivery_timeout,
            },
        };
        batch.failed(&error);
    }
    if any {
        shared.ended.notify_waiters();
    }
}

/// One request per leader, each awaited in a task of its own; larger ones are split.
fn dispatch<E: Env>(shared: &Arc<Shared<E>>, leader: i32, batches: Vec<(TopicPartition, Batch)>) {
    let mut request = Vec::new();
    let mut size = 0;
    for (partition, batch) in batches {
        let more = batch.bytes().len();
        if size + more > shared.options.request_bytes_max && !request.is_empty() {
            spawn_request(shared, leader, std::mem::take(&mut request));
            size = 0;
        }
        size += more;
        request.push((partition, batch));
    }
    spawn_request(shared, leader, request);
}

fn spawn_request<E: Env>(
    shared: &Arc<Shared<E>>,
    leader: i32,
    batches: Vec<(TopicPartition, Batch)>,
) {
    let sending = shared.clone();
    // Tasks run in any order; a batch that overtakes an earlier one of its partition is refused.
    let (turn, next) = oneshot::channel();
    let previous = shared.turns.lock().insert(leader, next);
    let task = async move {
        let request = produce_request(&sending, &batches);
        if let Some(previous) = previous {
            // It is never sent, only dropped.
            let _ = previous.await;
        }
        let answer = send(&sending, leader, &request, turn).await;
        outcome::apply(&sending, batches, answer);
        sending.ended.notify_waiters();
        sending.wake.notify_one();
    };
    drop(shared.client.env().spawn("produce", task));
}

/// `None` where no answer is asked for.
async fn send<E: Env>(
    shared: &Shared<E>,
    leader: i32,
    request: &ProduceRequest,
    turn: oneshot::Sender<()>,
) -> Result<Option<ottla_protocol::messages::ProduceResponse>> {
    let connection = shared.client.connection(Target::Broker(leader), shared.lane).await?;
    if shared.options.acks == Acks::None {
        return connection.send_only(request).await.map(|()| None);
    }
    let patience = shared.client.options().request_timeout;
    connection.call_in_turn(request, patience, Some(turn)).await.map(Some)
}

fn produce_request<E: Env>(
    shared: &Shared<E>,
    batches: &[(TopicPartition, Batch)],
) -> ProduceRequest {
    let mut topics: BTreeMap<Str, Vec<PartitionProduceData>> = BTreeMap::new();
    for (partition, batch) in batches {
        topics.entry(partition.topic.clone()).or_default().push(PartitionProduceData {
            index: partition.partition,
            records: Some(batch.bytes()),
            ..PartitionProduceData::default()
        });
    }
    let timeout = shared.client.options().request_timeout;
    ProduceRequest {
        acks: match shared.options.acks {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        },
        timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
        topic_data: topics
            .into_iter()
            .map(|(name, partition_data)| TopicProduceData {
                name,
                partition_data,
                ..TopicProduceData::default()
            })
            .collect(),
        ..ProduceRequest::default()
    }
}

/// Gets an id when one is needed: at the first record, and anew after a gap in the sequences, once
/// nothing is on its way. Says whether to go on.
async fn ensure_producer_id<E: Env>(shared: &Arc<Shared<E>>) -> bool {
    let wanted = {
        let state = shared.state.lock();
        let missing = shared.options.idempotent && state.producer.is_none();
        let anew = state.renew && state.in_flight == 0;
        if state.closed && state.unfinished == 0 {
            return false;
        }
        (missing && state.unfinished > 0) || anew
    };
    if wanted {
        // Not awaited for ever: batches expire meanwhile only when this returns.
        if let Ok(producer) = init_producer_id(shared).await {
            shared.state.lock().renewed(producer);
        }
    }
    true
}

async fn init_producer_id<E: Env>(shared: &Shared<E>) -> Result<(i64, i16)> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    let answer = shared.client.call(Target::Any, shared.lane, &request, std::time::Duration::ZERO);
    let answer = answer.await?;
    Error::check(answer.error_code, || "get a producer id".to_owned(), None)?;
    Ok((answer.producer_id, answer.producer_epoch))
}
