//! Sends records: gathered into batches per partition, idempotent, in order, retried.
//!
//! [`Producer::send`] returns once the record is in memory; the [`Delivery`] it returns tells what
//! became of it. One task per producer sends; it never waits for one partition on behalf of another.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use ottla_env::{Env, MonoTime};
use ottla_protocol::records::Compression;
use ottla_protocol::{ErrorCode, Str};
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::client::{Client, Lane};
use crate::error::{Error, Result};
use crate::partitioner;

mod accumulator;
mod leaders;
mod outcome;
mod sender;

use accumulator::Accumulator;

/// How many replicas must have a record before it counts as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acks {
    /// None; the offset stays unknown.
    None,
    /// The leader.
    Leader,
    /// All that are in sync.
    #[default]
    All,
}

/// The settings of a [`Producer`].
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    pub acks: Acks,
    /// No record twice, none out of order, through any retries. Needs [`Acks::All`].
    pub idempotent: bool,
    /// How long a record may wait for others.
    pub linger: Duration,
    /// What a batch gathers at most, before compression; one larger record goes alone.
    pub batch_bytes: usize,
    /// The largest record, and what a request gathers at most.
    pub request_bytes_max: usize,
    /// Records in memory; [`Producer::send`] waits beyond it.
    pub buffer_bytes: usize,
    pub compression: Compression,
    pub compression_level: Option<i32>,
    /// After this a record not acknowledged has failed.
    pub delivery_timeout: Duration,
    /// Requests on their way to one broker.
    pub in_flight_max: usize,
}

impl Default for ProducerOptions {
    fn default() -> ProducerOptions {
        ProducerOptions {
            acks: Acks::All,
            idempotent: true,
            linger: Duration::from_millis(5),
            batch_bytes: 128 << 10,
            request_bytes_max: 1 << 20,
            buffer_bytes: 32 << 20,
            compression: Compression::None,
            compression_level: None,
            delivery_timeout: Duration::from_secs(120),
            in_flight_max: 5,
        }
    }
}

/// A record to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerRecord {
    pub topic: Str,
    /// `None`: by the key, or any where there is none.
    pub partition: Option<i32>,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(Str, Option<Bytes>)>,
    /// In milliseconds since 1970; `None` is now.
    pub timestamp: Option<i64>,
}

impl ProducerRecord {
    /// A record with a value only.
    pub fn new(topic: impl Into<Str>, value: impl Into<Bytes>) -> ProducerRecord {
        let (topic, value) = (topic.into(), Some(value.into()));
        ProducerRecord { topic, value, ..ProducerRecord::default() }
    }

    /// The same with a key.
    #[must_use]
    pub fn with_key(self, key: impl Into<Bytes>) -> ProducerRecord {
        ProducerRecord { key: Some(key.into()), ..self }
    }

    /// About what it takes in a batch.
    fn size(&self) -> usize {
        const OVERHEAD: usize = 24;
        let len = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|(k, v)| k.len() + len(v) + 10).sum();
        OVERHEAD + len(&self.key) + len(&self.value) + headers
    }
}

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub topic: Str,
    pub partition: i32,
    /// -1 if the broker did not tell: without acks, or for a repetition it no longer remembers.
    pub offset: i64,
    pub timestamp: i64,
}

/// The fate of a record. Need not be awaited.
#[derive(Debug)]
pub struct Delivery(oneshot::Receiver<Result<Told>>);

/// Where a record is, and when that became known.
type Told = (Delivered, MonoTime);

impl Delivery {
    /// The fate, and when the acknowledgement arrived: who awaits deliveries one after the other may
    /// come to look at one much later.
    ///
    /// # Errors
    /// Why the record was not sent.
    pub async fn timed(self) -> Result<(Delivered, MonoTime)> {
        self.0.await.unwrap_or(Err(Error::Closed))
    }
}

impl Future for Delivery {
    type Output = Result<Delivered>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let told = Pin::new(&mut self.0).poll(context);
        told.map(|told| told.unwrap_or(Err(Error::Closed)).map(|(delivered, _)| delivered))
    }
}

/// A record in memory, and whom to tell.
struct Pending {
    record: ProducerRecord,
    timestamp: i64,
    tell: oneshot::Sender<Result<Told>>,
    /// Its share of the buffer, given back when it is dropped.
    _memory: OwnedSemaphorePermit,
}

/// Sends records to one cluster.
pub struct Producer<E: Env> {
    shared: Arc<Shared<E>>,
}

/// What the producer and its sending task share.
struct Shared<E: Env> {
    client: Client<E>,
    options: ProducerOptions,
    lane: Lane,
    state: Mutex<Accumulator>,
    /// By leader: ready when the last request to it has its place in the queue to the broker.
    turns: Mutex<BTreeMap<i32, oneshot::Receiver<()>>>,
    memory: Arc<Semaphore>,
    /// Topics whose leaders are being asked for: once at a time, however many batches wait for them.
    looking: Mutex<BTreeSet<Str>>,
    /// The sender has something to look at.
    wake: Notify,
    /// A batch came to its end.
    ended: Notify,
}

impl<E: Env> Producer<E> {
    /// A producer; its task starts at once.
    ///
    /// # Errors
    /// If the settings contradict each other.
    pub fn new(client: Client<E>, options: ProducerOptions) -> Result<Producer<E>> {
        if options.idempotent && options.acks != Acks::All {
            let text = "an idempotent producer needs acks=all; switch idempotence off for less";
            return Err(Error::Invalid(text.to_owned()));
        }
        if options.in_flight_max == 0 || options.idempotent && options.in_flight_max > 5 {
            let text = "in_flight_max lies between 1 and 5: brokers remember five batches";
            return Err(Error::Invalid(text.to_owned()));
        }
        let shared = Arc::new(Shared {
            lane: client.new_lane(),
            memory: Arc::new(Semaphore::new(options.buffer_bytes)),
            state: Mutex::new(Accumulator::new(&options)),
            turns: Mutex::default(),
            looking: Mutex::default(),
            wake: Notify::new(),
            ended: Notify::new(),
            client,
            options,
        });
        let task = sender::run(shared.clone());
        drop(shared.client.env().spawn("producer", task));
        Ok(Producer { shared })
    }

    /// Puts a record on its way. Waits while the buffer is full or the topic unknown.
    ///
    /// # Errors
    /// If the record is too large, its topic is not there, or the producer is closed.
    pub async fn send(&self, record: ProducerRecord) -> Result<Delivery> {
        let shared = &self.shared;
        let size = record.size();
        let limit = shared.options.request_bytes_max.min(shared.options.buffer_bytes);
        if size > limit {
            let message = format!("the record has {size} bytes where {limit} are allowed");
            let doing = format!("send to \"{}\"", record.topic);
            let code = ErrorCode::MessageTooLarge;
            return Err(Error::Answer { code, doing, message: Some(message) });
        }
        let cluster = shared.client.topics(std::slice::from_ref(&record.topic), true).await?;
        let partitions = cluster.topic(&record.topic).map_or(0, |topic| topic.partitions.len());
        let permits = u32::try_from(size).expect("a record has less than 2^32 bytes");
        let memory = shared.memory.clone().acquire_many_owned(permits).await;
        let memory = memory.map_err(|_| Error::Closed)?;
        let env = shared.client.env();
        let (tell, told) = oneshot::channel();
        let timestamp = record.timestamp.unwrap_or_else(|| env.wall_ms());
        let chosen = self.explicit_partition(&record, partitions)?;
        let pending = Pending { record, timestamp, tell, _memory: memory };
        let wakes =
            shared
                .state
                .lock()
                .add(pending, size, chosen, partitions, env.now(), || env.random_u64())?;
        if wakes {
            shared.wake.notify_one();
        }
        Ok(Delivery(told))
    }

    /// Sends a record and waits for its fate.
    ///
    /// # Errors
    /// Those of [`Producer::send`] and of the delivery.
    pub async fn send_and_wait(&self, record: ProducerRecord) -> Result<Delivered> {
        self.send(record).await?.await
    }

    /// Sends all that waits, now, and returns when every record has met its fate.
    pub async fn flush(&self) {
        let shared = &self.shared;
        shared.state.lock().flushing += 1;
        shared.wake.notify_one();
        loop {
            let ended = shared.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if shared.state.lock().unfinished == 0 {
                break;
            }
            ended.await;
        }
        shared.state.lock().flushing -= 1;
    }

    /// Flushes and ends the producer.
    pub async fn close(self) {
        self.flush().await;
    }

    fn explicit_partition(&self, record: &ProducerRecord, count: usize) -> Result<Option<i32>> {
        match (&record.partition, &record.key) {
            (Some(partition), _) if usize::try_from(*partition).is_ok_and(|p| p < count) => {
                Ok(Some(*partition))
            }
            (Some(partition), _) => Err(Error::Invalid(format!(
                "\"{}\" has no partition {partition}: it has {count}, counted from 0",
                record.topic
            ))),
            (None, Some(key)) => Ok(Some(partitioner::for_key(key, count))),
            (None, None) => Ok(None),
        }
    }
}

impl<E: Env> Drop for Producer<E> {
    /// What is in memory is still sent; nothing new is taken.
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.wake.notify_one();
    }
}
