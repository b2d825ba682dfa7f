//! Follows the metadata log: every committed record goes into the image, is carried out on this node,
//! and only then published. Never shows what is not committed, and never passes over a record.
//!
//! An image that is published holds on this node: its partitions are open, its settings in force.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::{Env, Task};
use ottla_metadata::MetadataRecord;
use ottla_metadata::controller::Controller;
use ottla_metadata::image::MetadataImage;
use ottla_plant::{Plant, planted};
use ottla_protocol::Uuid;
use ottla_protocol::records::{BatchError, batches};
use tokio::sync::{Mutex, watch};

use super::raft::RaftDriver;
use super::replica::ReplicaDriver;
use crate::node::ConfigCell;

mod error;
mod log_reader;
mod snapshots;

pub(crate) use error::MetadataError;

/// The cluster as this node has it.
pub(crate) struct MetadataDriver<E: Env> {
    env: E,
    raft: Arc<RaftDriver<E>>,
    replica: Arc<ReplicaDriver<E>>,
    config: ConfigCell,
    image: watch::Sender<Arc<MetadataImage>>,
    progress: watch::Sender<Progress>,
    loader: Mutex<Loader>,
}

/// How far this node has come, for those who wait for an offset.
#[derive(Debug, Clone, Default)]
struct Progress {
    /// Everything below is carried out and published.
    applied: i64,
    is_loaded: bool,
    /// Why nothing more is applied until a restart.
    failed: Option<MetadataError>,
}

/// What has been read of the log.
#[derive(Default)]
struct Loader {
    /// The committed state. It is the controller's machine, for that knows of transactions.
    machine: Controller,
    /// Topics that were deleted: a log that one of them left behind may go.
    removed_topics: BTreeSet<Uuid>,
    /// Records of a transaction that is still open: carried out once it ends.
    held_back: Vec<MetadataRecord>,
    is_loaded: bool,
    schedule: snapshots::Schedule,
}

impl<E: Env> MetadataDriver<E> {
    /// A driver that has read nothing yet; see [`MetadataDriver::start`].
    pub(crate) fn new(
        env: E,
        raft: Arc<RaftDriver<E>>,
        replica: Arc<ReplicaDriver<E>>,
        config: ConfigCell,
    ) -> Arc<Self> {
        Arc::new(Self {
            env,
            raft,
            replica,
            config,
            image: watch::Sender::new(Arc::default()),
            progress: watch::Sender::default(),
            loader: Mutex::default(),
        })
    }

    /// Reads what is committed, now and from now on.
    pub(crate) fn start(self: &Arc<Self>) -> Vec<Task> {
        vec![self.env.spawn("metadata", Arc::clone(self).follow())]
    }

    /// The cluster as it is now.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.image.borrow())
    }

    /// Sees every later image too.
    pub(crate) fn watch_image(&self) -> watch::Receiver<Arc<MetadataImage>> {
        self.image.subscribe()
    }

    /// Everything below holds on this node. Never behind what the image shows.
    pub(crate) fn applied(&self) -> i64 {
        let shown = self.image.borrow().next_offset;
        self.progress.borrow().applied.max(shown)
    }

    /// Why this node no longer follows the cluster, if it does not.
    pub(crate) fn failed(&self) -> Option<MetadataError> {
        self.progress.borrow().failed.clone()
    }

    /// Until this node follows no longer.
    pub(crate) async fn until_failed(&self) -> MetadataError {
        let mut progress = self.progress.subscribe();
        match progress.wait_for(|progress| progress.failed.is_some()).await {
            Ok(now) => now.failed.clone().unwrap_or(MetadataError::Stopped),
            Err(_) => MetadataError::Stopped,
        }
    }

    /// Until the first image is there and holds.
    pub(crate) async fn loaded(&self) -> Result<(), MetadataError> {
        self.wait_for(|progress| progress.is_loaded).await
    }

    /// Until everything below `offset` holds on this node.
    pub(crate) async fn applied_to(&self, offset: i64) -> Result<(), MetadataError> {
        self.wait_for(|progress| progress.applied >= offset).await
    }

    /// The committed state, for a controller that begins to decide.
    pub(crate) async fn machine(&self) -> Controller {
        self.loader.lock().await.machine.clone()
    }

    async fn wait_for(&self, reached: impl Fn(&Progress) -> bool) -> Result<(), MetadataError> {
        let mut progress = self.progress.subscribe();
        let ended = |progress: &Progress| progress.failed.is_some() || reached(progress);
        let now = progress.wait_for(ended).await.map_err(|_| MetadataError::Stopped)?;
        if reached(&now) {
            Ok(())
        } else {
            Err(now.failed.clone().unwrap_or(MetadataError::Stopped))
        }
    }

    async fn follow(self: Arc<Self>) {
        let mut view = self.raft.watch();
        loop {
            let high_watermark = view.borrow_and_update().high_watermark;
            if let Err(error) = self.catch_up(high_watermark).await {
                tracing::error!(%error, "this node no longer follows the cluster's metadata; it \
                    applies no further change until it is mended and restarted");
                self.progress.send_modify(|progress| progress.failed = Some(error));
                return;
            }
            if view.changed().await.is_err() {
                return;
            }
        }
    }

    /// Applies everything below `high_watermark`.
    async fn catch_up(&self, high_watermark: i64) -> Result<(), MetadataError> {
        let loader = &mut *self.loader.lock().await;
        let log = self.raft.log();
        loop {
            let from = loader.machine.next_offset();
            let log_start = log.offsets().log_start;
            if log_start > from {
                self.load_snapshot(loader, log_start).await?;
                continue;
            }
            if from >= high_watermark {
                break;
            }
            let chunk = match log_reader::read(&self.env, log, from, high_watermark).await {
                Ok(chunk) => chunk,
                // The log went on from a snapshot meanwhile.
                Err(_) if log.offsets().log_start > from => continue,
                Err(error) => return Err(error),
            };
            self.apply_chunk(loader, &chunk).await?;
            if loader.machine.next_offset() <= from {
                let error = BatchError::Truncated { needed: 1, remaining: 0 };
                return Err(MetadataError::Batch { offset: from, error });
            }
        }
        // Nothing is committed where no leader has said so yet.
        if high_watermark > 0 && !loader.is_loaded {
            let image = Arc::new(loader.machine.image().clone());
            self.replica.open(&image, &loader.removed_topics).await?;
            loader.is_loaded = true;
            self.publish(loader, image);
        }
        Ok(())
    }

    async fn apply_chunk(&self, loader: &mut Loader, chunk: &Bytes) -> Result<(), MetadataError> {
        for batch in batches(chunk) {
            let at = loader.machine.next_offset();
            let (header, batch) =
                batch.map_err(|error| MetadataError::Batch { offset: at, error })?;
            if header.next_offset() <= at {
                continue;
            }
            if planted(Plant::ObserverLeftBehind) && header.last_offset_delta > 0 && self.observes()
            {
                return Ok(());
            }
            let carried_out = loader.replay(log_reader::records_of(&header, &batch)?)?;
            loader.machine.skip_to(header.next_offset());
            if loader.is_loaded {
                let image = Arc::new(loader.machine.image().clone());
                self.replica.apply(&image, &carried_out).await?;
                self.publish(loader, image);
            }
            let length = batch.len();
            self.snapshot_if_due(loader, length, header.partition_leader_epoch);
        }
        Ok(())
    }

    /// For plants: whether the quorum's leader is a broker, too.
    pub(crate) fn is_led_by_a_broker(&self) -> bool {
        let leader = self.raft.watch().borrow().leader;
        leader.is_some_and(|id| self.image().brokers.get(id).is_some())
    }

    /// For plants: whether this node has no vote.
    fn observes(&self) -> bool {
        !self.raft.voters().contains(&self.config.get().node_id)
    }

    fn publish(&self, loader: &Loader, image: Arc<MetadataImage>) {
        let applied = loader.machine.next_offset();
        self.image.send_replace(image);
        self.progress.send_modify(|progress| {
            progress.applied = applied;
            progress.is_loaded = true;
        });
        self.raft.applied(applied);
    }
}

impl Loader {
    /// Replays the records of a batch; answers those that take effect with it: none while a
    /// transaction is open, all of it when that ends.
    fn replay(
        &mut self,
        records: Vec<(i64, MetadataRecord)>,
    ) -> Result<Vec<MetadataRecord>, MetadataError> {
        let mut in_effect = Vec::new();
        for (offset, record) in records {
            self.machine.replay(&record).map_err(|error| {
                let record = record.name();
                MetadataError::Replay { offset, record, error }
            })?;
            match &record {
                MetadataRecord::BeginTransaction(_) => {}
                MetadataRecord::AbortTransaction(_) => self.held_back.clear(),
                MetadataRecord::EndTransaction(_) => in_effect.append(&mut self.held_back),
                _ if self.machine.has_open_transaction() => self.held_back.push(record),
                _ => in_effect.push(record),
            }
        }
        for record in &in_effect {
            if let MetadataRecord::RemoveTopic(record) = record {
                self.removed_topics.insert(record.topic_id);
            }
        }
        if self.is_loaded {
            // Their logs go with this batch: nothing is left behind.
            self.removed_topics.clear();
        }
        Ok(in_effect)
    }
}

#[cfg(test)]
mod tests;
