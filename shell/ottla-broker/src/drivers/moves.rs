//! Moves replicas between the directories of this node (AlterReplicaLogDirs, KIP-113). A copy in the other
//! directory follows the replica, by the rules by which any follower follows its leader. Once it has
//! caught up the controller is told where the replica will be (KIP-858); once that is known the replica stands
//! still for the moment it takes to copy the rest, and the copy takes its place.
//!
//! One task does it, within `replica.alter.log.dirs.io.max.bytes.per.second`. A copy that a stop interrupts
//! is there at the next start, and goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::{Env, Task};
use ottla_plant::{Plant, planted};
use ottla_replica::Throttle;
use tokio::sync::Notify;

use super::metadata::MetadataDriver;
use super::replica::ReplicaDriver;
use crate::log::{self, DataDirs, LogError, Mark};
use crate::node::ConfigCell;
use crate::partition::office::PartitionKey;
use crate::partition::registry::{Partition, Registry, Replaced};

mod follow;

use follow::Step;

/// How often to look again at copies that have all there is, or cannot go on.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// How often the rest is copied while the replica stands still, before that is given up for now.
const LAST_STEPS: usize = 64;

/// Bytes that are read at a time, as many as the throttle lets pass in a part of a second.
const READ_MAX: usize = 1 << 20;
const READ_MIN: usize = 16 << 10;
const STEPS_A_SECOND: i64 = 8;

/// See the module.
pub(crate) struct MoveDriver<E: Env> {
    env: E,
    data_dirs: DataDirs<E>,
    registry: Arc<Registry<E>>,
    replica: Arc<ReplicaDriver<E>>,
    metadata: Arc<MetadataDriver<E>>,
    config: ConfigCell,
    begun: Notify,
}

impl<E: Env> MoveDriver<E> {
    pub(crate) fn new(
        env: E,
        data_dirs: DataDirs<E>,
        registry: Arc<Registry<E>>,
        replica: Arc<ReplicaDriver<E>>,
        metadata: Arc<MetadataDriver<E>>,
        config: ConfigCell,
    ) -> Arc<Self> {
        let begun = Notify::new();
        Arc::new(Self { env, data_dirs, registry, replica, metadata, config, begun })
    }

    /// A copy was begun, or given up.
    pub(crate) fn tell(&self) {
        self.begun.notify_one();
    }

    /// Runs until it is aborted.
    pub(crate) fn start(self: &Arc<Self>) -> Task {
        self.env.spawn("moves", Arc::clone(self).run())
    }

    async fn run(self: Arc<Self>) {
        let mut throttle = Throttle::default();
        let mut under_way = BTreeMap::new();
        loop {
            self.look(&mut under_way);
            if under_way.is_empty() {
                self.begun.notified().await;
                continue;
            }
            let mut has_moved = false;
            for (key, copy) in &under_way {
                has_moved |= self.step(*key, copy, &mut throttle).await;
            }
            if !has_moved {
                let _told = self.env.timeout(LOOK_PAUSE, self.begun.notified()).await;
            }
        }
    }

    /// Takes up what copies there are now, and lets go of those that are no more.
    fn look(&self, under_way: &mut BTreeMap<PartitionKey, Arc<Partition<E>>>) {
        let copies = self.data_dirs.copies();
        let key = |log: &log::Partition<E>| (log.id().topic_id, log.id().partition);
        let is_there =
            |known: &Partition<E>| copies.iter().any(|copy| Arc::ptr_eq(copy, &known.log));
        under_way.retain(|_, known| is_there(known));
        for copy in &copies {
            let known = under_way.entry(key(copy));
            known.or_insert_with(|| self.registry.host_copy(Arc::clone(copy)));
        }
        for bound in self.registry.bound() {
            if !under_way.contains_key(&bound) {
                self.registry.stays(bound);
            }
        }
    }

    /// One step of a move; whether there may be another at once.
    async fn step(
        &self,
        key: PartitionKey,
        copy: &Arc<Partition<E>>,
        throttle: &mut Throttle,
    ) -> bool {
        let topic = self.registry.topic_by_id(key.0);
        let Some(original) = topic.as_ref().and_then(|topic| topic.partition(key.1)) else {
            return false;
        };
        if original.log.is_offline() || copy.log.is_offline() {
            return false;
        }
        let now_ms = self.registry.office().now_ms();
        let rate = self.config.get().replication.replica_alter_log_dirs_io_max_bytes_per_second;
        if throttle.closed_for(rate, now_ms).is_some() {
            return false;
        }
        let most = usize::try_from(rate / STEPS_A_SECOND).unwrap_or(usize::MAX);
        match self.follow(original, copy, most.clamp(READ_MIN, READ_MAX)).await {
            Step::Copied(bytes) => {
                throttle.pass(bytes);
                true
            }
            Step::Waits => false,
            Step::HasAll => {
                self.registry.bind_for(key, copy.log.directory_id());
                self.is_known(key, copy) && self.swap(original, copy).await
            }
        }
    }

    /// Whether the controller knows where the replica will be. Levels before 3.7 know of no directories.
    fn is_known(&self, key: PartitionKey, copy: &Partition<E>) -> bool {
        let image = self.metadata.image();
        let me = self.registry.office().node_id();
        let state = image.topics.partition(key.0, key.1);
        let believed = state.and_then(|state| state.directory(me));
        !image.features.has_directories() || believed == Some(copy.log.directory_id())
    }

    /// Has the copy take the place of the replica.
    async fn swap(&self, original: &Arc<Partition<E>>, copy: &Arc<Partition<E>>) -> bool {
        let before = original.log.stand_still();
        let steps = if planted(Plant::CopyTakesOverBehind) { 0 } else { LAST_STEPS };
        for _ in 0..steps {
            match self.follow(original, copy, READ_MAX).await {
                Step::Copied(_) => {}
                Step::HasAll => break,
                Step::Waits => self.env.sleep(Duration::from_millis(1)).await,
            }
        }
        let replaced = self.registry.replace(original, copy);
        let Replaced { partition: moved, lsn } = match replaced {
            Ok(Some(replaced)) => replaced,
            Ok(None) => {
                original.log.go_on(before);
                return false;
            }
            Err(LogError::Busy) => {
                original.log.go_on(before);
                self.data_dirs.room().await;
                return true;
            }
            Err(error) if copy.log.is_copy() => {
                // It was given up, or its directory failed before.
                let partition = original.log.id();
                tracing::info!(%partition, %error, "the replica stays where it is");
                original.log.go_on(before);
                return false;
            }
            Err(error) => {
                let partition = original.log.id();
                tracing::error!(%partition, %error, "the replica cannot be moved: its new directory \
                    failed in that moment");
                original.close(ottla_protocol::ErrorCode::KafkaStorageError);
                return false;
            }
        };
        let (partition, directory) = (moved.log.id(), moved.log.directory_id());
        tracing::info!(%partition, %directory, "the replica was moved to another directory");
        self.replica.follow_again(&moved);
        if planted(Plant::MovedLogGoesEarly) {
            self.delete(original).await;
            return true;
        }
        let mut mark = Mark::default();
        mark.raise(moved.log.place(), lsn);
        self.data_dirs.commit().await;
        if self.data_dirs.wait_durable(&mark).await.is_ok() {
            self.delete(original).await;
        }
        true
    }

    /// The log that was replaced goes. If it cannot now, the next start sees to it.
    async fn delete(&self, original: &Partition<E>) {
        loop {
            match self.data_dirs.delete_replaced(&original.log) {
                Err(LogError::Busy) => self.data_dirs.room().await,
                Err(error) => {
                    let partition = original.log.id();
                    tracing::warn!(%partition, %error, "what the replica left behind stays for now");
                    return;
                }
                Ok(()) => return,
            }
        }
    }
}
