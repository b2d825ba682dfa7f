//! `MetadataImage`: what all metadata records up to an offset add up to. Applies records one by one;
//! decides nothing, and refuses a record that does not fit instead of guessing.

use std::fmt;

use ottla_protocol::Uuid;

use crate::record::MetadataRecord;

mod acls;
mod brokers;
mod configs;
mod controllers;
pub mod directory;
mod features;
mod ids;
mod index;
mod partition;
mod producer_ids;
mod quotas;
mod scram;
mod tokens;
mod topics;

pub use acls::{Acl, Acls};
pub use brokers::{Broker, Brokers, Endpoint, SupportedRange};
pub use configs::{ConfigResource, Configs, Overrides, ResourceType};
pub use controllers::{ControllerRegistration, Controllers};
pub use features::{
    ELIGIBLE_LEADER_REPLICAS, Features, KRAFT_VERSION, METADATA_VERSION, SUPPORTED, Supported,
};
pub use ids::Ids;
pub use index::PartitionId;
pub use partition::{
    NO_LEADER, NO_LEADER_CHANGE, NO_RECOVERY_CHANGE, Partition, RECOVERED, RECOVERING,
};
pub use producer_ids::ProducerIds;
pub use quotas::{QuotaEntity, Quotas};
pub use scram::{Scram, ScramCredential};
pub use tokens::{DelegationToken, DelegationTokens};
pub use topics::{Topic, Topics};

/// The cluster as the metadata log tells it. Clones share memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetadataImage {
    pub topics: Topics,
    pub brokers: Brokers,
    pub controllers: Controllers,
    pub configs: Configs,
    pub features: Features,
    pub producer_ids: ProducerIds,
    pub quotas: Quotas,
    pub acls: Acls,
    pub scram: Scram,
    pub delegation_tokens: DelegationTokens,
    /// Offset of the next record of the metadata log: everything below is in the image.
    pub next_offset: i64,
}

impl MetadataImage {
    /// Adds one record. Marks of a transaction are the loader's matter and change nothing here.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<(), ReplayError> {
        use MetadataRecord as R;
        match record {
            R::Topic(record) => self.topics.add(record)?,
            R::Partition(record) => self.topics.add_partition(record)?,
            R::PartitionChange(record) => self.topics.change_partition(record)?,
            R::RemoveTopic(record) => {
                let name = self.topics.remove(record.topic_id)?;
                self.configs.remove_resource(&ConfigResource::topic(&name));
            }
            R::ClearElr(record) => self.topics.clear_elr(&record.topic_name)?,
            R::Config(record) => self.configs.apply(record)?,
            R::RegisterBroker(record) => self.brokers.register(record),
            R::UnregisterBroker(record) => self.brokers.unregister(record)?,
            R::FenceBroker(record) => self.brokers.set_fenced(record.id, record.epoch, true)?,
            R::UnfenceBroker(record) => self.brokers.set_fenced(record.id, record.epoch, false)?,
            R::BrokerRegistrationChange(record) => self.brokers.change(record)?,
            R::RegisterController(record) => self.controllers.register(record),
            R::UnregisterController(record) => self.controllers.unregister(record.controller_id),
            R::FeatureLevel(record) => self.features.apply(record),
            R::ProducerIds(record) => self.producer_ids.apply(record),
            R::ClientQuota(record) => self.quotas.apply(record),
            R::AccessControlEntry(record) => self.acls.add(record),
            R::RemoveAccessControlEntry(record) => self.acls.remove(record.id),
            R::UserScramCredential(record) => self.scram.set(record),
            R::RemoveUserScramCredential(record) => self.scram.remove(record),
            R::DelegationToken(record) => self.delegation_tokens.set(record),
            R::RemoveDelegationToken(record) => self.delegation_tokens.remove(&record.token_id),
            R::NoOp(_) | R::ZkMigrationState(_) => {}
            R::BeginTransaction(_) | R::EndTransaction(_) | R::AbortTransaction(_) => {}
        }
        Ok(())
    }

    /// Brokers that may lead and serve, in the order of ids.
    pub fn live_brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.iter().filter(|broker| broker.is_active())
    }
}

/// A record that does not fit what came before it: the log is damaged, or written by a newer version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayError {
    UnknownTopic(Uuid),
    UnknownTopicName(String),
    DuplicateTopic(String),
    UnknownPartition {
        topic: String,
        partition: i32,
    },
    UnknownBroker(i32),
    BrokerEpoch {
        broker: i32,
        registered: i64,
        record: i64,
    },
    UnknownResourceType(i8),
    /// A record of a transaction that makes no sense where it stands.
    Transaction(&'static str),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTopic(id) => write!(f, "it names topic id {id}, which does not exist"),
            Self::UnknownTopicName(name) => {
                write!(f, "it names topic {name}, which does not exist")
            }
            Self::DuplicateTopic(name) => write!(f, "it creates topic {name}, which exists"),
            Self::UnknownPartition { topic, partition } => {
                write!(f, "it names partition {topic}-{partition}, which does not exist")
            }
            Self::UnknownBroker(id) => write!(f, "it names broker {id}, which is not registered"),
            Self::BrokerEpoch { broker, registered, record } => write!(
                f,
                "it names epoch {record} of broker {broker}, which is registered with epoch {registered}"
            ),
            Self::UnknownResourceType(code) => {
                write!(f, "it configures a resource of type {code}, which is not known")
            }
            Self::Transaction(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ReplayError {}

#[cfg(test)]
mod tests;
