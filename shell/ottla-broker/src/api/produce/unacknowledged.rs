//! A produce request between its append and its answer.

use std::sync::Arc;

use ottla_env::{Env, MonoTime};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ProduceResponse;
use tokio::sync::Notify;

use super::{NONE, failure};
use crate::api::answer::{Answer, Envelope, RequestError};
use crate::log::Mark;
use crate::partition::commits::Ticket;
use crate::partition::registry::Partition;

/// Records that other replicas have to have.
pub(super) struct Awaited<E: Env> {
    pub(super) partition: Arc<Partition<E>>,
    pub(super) epoch: i32,
    pub(super) offset: i64,
    /// The topic and the partition in the response.
    pub(super) place: (usize, usize),
}

/// What a request waits for besides this node's disk.
pub(crate) struct Replicas {
    ticket: Arc<Ticket>,
    /// The topic and the partition in the response, of each place of the ticket.
    places: Vec<(usize, usize)>,
}

/// Takes a place among those who wait for each partition.
pub(super) fn wait<E: Env>(awaited: &[Awaited<E>], notify: &Arc<Notify>) -> Option<Replicas> {
    if awaited.is_empty() {
        return None;
    }
    let ticket = Ticket::new(awaited.len(), Arc::clone(notify));
    for (place, one) in awaited.iter().enumerate() {
        one.partition.await_commit(one.epoch, one.offset, &ticket, place);
    }
    let places = awaited.iter().map(|one| one.place).collect();
    Some(Replicas { ticket, places })
}

/// A request whose records are appended, and not yet committed.
pub(crate) struct Unacknowledged {
    /// The answer may go once all this is durable,
    pub(crate) mark: Mark,
    pub(crate) deadline: MonoTime,
    pub(super) envelope: Envelope,
    pub(super) response: ProduceResponse,
    /// and these replicas have the records.
    pub(super) awaited: Option<Replicas>,
}

impl Unacknowledged {
    /// Whether replicas have what they are waited for, or never will.
    pub(crate) fn is_replicated(&self) -> bool {
        self.awaited.as_ref().is_none_or(|awaited| awaited.ticket.is_done())
    }

    /// The answer; `error` takes the place of each success that is not certain.
    pub(crate) fn answer(mut self, error: Option<ErrorCode>) -> Result<Answer, RequestError> {
        let mut certain = Vec::new();
        if let Some(Replicas { ticket, places }) = &self.awaited {
            for (place, (topic, partition)) in places.iter().enumerate() {
                let topic_at = *topic;
                let answered =
                    &mut self.response.responses[topic_at].partition_responses[*partition];
                match ticket.outcome(place) {
                    Some(Ok(())) => certain.push((topic_at, *partition)),
                    Some(Err(failed)) => *answered = failure(answered.index, failed, NONE, None),
                    None => {}
                }
            }
        }
        if let Some(error) = error {
            for (topic_at, topic) in self.response.responses.iter_mut().enumerate() {
                for (at, answered) in topic.partition_responses.iter_mut().enumerate() {
                    if answered.error_code == 0 && !certain.contains(&(topic_at, at)) {
                        *answered = failure(answered.index, error, NONE, None);
                    }
                }
            }
        }
        self.envelope.encode(&self.response)
    }
}
