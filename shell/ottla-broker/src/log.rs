//! A data directory in memory with the interface of `ottla-log`'s, to be replaced by it.
#![allow(unused_imports, dead_code)]

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ottla_env::Env;
pub use ottla_log::config::LogConfig;
pub use ottla_log::validate::RecordError;
use ottla_protocol::records::{BatchHeader, set_base_offset, set_leader_epoch, verify_crc};
use ottla_protocol::{ErrorCode, Uuid};
use parking_lot::Mutex;

pub mod fault;
pub mod options;

pub use fault::{AppendError, Failed, LogError, OpenError, ReadError};
pub use options::{
    AppendOptions, Appended, DataDirOptions, DeletedRecords, FlushMode, Offsets, ReadOptions,
    Slices, TimestampedOffset, TopicPartition,
};

/// Told when a log end or a high watermark moves.
pub trait ProgressListener: Send + Sync + 'static {
    fn on_progress(&self, partition: &TopicPartition, offsets: Offsets);
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
    pub fn delete_partition(&self, topic_id: Uuid, index: i32) -> Result<Option<u64>, LogError> {
        self.inner.partitions.lock().remove(&(topic_id, index));
        Ok(Some(0))
    }
    pub fn durable(&self) -> u64 {
        u64::MAX
    }
    pub fn failed(&self) -> Option<Failed> {
        None
    }
    pub async fn wait_durable(&self, _lsn: u64) -> Result<(), Failed> {
        Ok(())
    }
    pub async fn room(&self) {}
    pub fn space(&self) -> std::io::Result<(u64, u64)> {
        Ok((1, 1))
    }
    pub fn path(&self) -> &std::path::Path {
        std::path::Path::new("memory")
    }
    pub fn write_staged(&self) -> Result<(), Failed> {
        Ok(())
    }
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

pub use ottla_log::index::AbortedTransaction;
pub use ottla_log::producers::ProducerState;

impl<E: Env> Partition<E> {
    pub fn id(&self) -> &TopicPartition {
        &self.id
    }
    pub fn append(
        self: &Arc<Self>,
        records: Bytes,
        options: &AppendOptions,
    ) -> Result<Appended, AppendError> {
        let refused =
            |code| AppendError::Refused { code, message: String::new(), record_errors: Vec::new() };
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
            listener.on_progress(&self.id, self.offsets());
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
    pub fn read(
        self: &Arc<Self>,
        from: i64,
        options: &ReadOptions,
    ) -> Result<ReadOutcome, ReadError> {
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
    pub fn max_timestamp_offset(
        &self,
        _upper: i64,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let state = self.state.lock();
        let found = state.batches.iter().max_by_key(|(header, _)| header.max_timestamp);
        Ok(found.map(|(header, _)| TimestampedOffset {
            offset: header.last_offset(),
            timestamp: header.max_timestamp,
            leader_epoch: header.partition_leader_epoch,
        }))
    }
    pub fn end_offset_for_epoch(&self, leader_epoch: i32) -> (i32, i64) {
        let state = self.state.lock();
        if leader_epoch <= state.leader_epoch { (leader_epoch, state.log_end) } else { (-1, -1) }
    }
    pub fn leader_epoch(&self) -> Option<i32> {
        Some(self.state.lock().leader_epoch)
    }
    pub fn assign_leader_epoch(&self, epoch: i32) -> Result<(), LogError> {
        self.state.lock().leader_epoch = epoch;
        Ok(())
    }
    pub fn delete_records_before(&self, offset: i64) -> Result<DeletedRecords, LogError> {
        let mut state = self.state.lock();
        state.log_start = offset;
        Ok(DeletedRecords { log_start: offset, lsn: 0 })
    }
    pub fn producers(&self) -> Vec<(i64, ProducerState)> {
        Vec::new()
    }
    pub fn aborted_transactions(&self, _from: i64, _to: i64) -> Vec<AbortedTransaction> {
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
