//! Produce (key 0): v0-13. Appends at once, inline; answers once what it wrote is durable.
//!
//! - acks=-1 and acks=1 are answered alike: here the one replica that there is has the records on
//!   stable storage (with `ottla.flush=none`: in the page cache). acks=0 is not answered; if such a
//!   request fails the connection is closed, the only way to say so.
//! - v0-2 carry message sets of magic 0 and 1, which become a batch of magic 2. v3+ carry exactly one
//!   batch of magic 2 for each partition. zstd needs v7 (KIP-110).
//! - v8+ (KIP-467) have error messages; v13 (KIP-516) names topics by id.

use std::time::Duration;

use bytes::Bytes;
use ottla_env::{Env, MonoTime};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use ottla_protocol::messages::{ProduceRequest, ProduceResponse};
use ottla_protocol::{ApiKey, ErrorCode, Str, decode_request};

use super::answer::{Answer, Envelope, RequestError};
use super::context::RequestContext;
use crate::log::{AppendError, AppendOptions, Appended, RecordError};
use crate::partition::registry::{Partition, Topic};
use crate::rooms::Rooms;

mod shape;

/// A time-out below this would fail what the next group commit makes durable.
const TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// The client id of Kafka's own tools, which may write to internal topics.
const ADMIN_CLIENT: &str = "__admin_client";
/// No offset, no timestamp.
const NONE: i64 = -1;

/// A request whose records are appended, and not yet durable.
pub(crate) struct Unacknowledged {
    /// The answer may go once this position is durable.
    pub(crate) lsn: u64,
    pub(crate) deadline: MonoTime,
    envelope: Envelope,
    response: ProduceResponse,
}

impl Unacknowledged {
    /// The answer; `error` takes the place of each success.
    pub(crate) fn answer(mut self, error: Option<ErrorCode>) -> Result<Answer, RequestError> {
        if let Some(error) = error {
            let partitions = self.response.responses.iter_mut();
            for partition in partitions.flat_map(|topic| &mut topic.partition_responses) {
                if partition.error_code == 0 {
                    *partition = failure(partition.index, error, NONE, None);
                }
            }
        }
        self.envelope.encode(&self.response)
    }
}

/// How far an append has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Every partition has its outcome.
    Done,
    /// The log has no room at the moment: wait for some, then step again.
    Busy,
}

/// A request on its way into the log.
pub(crate) struct Append {
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
    lsn: u64,
    first_error: Option<ErrorCode>,
}

/// Reads the request; nothing is appended yet.
pub(crate) fn begin(
    context: &RequestContext,
    body: Bytes,
    now: MonoTime,
) -> Result<Append, RequestError> {
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
        lsn: 0,
        first_error: None,
    })
}

impl Append {
    /// Appends until all partitions are done or the log is busy; the caller commits.
    pub(crate) fn step<E: Env>(&mut self, rooms: &Rooms<E>, context: &RequestContext) -> Step {
        let terms =
            Terms { has_transactional_id: self.has_transactional_id, now_ms: rooms.env.wall_ms() };
        while self.current.is_some() || self.next_topic() {
            let (response, partitions) = self.current.as_mut().expect("there is a topic");
            let topic = find(rooms, response, context.version);
            let mut one = self.waiting.take().or_else(|| partitions.next());
            while let Some(data) = one {
                let index = data.index;
                let records = data.records.clone();
                let outcome = match &topic {
                    Err(error) => Err((*error).into()),
                    _ if !matches!(self.acks, -1..=1) => Err(ErrorCode::InvalidRequiredAcks.into()),
                    Ok(topic) => append(topic, index, records, context, &terms),
                };
                if matches!(&outcome, Err(Failure { error: AppendError::Busy, .. })) {
                    self.waiting = Some(data);
                    return Step::Busy;
                }
                if let Ok(appended) = &outcome {
                    self.lsn = self.lsn.max(appended.lsn);
                }
                let answered = answered(index, outcome);
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

    /// What is left to wait for; nothing if no answer is wanted.
    pub(crate) fn finish(self) -> Result<Option<Unacknowledged>, RequestError> {
        if self.acks == 0 {
            return match self.first_error {
                Some(error) => Err(RequestError::Unacknowledged(error.name())),
                None => Ok(None),
            };
        }
        let Append { lsn, deadline, envelope, response, .. } = self;
        Ok(Some(Unacknowledged { lsn, deadline, envelope, response }))
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
) -> Result<std::sync::Arc<Topic<E>>, ErrorCode> {
    let found = if version >= 13 {
        rooms.partitions.topic_by_id(response.topic_id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        rooms.partitions.topic(&response.name).ok_or(ErrorCode::UnknownTopicOrPartition)
    };
    match &found {
        Ok(topic) => response.name = topic.name.clone(),
        Err(_) => response.name = response.name.detach(),
    }
    found
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

/// What a request says of all its batches. `min.insync.replicas` has no say while every partition has
/// one replica: a topic never waits for more replicas than it has (as in Kafka).
struct Terms {
    has_transactional_id: bool,
    now_ms: i64,
}

/// Appends one partition's records.
fn append<E: Env>(
    topic: &Topic<E>,
    index: i32,
    records: Option<Bytes>,
    context: &RequestContext,
    terms: &Terms,
) -> Result<Appended, Failure> {
    let partition = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if topic.is_internal() && context.client_id() != ADMIN_CLIENT {
        return Err(ErrorCode::InvalidTopicException.into());
    }
    let limit = partition.log.config().max_message_bytes;
    let records = shape::one_batch(records, context.version, limit).map_err(Failure::from)?;
    if shape::is_transactional(&records) {
        return Err(outside_transaction(terms.has_transactional_id).into());
    }
    partition.watchers.appending(records.len());
    let options = AppendOptions {
        defer_write: true,
        ..AppendOptions::client(partition.leader_epoch(), terms.now_ms)
    };
    partition.log.append(records, &options).map_err(|error| {
        let log_start_offset = log_start_beside(partition, error.kafka_code());
        Failure { error, log_start_offset }
    })
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
