//! A data directory in memory with the interface of `ottla-log`'s, to be replaced by it.
#![allow(unused_imports, dead_code)]

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ottla_env::Env;
pub use ottla_log::config::LogConfig;
use ottla_protocol::records::{BatchHeader, set_base_offset, set_leader_epoch, verify_crc};
use ottla_protocol::{ErrorCode, Uuid};
use parking_lot::Mutex;

pub mod fault;
pub mod options;

pub use fault::{AppendError, Failed, LogError, OpenError, ReadError};
pub use options::{
    AppendOptions, AppendOrigin, Appended, DataDirOptions, FlushMode, Offsets, ReadOptions, Slices,
    TimestampedOffset, TopicPartition,
};

/// Told when a log end or a high watermark moves.
pub trait ProgressListener: Send + Sync + 'static {
    fn progressed(&self, offsets: Offsets);
}

pub struct DataDir<E: Env> {
    inner: Arc<Inner<E>>,
}

impl<E: Env> Clone for DataDir<E> {
    fn clone(&self) -> Self {
        DataDir { inner: Arc::clone(&self.inner) }
    }
}

struct Inner<E: Env> {
    cluster_id: String,
    partitions: Mutex<BTreeMap<(Uuid, i32), Arc<Partition<E>>>>,
}

#[derive(Debug, Default)]
pub struct RecoveryReport;

impl<E: Env> DataDir<E> {
    pub fn open(
        _env: E,
        options: DataDirOptions,
    ) -> Result<(DataDir<E>, RecoveryReport), OpenError> {
        let cluster_id = options.cluster_id.unwrap_or_else(|| "4L6g3nShT-eMCtK--X86sw".into());
        let inner = Arc::new(Inner { cluster_id, partitions: Mutex::default() });
        Ok((DataDir { inner }, RecoveryReport))
    }
    pub fn cluster_id(&self) -> &str {
        &self.inner.cluster_id
    }
    pub fn directory_id(&self) -> Uuid {
        Uuid([9; 16])
    }
    pub fn create_partition(
        &self,
        id: &TopicPartition,
        config: LogConfig,
    ) -> Result<Arc<Partition<E>>, LogError> {
        let partition = Arc::new(Partition {
            id: id.clone(),
            state: Mutex::new(State::default()),
            config: Mutex::new(Arc::new(config)),
            listener: Mutex::default(),
            env: PhantomData,
        });
        let mut partitions = self.inner.partitions.lock();
        Ok(Arc::clone(partitions.entry((id.topic_id, id.partition)).or_insert(partition)))
    }
    pub fn partition(&self, topic_id: Uuid, index: i32) -> Option<Arc<Partition<E>>> {
        self.inner.partitions.lock().get(&(topic_id, index)).cloned()
    }
    pub fn partitions(&self) -> Vec<Arc<Partition<E>>> {
        self.inner.partitions.lock().values().cloned().collect()
    }
    pub fn delete_partition(&self, topic_id: Uuid, index: i32) -> Result<(), LogError> {
        self.inner.partitions.lock().remove(&(topic_id, index));
        Ok(())
    }
    pub fn durable_lsn(&self) -> u64 {
        u64::MAX
    }
    pub fn failed(&self) -> Option<Failed> {
        None
    }
    pub async fn wait_durable(&self, _lsn: u64) -> Result<(), Failed> {
        Ok(())
    }
    pub async fn room(&self) {}
    pub async fn close(&self) {}
}

pub struct Partition<E: Env> {
    id: TopicPartition,
    state: Mutex<State>,
    config: Mutex<Arc<LogConfig>>,
    listener: Mutex<Option<Arc<dyn ProgressListener>>>,
    env: PhantomData<E>,
}

#[derive(Default)]
struct State {
    log_start: i64,
    log_end: i64,
    leader_epoch: i32,
    bytes: u64,
    batches: Vec<(BatchHeader, Bytes)>,
}

/// A read that may wait for the disk.
pub struct ColdRead;

impl ColdRead {
    pub fn run(self) -> Result<Slices, ReadError> {
        Ok(Slices::empty(0))
    }
}

pub enum ReadOutcome {
    Hot(Slices),
    Cold(ColdRead),
}

#[derive(Debug, Clone)]
pub struct ProducerSnapshot {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub last_sequence: i32,
    pub last_timestamp: i64,
    pub coordinator_epoch: i32,
    pub current_txn_start_offset: i64,
}

impl<E: Env> Partition<E> {
    pub fn id(&self) -> &TopicPartition {
        &self.id
    }
    pub fn append(&self, records: Bytes, options: AppendOptions) -> Result<Appended, AppendError> {
        let refused = |code| AppendError::Refused { code, message: String::new() };
        let mut batch = BytesMut::from(&records[..]);
        let header = BatchHeader::parse(&batch).map_err(|_| refused(ErrorCode::CorruptMessage))?;
        verify_crc(&batch).map_err(|_| refused(ErrorCode::CorruptMessage))?;
        let mut state = self.state.lock();
        let base_offset = state.log_end;
        set_base_offset(&mut batch, base_offset);
        set_leader_epoch(&mut batch, options.leader_epoch);
        let header = BatchHeader { base_offset, ..header };
        state.log_end = header.next_offset();
        state.bytes += batch.len() as u64;
        state.batches.push((header.clone(), batch.freeze()));
        let log_start_offset = state.log_start;
        drop(state);
        if let Some(listener) = &*self.listener.lock() {
            listener.progressed(self.offsets());
        }
        Ok(Appended {
            base_offset,
            last_offset: header.last_offset(),
            log_append_time_ms: -1,
            log_start_offset,
            lsn: 0,
            duplicate: false,
        })
    }
    pub fn offsets(&self) -> Offsets {
        let state = self.state.lock();
        Offsets {
            log_start: state.log_start,
            last_stable: state.log_end,
            high_watermark: state.log_end,
            log_end: state.log_end,
        }
    }
    pub fn on_progress(&self, listener: Arc<dyn ProgressListener>) {
        *self.listener.lock() = Some(listener);
    }
    pub fn read(&self, from: i64, options: ReadOptions) -> Result<ReadOutcome, ReadError> {
        let state = self.state.lock();
        if from < state.log_start || from > state.log_end {
            let (log_start, log_end) = (state.log_start, state.log_end);
            return Err(ReadError::OffsetOutOfRange { log_start, log_end });
        }
        let mut slices = Slices::empty(from);
        for (header, batch) in &state.batches {
            if header.next_offset() <= from || header.next_offset() > options.upper {
                continue;
            }
            let fits = slices.bytes + batch.len() <= options.max_bytes;
            if !fits && !(options.min_one_batch && slices.bytes == 0) {
                break;
            }
            slices.bytes += batch.len();
            slices.chunks.push(batch.clone());
            slices.next_offset = header.next_offset();
        }
        Ok(ReadOutcome::Hot(slices))
    }
    pub fn offset_for_timestamp(
        &self,
        timestamp: i64,
        _upper: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let state = self.state.lock();
        let found = state.batches.iter().find(|(header, _)| header.max_timestamp >= timestamp);
        Ok(found.map(|(header, _)| TimestampedOffset {
            offset: header.base_offset,
            timestamp: header.base_timestamp,
            leader_epoch: header.partition_leader_epoch,
        }))
    }
    pub fn max_timestamp_offset(&self) -> Result<Option<TimestampedOffset>, ReadError> {
        let state = self.state.lock();
        let found = state.batches.iter().max_by_key(|(header, _)| header.max_timestamp);
        Ok(found.map(|(header, _)| TimestampedOffset {
            offset: header.last_offset(),
            timestamp: header.max_timestamp,
            leader_epoch: header.partition_leader_epoch,
        }))
    }
    pub fn end_offset_for_epoch(&self, leader_epoch: i32) -> Option<(i32, i64)> {
        let state = self.state.lock();
        (leader_epoch <= state.leader_epoch).then_some((leader_epoch, state.log_end))
    }
    pub fn leader_epoch(&self) -> i32 {
        self.state.lock().leader_epoch
    }
    pub fn assign_leader_epoch(&self, epoch: i32) {
        self.state.lock().leader_epoch = epoch;
    }
    pub fn delete_records_before(&self, offset: i64) -> Result<i64, LogError> {
        let mut state = self.state.lock();
        state.log_start = offset;
        Ok(offset)
    }
    pub fn producers(&self) -> Vec<ProducerSnapshot> {
        Vec::new()
    }
    pub fn aborted_transactions(&self, _from: i64, _to: i64) -> Vec<(i64, i64)> {
        Vec::new()
    }
    pub fn size_in_bytes(&self) -> u64 {
        self.state.lock().bytes
    }
    pub fn config(&self) -> Arc<LogConfig> {
        Arc::clone(&self.config.lock())
    }
    pub fn set_config(&self, config: LogConfig) {
        *self.config.lock() = Arc::new(config);
    }
}
