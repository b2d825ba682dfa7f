//! Records by partition: the batch that gathers, those that wait, those to be sent again.
//!
//! No input or output, no clock of its own: the sender asks what is due and says what became of it.
//!
//! Order: batches of a partition get their sequence when first sent and leave in that order. After a
//! failure nothing of the partition is sent until all that was on its way has come back; then the
//! failed ones go again, lowest sequence first, one at a time.
//!
//! What was sent once goes again under the same id and sequence, also after the producer has got another
//! id: it may be in the log, and only so does the broker know it again. Under the new id goes what the
//! broker has refused.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use ottla_env::MonoTime;
use ottla_protocol::records::{BatchBuilder, BatchOptions, NO_PRODUCER_ID};
use ottla_protocol::{Str, Uuid};

use super::{Delivered, Pending, ProducerOptions};
use crate::error::{Error, Result};
use crate::topic_partition::TopicPartition;

/// Consecutive records of one partition.
pub(super) struct Batch {
    records: Vec<Pending>,
    size: usize,
    opened: MonoTime,
    /// Set when first sent; from then on the bytes stay the same.
    pub(super) sequence: Option<i32>,
    /// The id that the sequence counts under.
    producer: Option<(i64, i16)>,
    bytes: Option<Bytes>,
    /// Why it was not yet delivered, for the message when its time is up.
    pub(super) trouble: Option<Error>,
}

#[derive(Default)]
struct Queue {
    gathering: Option<Batch>,
    ready: VecDeque<Batch>,
    /// By sequence.
    again: VecDeque<Batch>,
    /// Sent under a former id and not in the log: before all others, under the present one.
    anew: VecDeque<Batch>,
    in_flight: usize,
    /// A batch that failed before is on its way again. Nothing new is sent meanwhile: if its answer
    /// is lost once more, the broker must still remember it among the last five.
    retrying: bool,
    next_sequence: i32,
    /// The sequence that must be acknowledged next.
    expected_sequence: i32,
    /// The broker has a batch under this id. Until then only one is on its way: a broker takes the
    /// first sequence it sees, whichever it is, and would refuse an earlier one that was overtaken.
    known: bool,
    /// The topic whose broker that is: one made anew under the name knows nobody.
    topic_id: Uuid,
    not_before: MonoTime,
}

/// All partitions of a producer.
pub(super) struct Accumulator {
    queues: BTreeMap<TopicPartition, Queue>,
    /// Where records without a key go, until the batch there is full.
    sticky: BTreeMap<Str, i32>,
    batch_bytes: usize,
    linger: Duration,
    delivery_timeout: Duration,
    in_flight_max: usize,
    idempotent: bool,
    compression: BatchOptions,
    /// Id and epoch; `None` until the broker gave them.
    pub(super) producer: Option<(i64, i16)>,
    /// A sequence was spent on a batch that is not in the log: begin anew under another id.
    pub(super) renew: bool,
    /// Batches not yet at their end.
    pub(super) unfinished: usize,
    /// Batches on their way.
    pub(super) in_flight: usize,
    pub(super) flushing: usize,
    pub(super) closed: bool,
}

/// What the sender does next.
#[derive(Default)]
pub(super) struct Due {
    /// At most one batch per partition, by leader.
    pub(super) by_leader: BTreeMap<i32, Vec<(TopicPartition, Batch)>>,
    /// Topics with batches due whose leader is not known.
    pub(super) leaderless: Vec<Str>,
    /// When to look again, if nothing happens before.
    pub(super) next: Option<MonoTime>,
    /// Batches whose time is up.
    pub(super) expired: Vec<(TopicPartition, Batch)>,
}

impl Accumulator {
    pub(super) fn new(options: &ProducerOptions) -> Accumulator {
        Accumulator {
            queues: BTreeMap::new(),
            sticky: BTreeMap::new(),
            batch_bytes: options.batch_bytes,
            linger: options.linger,
            delivery_timeout: options.delivery_timeout,
            // Without sequences only one at a time keeps the order.
            in_flight_max: if options.idempotent { options.in_flight_max } else { 1 },
            idempotent: options.idempotent,
            compression: BatchOptions {
                compression: options.compression,
                level: options.compression_level,
                ..BatchOptions::default()
            },
            producer: None,
            renew: false,
            unfinished: 0,
            in_flight: 0,
            flushing: 0,
            closed: false,
        }
    }

    /// Takes a record in; says whether the sender should look.
    pub(super) fn add(
        &mut self,
        pending: Pending,
        size: usize,
        chosen: Option<i32>,
        partitions: usize,
        now: MonoTime,
        random: impl FnOnce() -> u64,
    ) -> Result<bool> {
        if self.closed {
            return Err(Error::Closed);
        }
        let topic = &pending.record.topic;
        let partition = match chosen.or_else(|| self.sticky.get(topic).copied()) {
            Some(partition) => partition,
            None => {
                let any = random() % partitions.max(1) as u64;
                let any = i32::try_from(any).expect("fewer than 2^31 partitions");
                self.sticky.insert(topic.clone(), any);
                any
            }
        };
        let key = TopicPartition { topic: topic.clone(), partition };
        let queue = self.queues.entry(key).or_default();
        let full = queue.gathering.as_ref().is_some_and(|b| b.size + size > self.batch_bytes);
        if full {
            queue.ready.extend(queue.gathering.take());
            self.sticky.remove(&pending.record.topic);
        }
        let begins = queue.gathering.is_none();
        self.unfinished += usize::from(begins);
        let batch = queue.gathering.get_or_insert_with(|| Batch::new(now));
        batch.size += size;
        batch.records.push(pending);
        Ok(begins || full)
    }

    /// Takes out what is to be sent now.
    pub(super) fn due(
        &mut self,
        now: MonoTime,
        leader: impl Fn(&TopicPartition) -> Option<(i32, Uuid)>,
    ) -> Due {
        let mut due = Due::default();
        let hurry = self.flushing > 0 || self.closed;
        let may_send = !self.renew && (!self.idempotent || self.producer.is_some());
        for (partition, queue) in &mut self.queues {
            queue.expire(now, self.delivery_timeout, |batch| {
                due.expired.push((partition.clone(), batch))
            });
            let wait =
                queue.waits_until(now, self.linger, self.batch_bytes, hurry, self.in_flight_max);
            match wait {
                Wait::Idle => {}
                Wait::Until(at) => due.wake_at(at),
                Wait::Over if !may_send => due.wake_at(now + STALLED),
                Wait::Over => match leader(partition) {
                    None => {
                        due.leaderless.push(partition.topic.clone());
                        due.wake_at(now + STALLED);
                    }
                    Some((_, topic_id)) if !queue.may_send_to(topic_id) => {}
                    Some((leader, _)) => {
                        let producer = self.producer.filter(|_| self.idempotent);
                        let batch = queue.take(producer, &self.compression);
                        self.in_flight += 1;
                        due.by_leader.entry(leader).or_default().push((partition.clone(), batch));
                    }
                },
            }
        }
        for (_, batch) in &due.expired {
            // A batch that was sent once may or may not be in the log: its sequence is spent.
            self.renew |= batch.sequence.is_some() && batch.producer == self.producer;
            self.unfinished -= 1;
        }
        due
    }

    /// A batch came to its end, well or not.
    pub(super) fn end(&mut self, partition: &TopicPartition, batch: &Batch, appended: bool) {
        self.in_flight -= 1;
        self.unfinished -= 1;
        let Some(queue) = self.queues.get_mut(partition) else { return };
        queue.in_flight -= 1;
        queue.retrying = false;
        let is_current = batch.producer == self.producer;
        if let (true, true, Some(sequence)) = (appended, is_current, batch.sequence) {
            queue.known = true;
            // One that came again may be older than what was acknowledged meanwhile.
            let next = wrap(sequence, batch.records.len());
            let ahead = next.wrapping_sub(queue.expected_sequence) & i32::MAX;
            if ahead < i32::MAX / 2 {
                queue.expected_sequence = next;
            }
        }
        self.renew |= self.idempotent && !appended && is_current;
    }

    /// A batch is to be sent again, not before a moment.
    pub(super) fn again(&mut self, partition: &TopicPartition, batch: Batch, not_before: MonoTime) {
        self.in_flight -= 1;
        let Some(queue) = self.queues.get_mut(partition) else { return };
        queue.in_flight -= 1;
        queue.retrying = false;
        queue.not_before = not_before;
        // Sequences have 31 bits: the difference is extended from those.
        let age = |batch: &Batch| {
            let ahead = |sequence: i32| sequence.wrapping_sub(queue.expected_sequence);
            batch.sequence.map_or(0, |sequence| (ahead(sequence) << 1) >> 1)
        };
        let at = queue.again.iter().position(|other| age(other) > age(&batch));
        queue.again.insert(at.unwrap_or(queue.again.len()), batch);
    }

    /// Whether a batch was sent under an id that is no longer the producer's.
    pub(super) fn is_of_former_id(&self, batch: &Batch) -> bool {
        batch.sequence.is_some() && batch.producer != self.producer
    }

    /// A batch of a former id is not in the log and never will be: it is sent as a new one.
    pub(super) fn anew(&mut self, partition: &TopicPartition, mut batch: Batch) {
        self.in_flight -= 1;
        let Some(queue) = self.queues.get_mut(partition) else { return };
        queue.in_flight -= 1;
        queue.retrying = false;
        (batch.sequence, batch.producer, batch.bytes) = (None, None, None);
        queue.anew.push_back(batch);
    }

    /// Whether something that precedes a batch has not been acknowledged yet. If what follows it has been, it
    /// can no longer be appended.
    pub(super) fn is_behind_another(&self, partition: &TopicPartition, batch: &Batch) -> bool {
        let Some(queue) = self.queues.get(partition) else { return false };
        let Some(sequence) = batch.sequence else { return false };
        if batch.producer != self.producer {
            return false;
        }
        let ahead = sequence.wrapping_sub(queue.expected_sequence) & i32::MAX;
        (1..i32::MAX / 2).contains(&ahead)
    }

    /// Begins anew under another id: sequences count from 0 again.
    pub(super) fn renewed(&mut self, producer: (i64, i16)) {
        self.producer = Some(producer);
        self.renew = false;
        for queue in self.queues.values_mut() {
            queue.next_sequence = 0;
            queue.expected_sequence = 0;
            queue.known = false;
        }
    }
}

/// How soon to look again when something outside is missing.
const STALLED: Duration = Duration::from_millis(100);

enum Wait {
    Idle,
    Until(MonoTime),
    Over,
}

impl Queue {
    fn waits_until(
        &self,
        now: MonoTime,
        linger: Duration,
        batch_bytes: usize,
        hurry: bool,
        in_flight_max: usize,
    ) -> Wait {
        let in_order = self.again.is_empty() && !self.retrying && self.known;
        let blocked = self.in_flight >= if in_order { in_flight_max } else { 1 };
        let waiting = [&self.again, &self.anew, &self.ready];
        let lingers = match (&self.gathering, waiting.iter().all(|batches| batches.is_empty())) {
            (_, false) => now,
            (None, true) => return Wait::Idle,
            (Some(batch), true) if hurry || batch.size >= batch_bytes => now,
            (Some(batch), true) => batch.opened + linger,
        };
        // A batch that comes back wakes the sender.
        if blocked {
            return Wait::Idle;
        }
        let at = lingers.max(self.not_before);
        if at <= now { Wait::Over } else { Wait::Until(at) }
    }

    /// Whether a batch may go to the topic of this id. To one made anew only one goes at first, as long as its
    /// broker does not know this producer; a batch that comes back wakes the sender.
    fn may_send_to(&mut self, topic_id: Uuid) -> bool {
        if self.topic_id != topic_id {
            self.known &= self.topic_id.is_zero();
            self.topic_id = topic_id;
        }
        self.known || self.in_flight == 0
    }

    /// The next batch, with its sequence and bytes.
    fn take(&mut self, producer: Option<(i64, i16)>, options: &BatchOptions) -> Batch {
        self.in_flight += 1;
        if let Some(batch) = self.again.pop_front() {
            self.retrying = true;
            return batch;
        }
        let first = self.anew.pop_front().or_else(|| self.ready.pop_front());
        let first = first.or_else(|| self.gathering.take());
        let mut batch = first.expect("taken only when a batch is due");
        let sequence = self.next_sequence;
        (batch.sequence, batch.producer) = (producer.map(|_| sequence), producer);
        let (producer_id, producer_epoch) = producer.unwrap_or((NO_PRODUCER_ID, -1));
        batch.bytes = Some(batch.build(BatchOptions {
            producer_id,
            producer_epoch,
            base_sequence: batch.sequence.unwrap_or(-1),
            ..options.clone()
        }));
        self.next_sequence = wrap(sequence, batch.records.len());
        batch
    }

    fn expire(&mut self, now: MonoTime, limit: Duration, mut expired: impl FnMut(Batch)) {
        for queue in [&mut self.again, &mut self.anew, &mut self.ready] {
            while queue.front().is_some_and(|batch| now.since(batch.opened) >= limit) {
                queue.pop_front().into_iter().for_each(&mut expired);
            }
        }
        if self.gathering.as_ref().is_some_and(|batch| now.since(batch.opened) >= limit) {
            self.gathering.take().into_iter().for_each(expired);
        }
    }
}

impl Batch {
    fn new(opened: MonoTime) -> Batch {
        Batch {
            records: Vec::new(),
            size: 0,
            opened,
            sequence: None,
            producer: None,
            bytes: None,
            trouble: None,
        }
    }

    fn build(&self, options: BatchOptions) -> Bytes {
        let mut builder = BatchBuilder::new(options);
        for pending in &self.records {
            let record = &pending.record;
            let headers: Vec<(&str, Option<&[u8]>)> =
                record.headers.iter().map(|(key, value)| (&**key, value.as_deref())).collect();
            builder.push(
                pending.timestamp,
                record.key.as_deref(),
                record.value.as_deref(),
                &headers,
            );
        }
        builder.build()
    }

    /// What goes over the wire.
    pub(super) fn bytes(&self) -> Bytes {
        self.bytes.clone().unwrap_or_default()
    }

    /// When its time is up.
    pub(super) fn is_late(&self, now: MonoTime, limit: Duration) -> bool {
        now.since(self.opened) >= limit
    }

    /// Tells every record's sender where it is, as of `now`.
    pub(super) fn delivered(
        self,
        partition: &TopicPartition,
        base_offset: i64,
        append_time: i64,
        now: MonoTime,
    ) {
        for (index, pending) in (0..).zip(self.records) {
            let delivered = Delivered {
                topic: partition.topic.clone(),
                partition: partition.partition,
                offset: if base_offset < 0 { -1 } else { base_offset + index },
                timestamp: if append_time >= 0 { append_time } else { pending.timestamp },
            };
            let _ = pending.tell.send(Ok((delivered, now)));
        }
    }

    /// Tells every record's sender why not.
    pub(super) fn failed(self, error: &Error) {
        for pending in self.records {
            let _ = pending.tell.send(Err(error.clone()));
        }
    }
}

impl Due {
    fn wake_at(&mut self, at: MonoTime) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

/// `sequence + by`, from 0 again after `i32::MAX`.
fn wrap(sequence: i32, by: usize) -> i32 {
    ((i64::from(sequence) + by as i64) & i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests;
