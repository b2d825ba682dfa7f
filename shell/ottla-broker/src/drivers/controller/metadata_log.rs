//! `__cluster_metadata-0`: the machine's records as Kafka's batches. Reads them all, appends more;
//! never skips one it does not understand.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_log::config::CleanupPolicy;
use ottla_metadata::MetadataRecord;
use ottla_metadata::controller::Controller;
use ottla_protocol::Uuid;
use ottla_protocol::messages::LeaderChangeMessage;
use ottla_protocol::messages::leader_change_message::Voter;
use ottla_protocol::records::control::{self, ControlRecord};
use ottla_protocol::records::{BatchBuilder, BatchHeader, BatchOptions, batches, records};

use super::ControllerError;
use crate::log::{
    AppendError, AppendOptions, DataDir, LogConfig, Partition, ReadOptions, ReadOutcome,
    TopicPartition,
};

/// Bytes asked for at once while the log is read.
const READ_BYTES: usize = 1 << 20;
/// What one batch of the log may decompress to; Kafka's largest batch of metadata is 8 MiB.
const BATCH_BYTES_MAX: usize = 64 << 20;

/// What reading the log gave.
pub(super) struct Loaded<E: Env> {
    pub(super) log: MetadataLog<E>,
    pub(super) controller: Controller,
    /// Topics that were deleted at some time: a log that one of them left behind may go.
    pub(super) removed_topics: BTreeSet<Uuid>,
}

pub(super) struct MetadataLog<E: Env> {
    partition: Arc<Partition<E>>,
    /// Grows with each start, as if the quorum of one had elected its leader anew.
    leader_epoch: i32,
}

/// The metadata log is the cluster: it is never deleted, compacted or rewritten.
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
    /// Opens the log, or makes an empty one, and replays all of it.
    pub(super) async fn load(env: &E, data_dir: &DataDir<E>) -> Result<Loaded<E>, ControllerError> {
        let id = TopicPartition {
            topic: ottla_metadata::topic_name::CLUSTER_METADATA.into(),
            topic_id: Uuid::ONE,
            partition: 0,
        };
        let partition = data_dir.create_partition(&id, config())?;
        let offsets = partition.offsets();
        if offsets.log_start > 0 {
            return Err(ControllerError::Snapshot { log_start: offsets.log_start });
        }
        let mut controller = Controller::default();
        let mut removed_topics = BTreeSet::new();
        let mut leader_epoch = 0;
        let mut from = 0;
        while from < offsets.log_end {
            let chunk = read(env, &partition, from, offsets.log_end).await?;
            for batch in batches(&chunk) {
                let at = controller.next_offset();
                let damaged = |error| ControllerError::Batch { offset: at, error };
                let (header, batch) = batch.map_err(damaged)?;
                replay_batch(&mut controller, &mut removed_topics, &header, &batch)?;
                leader_epoch = leader_epoch.max(header.partition_leader_epoch);
            }
            if controller.next_offset() <= from {
                let error =
                    ottla_protocol::records::BatchError::Truncated { needed: 1, remaining: 0 };
                return Err(ControllerError::Batch { offset: from, error });
            }
            from = controller.next_offset();
        }
        Ok(Loaded { log: Self { partition, leader_epoch }, controller, removed_topics })
    }

    /// Notes in the log that this node leads the quorum from here on.
    pub(super) async fn lead(
        &mut self,
        env: &E,
        data_dir: &DataDir<E>,
        node_id: i32,
        controller: &mut Controller,
    ) -> Result<(), ControllerError> {
        self.leader_epoch += 1;
        let voter = || vec![Voter { voter_id: node_id, ..Default::default() }];
        let change = LeaderChangeMessage {
            leader_id: node_id,
            voters: voter(),
            granting_voters: voter(),
            ..Default::default()
        };
        let options = self.options();
        let now_ms = env.wall_ms();
        let batch = control::batch(options, now_ms, &[ControlRecord::LeaderChange(change)]);
        let batch = batch.map_err(|error| ControllerError::Refused(error.to_string()))?;
        self.write(env, data_dir, batch).await.map_err(ControllerError::Append)?;
        controller.skip_to(self.partition.offsets().log_end);
        Ok(())
    }

    /// Appends records as one batch: all of them survive a crash, or none. Answers the position to
    /// wait for.
    pub(super) async fn append(
        &self,
        env: &E,
        data_dir: &DataDir<E>,
        records: &[MetadataRecord],
    ) -> Result<u64, AppendError> {
        let now_ms = env.wall_ms();
        let mut builder = BatchBuilder::new(self.options());
        for record in records {
            let value = record.encode().map_err(|error| AppendError::Refused {
                code: ottla_protocol::ErrorCode::UnknownServerError,
                message: error.to_string(),
                record_errors: Vec::new(),
            })?;
            builder.push(now_ms, None, Some(&value), &[]);
        }
        self.write(env, data_dir, builder.build()).await
    }

    fn options(&self) -> BatchOptions {
        BatchOptions { leader_epoch: self.leader_epoch, ..BatchOptions::default() }
    }

    /// Waits for room in the write-ahead log, and for nothing else.
    async fn write(
        &self,
        env: &E,
        data_dir: &DataDir<E>,
        batch: Bytes,
    ) -> Result<u64, AppendError> {
        loop {
            let options = AppendOptions::coordinator(self.leader_epoch, env.wall_ms());
            match self.partition.append(batch.clone(), &options) {
                Ok(appended) => return Ok(appended.lsn),
                Err(AppendError::Busy) => data_dir.room().await,
                Err(error) => return Err(error),
            }
        }
    }
}

async fn read<E: Env>(
    env: &E,
    partition: &Arc<Partition<E>>,
    from: i64,
    upper: i64,
) -> Result<Bytes, ControllerError> {
    let options = ReadOptions { max_bytes: READ_BYTES, min_one_batch: true, upper };
    let slices = match partition.read(from, &options).map_err(ControllerError::Read)? {
        ReadOutcome::Hot(slices) => slices,
        ReadOutcome::Cold(cold) => {
            let stopped =
                |_| ControllerError::Refused("this node was stopped while it started".into());
            let read = env.run_blocking(move || cold.run()).await.map_err(stopped)?;
            read.map_err(ControllerError::Read)?
        }
    };
    Ok(slices.into_bytes())
}

fn replay_batch(
    controller: &mut Controller,
    removed_topics: &mut BTreeSet<Uuid>,
    header: &BatchHeader,
    batch: &Bytes,
) -> Result<(), ControllerError> {
    if header.is_control() {
        // Changes of the quorum's leader and of its voters: a quorum of one has no use for them.
        controller.skip_to(header.next_offset());
        return Ok(());
    }
    let offset = header.base_offset;
    let damaged = |error| ControllerError::Batch { offset, error };
    for record in records(header, batch, BATCH_BYTES_MAX).map_err(damaged)? {
        let record = record.map_err(damaged)?;
        let offset = record.offset;
        let value = record.value.unwrap_or_default();
        let record = MetadataRecord::decode(value)
            .map_err(|error| ControllerError::Record { offset, error })?;
        controller.replay(&record).map_err(|error| {
            let record = record.name();
            ControllerError::Replay { offset, record, error }
        })?;
        if let MetadataRecord::RemoveTopic(record) = &record {
            removed_topics.insert(record.topic_id);
        }
    }
    controller.skip_to(header.next_offset());
    Ok(())
}
