//! Makes this node what the image says it is: logs appear and go, settings take effect. Told of
//! every batch of committed records, before anybody else sees the image they make. Decides nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::MetadataRecord;
use ottla_metadata::image::MetadataImage;
use ottla_protocol::Uuid;

use super::fetchers::Fetchers;
use crate::log::{DataDirs, LogError};
use crate::node::{ConfigCell, NodeIdentity};
use crate::partition::registry::{Partition, Registry};

mod effects;
mod log_config;

/// The replicas of this node, and its dynamic settings.
pub(crate) struct ReplicaDriver<E: Env> {
    data_dirs: DataDirs<E>,
    registry: Arc<Registry<E>>,
    config: ConfigCell,
    node: NodeIdentity,
    fetchers: Arc<Fetchers<E>>,
}

impl<E: Env> ReplicaDriver<E> {
    pub(crate) fn new(
        env: E,
        data_dirs: DataDirs<E>,
        registry: Arc<Registry<E>>,
        config: ConfigCell,
        node: NodeIdentity,
    ) -> Arc<Self> {
        let office = Arc::clone(registry.office());
        let fetchers = Fetchers::new(env, data_dirs.clone(), config.clone(), office);
        Arc::new(Self { data_dirs, registry, config, node, fetchers })
    }

    /// Nothing is fetched any more.
    pub(crate) async fn stop(&self) {
        self.fetchers.stop().await;
    }

    /// What follows from the first image of this process: the cluster's settings are in force, what
    /// deleted topics left behind goes, and every partition that is here is opened. One without a log
    /// gets an empty one: it was made, and never written to, when the process before this one died.
    pub(crate) async fn open(
        &self,
        image: &Arc<MetadataImage>,
        removed_topics: &BTreeSet<Uuid>,
    ) -> Result<(), LogError> {
        self.apply_broker_config(image);
        self.note_brokers(image);
        self.clear_strays(image, removed_topics).await?;
        let mut assigned = Vec::new();
        for topic in image.topics.iter() {
            assigned.extend(self.assign(image, topic, topic.partitions.keys().copied()).await?);
        }
        self.fetchers.follow(image, assigned);
        Ok(())
    }

    /// What follows from these records, whose image this is.
    pub(crate) async fn apply(
        &self,
        image: &Arc<MetadataImage>,
        records: &[MetadataRecord],
    ) -> Result<(), LogError> {
        let assigned = self.carry_out(image, records).await?;
        self.fetchers.follow(image, assigned);
        Ok(())
    }

    /// A replica of this node is in another log now.
    pub(crate) fn follow_again(&self, partition: &Arc<Partition<E>>) {
        self.fetchers.follow_again(partition);
    }

    /// Logs that the image does not know. What a deleted topic left behind when the process died
    /// goes now, for its name may be in use again. Any other log is kept as it is and not served:
    /// deleting it would make a lost metadata log a lost cluster.
    async fn clear_strays(
        &self,
        image: &MetadataImage,
        removed_topics: &BTreeSet<Uuid>,
    ) -> Result<(), LogError> {
        for partition in self.data_dirs.partitions() {
            let id = partition.id();
            let is_known = image.topics.partition(id.topic_id, id.partition).is_some();
            if id.topic_id == Uuid::ONE || is_known {
                continue;
            }
            let (topic, partition) = (&id.topic, id.partition);
            // A name that belongs to another topic now was given up by this one.
            let is_replaced = image.topics.contains(topic);
            if !removed_topics.contains(&id.topic_id) && !is_replaced {
                tracing::warn!(
                    %topic, topic_id = %id.topic_id, partition,
                    "this log belongs to no topic of the cluster; it is kept and not served"
                );
                continue;
            }
            tracing::info!(
                %topic, topic_id = %id.topic_id, partition,
                "remove the log of a deleted topic"
            );
            loop {
                match self.data_dirs.delete_partition(id.topic_id, partition) {
                    Ok(_) => break,
                    Err(LogError::Busy) => self.data_dirs.room().await,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}
