//! Drives the metadata quorum: the log `__cluster_metadata-0`, who leads, and what is committed.
//!
//! A node whose quorum is itself alone leads it at once; what is durable here is committed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ottla_env::{Env, Task};
use ottla_log::config::CleanupPolicy;
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::LeaderChangeMessage;
use ottla_protocol::messages::leader_change_message::Voter;
use ottla_protocol::records::control::{self, ControlRecord};
use ottla_protocol::records::{BatchBuilder, BatchOptions};
use ottla_protocol::{ErrorCode, Uuid};
use tokio::sync::{Mutex, Notify, watch};

use crate::log::{
    AppendError, AppendOptions, DataDir, Failed, LogConfig, LogError, Partition, TopicPartition,
};
use crate::node::{ConfigCell, NodeIdentity};

/// What one batch of the log may decompress to; Kafka's largest batch of metadata is 8 MiB.
const BATCH_BYTES_MAX: u32 = 64 << 20;

/// What the quorum looks like from here.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct QuorumView {
    pub(crate) epoch: i32,
    pub(crate) leader: Option<i32>,
    /// `host:port` of the leader's controller listener.
    pub(crate) leader_address: Option<String>,
    pub(crate) is_me: bool,
    /// Offset of this epoch's LeaderChange record while this node leads.
    pub(crate) epoch_start: i64,
    /// Everything below is committed.
    pub(crate) high_watermark: i64,
    pub(crate) log_end: i64,
}

/// Why the metadata log cannot be used.
#[derive(Debug)]
pub enum RaftStartError {
    Log(LogError),
    Append(AppendError),
    Failed(Failed),
    Refused(String),
}

impl std::fmt::Display for RaftStartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Log(error) => write!(f, "cannot open the metadata log: {error}"),
            Self::Append(error) => write!(f, "cannot write to the metadata log: {error}"),
            Self::Failed(failed) => failed.fmt(f),
            Self::Refused(message) => write!(f, "cannot lead the metadata quorum: {message}"),
        }
    }
}

impl std::error::Error for RaftStartError {}

/// The quorum, as this node takes part in it.
pub(crate) struct RaftDriver<E: Env> {
    env: E,
    data_dir: DataDir<E>,
    log: Arc<Partition<E>>,
    view: watch::Sender<QuorumView>,
    applied: watch::Sender<i64>,
    /// One append after the other.
    appending: Mutex<()>,
    /// The position of the last append, for the task that waits for the disk.
    appended_lsn: AtomicU64,
    appended: Notify,
}

/// The metadata log is the cluster: it is never deleted, compacted or rewritten.
fn log_config() -> LogConfig {
    LogConfig {
        retention_ms: -1,
        retention_bytes: -1,
        cleanup_policy: CleanupPolicy { delete: false, compact: false },
        max_message_bytes: BATCH_BYTES_MAX,
        ..LogConfig::default()
    }
}

impl<E: Env> RaftDriver<E> {
    /// Opens the metadata log, or makes an empty one, and leads it in a new epoch.
    pub(crate) async fn open(
        env: E,
        data_dir: DataDir<E>,
        node: NodeIdentity,
        _config: ConfigCell,
        _bound: &[(String, SocketAddr)],
    ) -> Result<Arc<Self>, RaftStartError> {
        let id = TopicPartition {
            topic: ottla_metadata::topic_name::CLUSTER_METADATA.into(),
            topic_id: Uuid::ONE,
            partition: 0,
        };
        let log = data_dir.create_partition(&id, log_config()).map_err(RaftStartError::Log)?;
        let offsets = log.offsets();
        let epoch = log.leader_epoch().unwrap_or(0) + 1;
        let view = QuorumView {
            epoch,
            leader: Some(node.node_id),
            leader_address: None,
            is_me: true,
            epoch_start: offsets.log_end,
            high_watermark: 0,
            log_end: offsets.log_end,
        };
        let raft = Arc::new(Self {
            env,
            data_dir,
            log,
            view: watch::Sender::new(view),
            applied: watch::Sender::new(0),
            appending: Mutex::new(()),
            appended_lsn: AtomicU64::new(0),
            appended: Notify::new(),
        });
        raft.lead(node.node_id, epoch).await?;
        Ok(raft)
    }

    async fn lead(&self, node_id: i32, epoch: i32) -> Result<(), RaftStartError> {
        let voter = || vec![Voter { voter_id: node_id, ..Default::default() }];
        let change = LeaderChangeMessage {
            leader_id: node_id,
            voters: voter(),
            granting_voters: voter(),
            ..Default::default()
        };
        let options = BatchOptions { leader_epoch: epoch, ..BatchOptions::default() };
        let now_ms = self.env.wall_ms();
        let batch = control::batch(options, now_ms, &[ControlRecord::LeaderChange(change)]);
        let batch = batch.map_err(|error| RaftStartError::Refused(error.to_string()))?;
        self.write(epoch, batch).await.map_err(RaftStartError::Append)?;
        let lsn = self.appended_lsn.load(Ordering::SeqCst);
        self.data_dir.wait_durable(lsn).await.map_err(RaftStartError::Failed)?;
        self.view.send_modify(|view| view.high_watermark = view.log_end);
        Ok(())
    }

    pub(crate) fn start(self: &Arc<Self>) -> Vec<Task> {
        vec![self.env.spawn("raft", Arc::clone(self).commit())]
    }

    /// What is durable is committed.
    async fn commit(self: Arc<Self>) {
        loop {
            self.appended.notified().await;
            let (lsn, end) = (self.appended_lsn.load(Ordering::SeqCst), self.view.borrow().log_end);
            if let Err(failed) = self.data_dir.wait_durable(lsn).await {
                tracing::error!(%failed, "the metadata log cannot be written");
                self.view.send_modify(|view| view.is_me = false);
                return;
            }
            self.view.send_modify(|view| view.high_watermark = view.high_watermark.max(end));
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<QuorumView> {
        self.view.subscribe()
    }

    /// The log, to read what is committed.
    pub(crate) fn log(&self) -> &Arc<Partition<E>> {
        &self.log
    }

    /// One batch, atomic, as leader of `epoch`; answers the offset of its last record.
    pub(crate) async fn append(
        &self,
        epoch: i32,
        records: &[MetadataRecord],
    ) -> Result<i64, ErrorCode> {
        if !self.leads(epoch) {
            return Err(ErrorCode::NotController);
        }
        let now_ms = self.env.wall_ms();
        let options = BatchOptions { leader_epoch: epoch, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        for record in records {
            let value = record.encode().map_err(|_| ErrorCode::UnknownServerError)?;
            builder.push(now_ms, None, Some(&value), &[]);
        }
        let end = self.write(epoch, builder.build()).await.map_err(|error| {
            tracing::error!(%error, "cannot write to the metadata log");
            error.kafka_code()
        })?;
        self.appended.notify_one();
        Ok(end - 1)
    }

    /// Waits for room in the write-ahead log, and for nothing else. Answers the log's end.
    async fn write(&self, epoch: i32, batch: Bytes) -> Result<i64, AppendError> {
        let _in_turn = self.appending.lock().await;
        loop {
            let options = AppendOptions::coordinator(epoch, self.env.wall_ms());
            match self.log.append(batch.clone(), &options) {
                Ok(appended) => {
                    let end = self.log.offsets().log_end;
                    self.appended_lsn.store(appended.lsn, Ordering::SeqCst);
                    self.view.send_modify(|view| view.log_end = end);
                    return Ok(end);
                }
                Err(AppendError::Busy) => self.data_dir.room().await,
                Err(error) => return Err(error),
            }
        }
    }

    fn leads(&self, epoch: i32) -> bool {
        let view = self.view.borrow();
        view.is_me && view.epoch == epoch
    }

    /// Until `offset` is committed; NotController if the leadership of `epoch` ends first.
    pub(crate) async fn committed(&self, epoch: i32, offset: i64) -> Result<(), ErrorCode> {
        let mut view = self.view.subscribe();
        let decided =
            |view: &QuorumView| view.high_watermark > offset || !view.is_me || view.epoch != epoch;
        match view.wait_for(decided).await {
            Ok(view) if view.high_watermark > offset && view.epoch == epoch => Ok(()),
            _ => Err(ErrorCode::NotController),
        }
    }

    /// Bounded: until every replica in `nodes` has applied everything below `offset`.
    pub(crate) async fn seen_by(&self, _nodes: &[i32], offset: i64, limit: Duration) -> bool {
        let mut applied = self.applied.subscribe();
        let seen = async move { applied.wait_for(|applied| *applied >= offset).await.is_ok() };
        self.env.timeout(limit, seen).await.unwrap_or(false)
    }

    /// This node's image has everything below `offset`.
    pub(crate) fn applied(&self, offset: i64) {
        self.applied.send_replace(offset);
    }

    /// Gives the leadership up before an orderly stop.
    pub(crate) async fn resign(&self) {}
}
