//! What follows from metadata records on this node: logs appear and go, settings take effect.
//! Runs after the records are written and before anybody is told of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::MetadataRecord;
use ottla_metadata::image::{MetadataImage, ResourceType, Topic};
use ottla_protocol::Uuid;
use ottla_replica::Member;

use super::ReplicaDriver;
use super::log_config::log_config;
use crate::log::LogError;
use crate::partition::registry::{Assigned, TopicSettings};

/// What a batch of records asks of this node, each thing once.
#[derive(Debug, Default, PartialEq)]
struct Effects {
    /// Partitions that are new or have a new leader, by topic.
    partitions: BTreeMap<Uuid, BTreeSet<i32>>,
    removed_topics: BTreeSet<Uuid>,
    configured_topics: BTreeSet<String>,
    /// This broker's own settings changed, or those of all brokers.
    broker: bool,
    /// Brokers came, went, or may lead now or no longer.
    brokers: bool,
}

impl Effects {
    fn of(records: &[MetadataRecord], node_id: i32) -> Self {
        let mut effects = Self::default();
        for record in records {
            match record {
                MetadataRecord::Partition(record) => {
                    effects.partition(record.topic_id, record.partition_id);
                }
                MetadataRecord::PartitionChange(record) => {
                    effects.partition(record.topic_id, record.partition_id);
                }
                MetadataRecord::RegisterBroker(_)
                | MetadataRecord::UnregisterBroker(_)
                | MetadataRecord::FenceBroker(_)
                | MetadataRecord::UnfenceBroker(_)
                | MetadataRecord::BrokerRegistrationChange(_) => effects.brokers = true,
                MetadataRecord::RemoveTopic(record) => {
                    effects.removed_topics.insert(record.topic_id);
                }
                MetadataRecord::Config(record) => {
                    let name = record.resource_name.as_str();
                    match ResourceType::from_code(record.resource_type) {
                        Some(ResourceType::Topic) => {
                            effects.configured_topics.insert(name.to_owned());
                        }
                        Some(ResourceType::Broker) => {
                            effects.broker |= name.is_empty() || name == node_id.to_string();
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        effects
    }

    fn partition(&mut self, topic: Uuid, index: i32) {
        self.partitions.entry(topic).or_default().insert(index);
    }
}

impl<E: Env> ReplicaDriver<E> {
    /// Makes this node what the records say it is.
    pub(super) async fn carry_out(
        &self,
        image: &MetadataImage,
        records: &[MetadataRecord],
    ) -> Result<Vec<Assigned<E>>, LogError> {
        let effects = Effects::of(records, self.node.node_id);
        if effects.broker {
            self.apply_broker_config(image);
            self.configure_topics(image.topics.iter().map(|topic| &**topic), image);
        }
        if effects.brokers {
            self.note_brokers(image);
        }
        let mut assigned = Vec::new();
        for (id, indexes) in &effects.partitions {
            if let Some(topic) = image.topics.by_id(*id) {
                assigned.extend(self.assign(image, topic, indexes.iter().copied()).await?);
            }
        }
        let configured = effects.configured_topics.iter();
        let configured = configured.filter_map(|name| image.topics.get(name));
        self.configure_topics(configured.map(|topic| &**topic), image);
        for id in effects.removed_topics {
            assigned.extend(self.remove(id).await?);
        }
        Ok(assigned)
    }

    /// Leaders wait for no broker that may not be in an ISR, and name their own life when they ask.
    pub(super) fn note_brokers(&self, image: &MetadataImage) {
        if let Some(me) = image.brokers.get(self.node.node_id) {
            self.registry.office().set_broker_epoch(me.epoch);
        }
        let active: Vec<Member> = image
            .live_brokers()
            .map(|broker| Member { id: broker.id, broker_epoch: broker.epoch })
            .collect();
        for topic in self.registry.topics() {
            for partition in topic.partitions().filter(|partition| partition.leads_others()) {
                partition.brokers_changed(&active);
            }
        }
    }

    /// Makes of the given partitions of a topic what the image says they are on this node.
    pub(super) async fn assign(
        &self,
        image: &MetadataImage,
        topic: &Topic,
        indexes: impl Iterator<Item = i32>,
    ) -> Result<Vec<Assigned<E>>, LogError> {
        let settings = self.topic_settings(image, topic);
        let indexes: Vec<i32> = indexes.collect();
        loop {
            match self.registry.assign(topic, &indexes, &settings) {
                Err(LogError::Busy) => self.data_dirs.room().await,
                outcome => return outcome,
            }
        }
    }

    async fn remove(&self, topic: Uuid) -> Result<Vec<Assigned<E>>, LogError> {
        loop {
            match self.registry.remove_topic(topic) {
                Err(LogError::Busy) => self.data_dirs.room().await,
                outcome => return outcome,
            }
        }
    }

    /// Puts the cluster's dynamic settings in force over those this node was started with.
    pub(super) fn apply_broker_config(&self, image: &MetadataImage) {
        let own = (**image.configs.broker(self.node.node_id)).clone();
        let all = (**image.configs.all_brokers()).clone();
        match self.config.get().with_dynamic(own, all) {
            Ok(config) => self.config.set(config),
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                tracing::warn!(
                    errors = errors.join("; "),
                    "the cluster's dynamic settings do not fit this node's; they are not in force"
                );
            }
        }
    }

    fn configure_topics<'a>(&self, topics: impl Iterator<Item = &'a Topic>, image: &MetadataImage) {
        for topic in topics {
            self.registry.configure(topic.id, &self.topic_settings(image, topic));
        }
    }

    fn topic_settings(&self, image: &MetadataImage, topic: &Topic) -> TopicSettings {
        let overrides = image.configs.topic(&topic.name);
        let config = self.config.get().topic_config(overrides);
        TopicSettings {
            log: Arc::new(log_config(&config)),
            throttled_leaders: config.leader_replication_throttled_replicas,
            throttled_followers: config.follower_replication_throttled_replicas,
        }
    }
}

#[cfg(test)]
mod tests;
