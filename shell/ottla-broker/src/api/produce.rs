//! Produce (key 0): v0-13. Appends at once, inline; answers once what it wrote is committed.
//!
//! - acks=1: the records are on stable storage here (with `ottla.flush=none`: in the page cache).
//!   acks=-1: the same on every replica in sync, of which there must be `min.insync.replicas` (but
//!   never more than the partition has); a partition with one replica costs no more than acks=1.
//! - acks=0 is not answered; if such a request fails the connection is closed, the only way to say so.
//! - v0-2 carry message sets of magic 0 and 1, which become a batch of magic 2. v3+ carry exactly one
//!   batch of magic 2 for each partition. zstd needs v7 (KIP-110).
//! - v8+ (KIP-467) have error messages; v10+ (KIP-951) name the leader where it is another; v13
//!   (KIP-516) names topics by id.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::{Env, MonoTime};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use ottla_protocol::messages::{ProduceRequest, ProduceResponse};
use ottla_protocol::records::BatchHeader;
use ottla_protocol::{ApiKey, ErrorCode, Str, Uuid, decode_request};
use tokio::sync::Notify;

use super::answer::{Envelope, RequestError};
use super::context::RequestContext;
use crate::log::{AppendError, AppendOptions, Appended, Mark, RecordError};
use crate::partition::refused::{Place, comes_again};
use crate::partition::registry::{Partition, Topic};
use crate::rooms::Rooms;

mod moved;
mod shape;
mod unacknowledged;

use unacknowledged::Awaited;
pub(crate) use unacknowledged::Unacknowledged;

/// A time-out below this would fail what the next group commit makes durable.
const TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// The client id of Kafka's own tools, which may write to internal topics.
const ADMIN_CLIENT: &str = "__admin_client";
/// No offset, no timestamp.
const NONE: i64 = -1;
/// First version that names topics by id.
const BY_ID: i16 = 13;

/// How far an append has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Every partition has its outcome.
    Done,
    /// The log has no room at the moment: wait for some, then step again.
    Busy,
}

/// A request on its way into the log.
pub(crate) struct Append<E: Env> {
    acks: i16,
    has_transactional_id: bool,
    deadline: MonoTime,
    envelope: Envelope,
    topics: std::vec::IntoIter<TopicProduceData>,
    /// The topic under way and what is left of it.
    current: Option<(TopicProduceResponse, std::vec::IntoIter<PartitionProduceData>)>,
    /// The partition that found the log busy.
    waiting: Option<PartitionProduceData>,
    response: ProduceResponse,
    mark: Mark,
    /// What waits for other replicas.
    awaited: Vec<Awaited<E>>,
    first_error: Option<ErrorCode>,
}

/// Reads the request; nothing is appended yet.
pub(crate) fn begin<E: Env>(
    context: &RequestContext,
    body: Bytes,
    now: MonoTime,
) -> Result<Append<E>, RequestError> {
    let request: ProduceRequest = decode_request(body, context.version)?;
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let responses = Vec::with_capacity(request.topic_data.len());
    Ok(Append {
        acks: request.acks,
        has_transactional_id: request.transactional_id.is_some(),
        deadline: now + timeout.max(TIMEOUT_MIN),
        envelope: Envelope::new(ApiKey::Produce, context),
        topics: request.topic_data.into_iter(),
        current: None,
        waiting: None,
        response: ProduceResponse { responses, ..ProduceResponse::default() },
        mark: Mark::default(),
        awaited: Vec::new(),
        first_error: None,
    })
}

impl<E: Env> Append<E> {
    /// Appends until all partitions are done or the log is busy; the caller commits.
    pub(crate) fn step(&mut self, rooms: &Rooms<E>, context: &RequestContext) -> Step {
        let terms = Terms {
            has_transactional_id: self.has_transactional_id,
            wants_all: self.acks == -1,
            now_ms: rooms.env.wall_ms(),
        };
        while self.current.is_some() || self.next_topic() {
            let (response, partitions) = self.current.as_mut().expect("there is a topic");
            let topic = find(rooms, response, context.version);
            let mut one = self.waiting.take().or_else(|| partitions.next());
            while let Some(data) = one {
                let index = data.index;
                let outcome = match &topic {
                    Err(error) => Err((*error).into()),
                    _ if !matches!(self.acks, -1..=1) => Err(ErrorCode::InvalidRequiredAcks.into()),
                    Ok(topic) => append(rooms, topic, &data, context, &terms),
                };
                if matches!(&outcome, Err(Failure { error: AppendError::Busy, .. })) {
                    self.waiting = Some(data);
                    return Step::Busy;
                }
                if let Err(Failure { error, .. }) = &outcome {
                    remember(rooms, response, &data, error.kafka_code());
                }
                match &outcome {
                    Ok((appended, Some((partition, epoch)))) => self.awaited.push(Awaited {
                        partition: Arc::clone(partition),
                        epoch: *epoch,
                        offset: appended.last_offset,
                        place: (self.response.responses.len(), response.partition_responses.len()),
                    }),
                    Ok((appended, None)) => self.mark.raise(appended.place, appended.lsn),
                    Err(_) => {}
                }
                let answered = answered(index, outcome.map(|(appended, _)| appended));
                if answered.error_code != 0 {
                    let code = ErrorCode::from_code_or_unknown(answered.error_code);
                    self.first_error.get_or_insert(code);
                }
                response.partition_responses.push(answered);
                one = partitions.next();
            }
            let done = self.current.take().map(|(response, _)| response);
            self.response.responses.extend(done);
        }
        Step::Done
    }

    /// What is left to wait for; nothing if no answer is wanted. `notify` is told when replicas have
    /// what they are waited for.
    pub(crate) fn finish(
        self,
        rooms: &Rooms<E>,
        context: &RequestContext,
        notify: &Arc<Notify>,
    ) -> Result<Option<Unacknowledged>, RequestError> {
        if self.acks == 0 {
            return match self.first_error {
                Some(error) => Err(RequestError::Unacknowledged(error.name())),
                None => Ok(None),
            };
        }
        let Append { mark, deadline, envelope, mut response, awaited, first_error, .. } = self;
        if first_error == Some(ErrorCode::NotLeaderOrFollower) {
            moved::name_leaders(rooms, context, &mut response);
        }
        let awaited = unacknowledged::wait(&awaited, notify);
        Ok(Some(Unacknowledged { mark, deadline, envelope, response, awaited }))
    }

    fn next_topic(&mut self) -> bool {
        // A topic without partitions is not answered.
        let Some(topic) = self.topics.find(|topic| !topic.partition_data.is_empty()) else {
            return false;
        };
        let response = TopicProduceResponse {
            name: topic.name,
            topic_id: topic.topic_id,
            partition_responses: Vec::with_capacity(topic.partition_data.len()),
            ..TopicProduceResponse::default()
        };
        self.current = Some((response, topic.partition_data.into_iter()));
        true
    }
}

/// The topic; its own name takes the place of the one in the request, whose frame would be kept.
fn find<E: Env>(
    rooms: &Rooms<E>,
    response: &mut TopicProduceResponse,
    version: i16,
) -> Result<Arc<Topic<E>>, ErrorCode> {
    let found = if version >= BY_ID {
        rooms.partitions.topic_by_id(response.topic_id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        rooms.partitions.topic(&response.name).ok_or(ErrorCode::UnknownTopicOrPartition)
    };
    // A topic without a replica here may be another node's.
    let found = found.map_err(|unknown| {
        let image = rooms.metadata.image();
        let is_known = match version {
            BY_ID.. => image.topics.by_id(response.topic_id).is_some(),
            _ => image.topics.contains(&response.name),
        };
        if is_known { ErrorCode::NotLeaderOrFollower } else { unknown }
    });
    match &found {
        Ok(topic) => response.name = topic.name.clone(),
        Err(_) => response.name = response.name.detach(),
    }
    found
}

/// What is sent behind a batch that comes again is to wait for it.
fn remember<E: Env>(
    rooms: &Rooms<E>,
    topic: &TopicProduceResponse,
    data: &PartitionProduceData,
    code: ErrorCode,
) {
    let Some(records) = data.records.as_ref().filter(|_| comes_again(code)) else {
        return;
    };
    let Ok(batch) = BatchHeader::parse(records) else { return };
    if let Some(place) = Place::of(topic.topic_id, &topic.name, data.index, &batch) {
        rooms.refusals.note(place, &batch, code, rooms.env.now());
    }
}

/// Why one partition's records were not appended.
struct Failure {
    error: AppendError,
    log_start_offset: i64,
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Failure { error: objection(code, String::new()), log_start_offset: NONE }
    }
}

impl From<(ErrorCode, String)> for Failure {
    fn from((code, message): (ErrorCode, String)) -> Self {
        Failure { error: objection(code, message), log_start_offset: NONE }
    }
}

/// No transaction is ever open here: a batch of one would hold read-committed readers up for good.
fn outside_transaction(has_transactional_id: bool) -> ErrorCode {
    if has_transactional_id {
        ErrorCode::InvalidTxnState
    } else {
        ErrorCode::TransactionalIdAuthorizationFailed
    }
}

fn objection(code: ErrorCode, message: String) -> AppendError {
    AppendError::Refused { code, message, record_errors: Vec::new() }
}

/// What a request says of all its batches.
struct Terms {
    has_transactional_id: bool,
    /// acks=-1
    wants_all: bool,
    now_ms: i64,
}

/// What was appended, and where other replicas have to have it, the partition and its epoch.
type Outcome<E> = (Appended, Option<(Arc<Partition<E>>, i32)>);

/// Appends one partition's records.
fn append<E: Env>(
    rooms: &Rooms<E>,
    topic: &Topic<E>,
    data: &PartitionProduceData,
    context: &RequestContext,
    terms: &Terms,
) -> Result<Outcome<E>, Failure> {
    let index = data.index;
    let partition = topic.partition(index).ok_or_else(|| moved::error(rooms, topic.id, index))?;
    let term = partition.term()?;
    if topic.is_internal() && context.client_id() != ADMIN_CLIENT {
        return Err(ErrorCode::InvalidTopicException.into());
    }
    let limit = || partition.log.config().max_message_bytes;
    let records = data.records.as_ref();
    let records = shape::one_batch(records, context.version, limit).map_err(Failure::from)?;
    if shape::is_transactional(&records) {
        return Err(outside_transaction(terms.has_transactional_id).into());
    }
    let awaits_others = terms.wants_all && term.with_others;
    if awaits_others && !partition.has_enough_in_sync() {
        let code = ErrorCode::NotEnoughReplicas;
        let log_start_offset = log_start_beside(partition, code);
        return Err(Failure { log_start_offset, ..Failure::from(code) });
    }
    let behind = rooms.refusals.any().then(|| BatchHeader::parse(&records).ok()).flatten();
    let behind = behind.and_then(|batch| {
        let topic_id = if context.version >= BY_ID { topic.id } else { Uuid::default() };
        Place::of(topic_id, &topic.name, index, &batch).map(|place| (place, batch))
    });
    if let Some((place, batch)) = &behind {
        let last = partition.log.last_sequence(batch.producer_id, batch.producer_epoch);
        if let Some(code) = rooms.refusals.holds_up(place, batch, last, rooms.env.now()) {
            return Err(code.into());
        }
    }
    partition.watchers().appending(records.len());
    let options =
        AppendOptions { defer_write: true, ..AppendOptions::client(term.epoch, terms.now_ms) };
    let appended = partition.log.append(records, &options).map_err(|error| {
        let log_start_offset = log_start_beside(partition, error.kafka_code());
        Failure { error, log_start_offset }
    })?;
    if let Some((place, batch)) = &behind {
        rooms.refusals.appended(place, batch);
    }
    Ok((appended, awaits_others.then(|| (Arc::clone(partition), term.epoch))))
}

/// The log start that Kafka sends beside an error; not beside those it expects.
fn log_start_beside<E: Env>(partition: &Partition<E>, code: ErrorCode) -> i64 {
    match code {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotLeaderOrFollower
        | ErrorCode::MessageTooLarge
        | ErrorCode::RecordListTooLarge
        | ErrorCode::CorruptMessage
        | ErrorCode::KafkaStorageError => NONE,
        _ => partition.log.offsets().log_start,
    }
}

fn answered(index: i32, outcome: Result<Appended, Failure>) -> PartitionProduceResponse {
    match outcome {
        Ok(appended) => PartitionProduceResponse {
            index,
            base_offset: appended.base_offset,
            log_append_time_ms: appended.log_append_time_ms,
            log_start_offset: appended.log_start_offset,
            ..PartitionProduceResponse::default()
        },
        Err(Failure { error, log_start_offset }) => {
            let code = error.kafka_code();
            let AppendError::Refused { message, record_errors, .. } = error else {
                return failure(index, code, log_start_offset, None);
            };
            let message = (!message.is_empty()).then(|| Str::from(message));
            PartitionProduceResponse {
                record_errors: record_errors.into_iter().map(record_error).collect(),
                ..failure(index, code, log_start_offset, message)
            }
        }
    }
}

fn record_error(error: RecordError) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage {
        batch_index: error.batch_index,
        batch_index_error_message: Some(Str::from(error.message)),
        ..BatchIndexAndErrorMessage::default()
    }
}

fn failure(
    index: i32,
    error: ErrorCode,
    log_start_offset: i64,
    error_message: Option<Str>,
) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: error.code(),
        base_offset: NONE,
        log_append_time_ms: NONE,
        log_start_offset,
        error_message,
        ..PartitionProduceResponse::default()
    }
}
