//! `__cluster_metadata-0` as a log of the data directory: how it is opened, appended to and read.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_log::config::CleanupPolicy;
use ottla_log::validate::Origin;
use ottla_protocol::Uuid;
use ottla_raft::LogView;

use crate::log::{
    AppendError, AppendOptions, Appended, DataDir, LogConfig, LogError, Partition, ReadError,
    ReadOptions, ReadOutcome, TopicPartition,
};

/// What one batch of the log may decompress to; Kafka's largest batch of metadata is 8 MiB.
pub(super) const BATCH_BYTES_MAX: usize = 64 << 20;

pub(super) struct MetadataLog<E: Env> {
    pub(super) partition: Arc<Partition<E>>,
}

/// The metadata log is the cluster: nothing but a snapshot of it lets old records go, and nothing compacts or rewrites it.
fn config() -> LogConfig {
    LogConfig {
        retention_ms: -1,
        retention_bytes: -1,
        cleanup_policy: CleanupPolicy { delete: false, compact: false },
        max_message_bytes: BATCH_BYTES_MAX as u32,
        ..LogConfig::default()
    }
}

impl<E: Env> MetadataLog<E> {
    /// Opens the log, or makes an empty one. From here on the quorum moves its high watermark.
    pub(super) fn open(data_dir: &DataDir<E>) -> Result<Self, LogError> {
        let id = TopicPartition {
            topic: ottla_metadata::topic_name::CLUSTER_METADATA.into(),
            topic_id: Uuid::ONE,
            partition: 0,
        };
        let partition = data_dir.create_partition(&id, config())?;
        // It waits for nothing: a log that does not remember this is asked again at the next start.
        partition.set_replicated(true)?;
        Ok(Self { partition })
    }

    /// What the machine knows of it, after a start: all that is there is on stable storage.
    pub(super) fn view(&self) -> LogView {
        let offsets = self.partition.offsets();
        LogView {
            start: offsets.log_start,
            end: offsets.log_end,
            durable: offsets.log_end,
            epochs: self.partition.epochs(),
            earliest_snapshot: None,
            latest_snapshot: None,
        }
    }

    /// Appends a batch of this node's own, as the leader of `epoch`.
    pub(super) fn append_own(
        &self,
        batch: Bytes,
        epoch: i32,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        self.partition.append(batch, &AppendOptions::coordinator(epoch, now_ms))
    }

    /// Appends a batch of the leader's log, as it is.
    pub(super) fn append_fetched(
        &self,
        batch: Bytes,
        epoch: i32,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let options =
            AppendOptions { origin: Origin::Replica, ..AppendOptions::coordinator(epoch, now_ms) };
        self.partition.append(batch, &options)
    }

    /// Whole batches from `from` on, at least one if there is one below `upper`.
    pub(super) async fn read(
        &self,
        env: &E,
        from: i64,
        max_bytes: usize,
        upper: i64,
    ) -> Result<Bytes, ReadError> {
        let options = ReadOptions { max_bytes, min_one_batch: true, upper };
        let slices = match self.partition.read(from, &options)? {
            ReadOutcome::Hot(slices) => slices,
            ReadOutcome::Cold(cold) => match env.run_blocking(move || cold.run()).await {
                Ok(read) => read?,
                Err(_stopped) => return Err(ReadError::Deleted),
            },
        };
        Ok(slices.into_bytes())
    }
}
