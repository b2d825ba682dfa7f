//! An idempotent producer, acks=all, a few requests in flight, that sends again what was not
//! answered, in order, for as long as it takes.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_env::sim::Random;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{InitProducerIdRequest, ProduceRequest, ProduceResponse};
use ottla_protocol::records::{BatchBuilder, BatchOptions, Compression};

use super::{PRODUCE_NEWEST, RETRY, Setup, TOPIC, connect};
use crate::history::{Acknowledged, Written};
use crate::wire::{Connection, WireError};

/// A client keeps at most five, or the broker cannot tell a repetition from a gap.
const IN_FLIGHT_MAX: u64 = 5;
/// Records in a batch.
const BATCH_RECORDS: (u64, u64) = (1, 8);
/// Filling of a record, so that batches cross pages.
const PADDING_MAX: usize = 1500;

struct Batch {
    base_sequence: i32,
    records: Vec<Written>,
    bytes: Bytes,
}

/// One producer. All it sends goes to one partition.
pub struct Producer<E: Env> {
    env: E,
    setup: Arc<Setup>,
    random: Random,
    index: u32,
    partition: i32,
    in_flight_max: usize,
    /// Given by the broker.
    id: i64,
    epoch: i16,
    next_sequence: i32,
    next_number: u64,
    /// Not yet answered, oldest first.
    pending: VecDeque<Batch>,
}

/// How a connection ended.
enum Ended {
    /// Connect again.
    Lost,
    /// The broker does not know us any more.
    Forgotten,
    /// All is sent and answered.
    Stopped,
}

impl<E: Env> Producer<E> {
    /// A producer that has not begun.
    pub fn new(env: E, setup: Arc<Setup>, index: u32, mut random: Random) -> Producer<E> {
        let partition = index as i32 % setup.partitions;
        let in_flight_max = random.between(1, IN_FLIGHT_MAX) as usize;
        Producer {
            env,
            setup,
            random,
            index,
            partition,
            in_flight_max,
            id: -1,
            epoch: -1,
            next_sequence: 0,
            next_number: 0,
            pending: VecDeque::new(),
        }
    }

    /// Produces until the run stops.
    pub async fn run(mut self) {
        while let Some(mut connection) = connect(&self.env, &self.setup).await {
            let ended = match self.begin(&mut connection).await {
                Ok(()) => self.produce(&mut connection).await.unwrap_or(Ended::Lost),
                Err(_) => Ended::Lost,
            };
            match ended {
                Ended::Stopped => return,
                Ended::Lost => {}
                Ended::Forgotten => self.start_over(),
            }
            self.env.sleep(RETRY).await;
        }
    }

    /// Gets a producer id, once.
    async fn begin(&mut self, connection: &mut Connection<E>) -> Result<(), WireError> {
        if self.id >= 0 {
            return Ok(());
        }
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        };
        let response = connection.call(&request, 4).await?;
        if response.error_code != 0 {
            return Err(WireError::Nonsense(format!("error {}", response.error_code)));
        }
        (self.id, self.epoch) = (response.producer_id, response.producer_epoch);
        Ok(())
    }

    async fn produce(&mut self, connection: &mut Connection<E>) -> Result<Ended, WireError> {
        let mut sent = VecDeque::new();
        loop {
            while sent.len() < self.in_flight_max && !self.setup.is_stopping() {
                if sent.len() == self.pending.len() {
                    let batch = self.next_batch();
                    self.pending.push_back(batch);
                }
                let request = self.request(&self.pending[sent.len()]);
                sent.push_back(connection.send(&request, PRODUCE_NEWEST).await?);
            }
            let Some(oldest) = sent.pop_front() else { return Ok(Ended::Stopped) };
            let response = connection.receive::<ProduceRequest>(oldest).await?;
            if let Some(ended) = self.answered(&response) {
                return Ok(ended);
            }
            if self.random.chance(20) {
                let pause = self.random.below(3_000);
                self.env.sleep(std::time::Duration::from_micros(pause)).await;
            }
        }
    }

    /// Takes in the answer to the oldest pending batch.
    fn answered(&mut self, response: &ProduceResponse) -> Option<Ended> {
        let topic = response.responses.first();
        let Some(answer) = topic.and_then(|topic| topic.partition_responses.first()) else {
            self.setup.surprise("a produce response without a partition".to_owned());
            return Some(Ended::Lost);
        };
        match ErrorCode::from_code(answer.error_code) {
            Some(ErrorCode::None) => self.acknowledged(Some(answer.base_offset)),
            Some(ErrorCode::DuplicateSequenceNumber) => self.acknowledged(None),
            Some(ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId) => {
                if self.setup.forgetting_is_wrong {
                    let text = format!(
                        "producer {} (id {}) was forgotten at {}",
                        self.index,
                        self.id,
                        self.pending.front().map_or(-1, |batch| batch.base_sequence)
                    );
                    self.setup.surprise(text);
                }
                return Some(Ended::Forgotten);
            }
            Some(code) if code.is_retriable() => return Some(Ended::Lost),
            // A disk that has just lost its power.
            Some(ErrorCode::KafkaStorageError) => return Some(Ended::Lost),
            code => {
                self.setup.surprise(format!("produce answered {code:?} {}", answer.error_code));
                return Some(Ended::Lost);
            }
        }
        None
    }

    fn acknowledged(&mut self, base_offset: Option<i64>) {
        if let Some(batch) = self.pending.pop_front() {
            let mut history = self.setup.history.lock();
            let partition = history.partition(self.partition);
            partition.acknowledged.push(Acknowledged { base_offset, records: batch.records });
        }
    }

    /// A new life: new id, sequences from 0. What is pending goes first.
    fn start_over(&mut self) {
        self.id = -1;
        self.next_sequence = 0;
        // The old batches carry the old id.
        self.pending.clear();
    }

    fn next_batch(&mut self) -> Batch {
        let count = self.random.between(BATCH_RECORDS.0, BATCH_RECORDS.1);
        let base_sequence = self.next_sequence;
        let codecs = [Compression::None, Compression::None, Compression::Lz4, Compression::Zstd];
        let mut builder = BatchBuilder::new(BatchOptions {
            compression: codecs[self.random.index(codecs.len())],
            producer_id: self.id,
            producer_epoch: self.epoch,
            base_sequence,
            ..BatchOptions::default()
        });
        let mut records = Vec::new();
        for _ in 0..count {
            let record = Written { producer: self.index, number: self.next_number };
            self.next_number += 1;
            let padding = "x".repeat(self.random.index(PADDING_MAX));
            let value = format!("{record} {padding}");
            builder.push(self.env.wall_ms(), None, Some(value.as_bytes()), &[]);
            records.push(record);
        }
        self.next_sequence += count as i32;
        Batch { base_sequence, records, bytes: builder.build() }
    }

    fn request(&self, batch: &Batch) -> ProduceRequest {
        let partition = PartitionProduceData {
            index: self.partition,
            records: Some(batch.bytes.clone()),
            ..PartitionProduceData::default()
        };
        let topic = TopicProduceData {
            name: TOPIC.into(),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        };
        ProduceRequest {
            acks: -1,
            timeout_ms: 5_000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        }
    }
}
