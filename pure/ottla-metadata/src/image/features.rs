//! The levels of features the cluster has agreed on, and those this node can work with.

use std::collections::BTreeMap;

use ottla_protocol::Str;
use ottla_protocol::messages::FeatureLevelRecord;

pub const METADATA_VERSION: &str = "metadata.version";
/// Who says which controllers vote: the configuration, or the log (KIP-853). The quorum keeps its level itself.
pub const KRAFT_VERSION: &str = "kraft.version";
/// Whether partitions remember who may lead although it left the ISR (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS: &str = "eligible.leader.replicas.version";

/// A feature this node knows, and which of its levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supported {
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
    /// The level a new cluster starts with; 0 is off and not written down.
    pub initial: i16,
    /// What metadata.version must be for that.
    pub since: i16,
}

/// Everything this node knows, the metadata version first as in Kafka's own bootstrap records.
/// A feature without its APIs (transactions, share and streams groups) is not here: clients would
/// take a finalized level as a promise.
pub const SUPPORTED: [Supported; 4] = [
    Supported { name: METADATA_VERSION, min: 7, max: 33, initial: 33, since: 7 },
    Supported { name: ELIGIBLE_LEADER_REPLICAS, min: 0, max: 1, initial: 1, since: 26 },
    Supported { name: "group.version", min: 0, max: 1, initial: 1, since: 22 },
    Supported { name: KRAFT_VERSION, min: 0, max: 1, initial: 0, since: 21 },
];

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Features {
    finalized: BTreeMap<Str, i16>,
}

impl Features {
    /// 0 for a feature that is off or was never heard of.
    pub fn level(&self, name: &str) -> i16 {
        self.finalized.get(name).copied().unwrap_or(0)
    }

    /// All that the log says, in the order of names.
    pub fn finalized(&self) -> impl Iterator<Item = (&Str, i16)> {
        self.finalized.iter().map(|(name, level)| (name, *level))
    }

    /// What clients may be told: finalized, and served by this node at that level.
    pub fn served(&self) -> impl Iterator<Item = (&Str, i16)> {
        self.finalized().filter(|(name, level)| {
            SUPPORTED.iter().any(|known| name.as_str() == known.name && *level <= known.max)
        })
    }

    pub fn is_empty(&self) -> bool {
        self.finalized.is_empty()
    }

    pub fn metadata_version(&self) -> i16 {
        self.level(METADATA_VERSION)
    }

    /// 3.6-IV0: until then a shrunk ISR needs a new leader epoch (KAFKA-15021).
    pub fn keeps_epoch_on_isr_shrink(&self) -> bool {
        self.metadata_version() >= 12
    }

    /// 3.7-IV0 (KIP-919).
    pub fn has_controller_registration(&self) -> bool {
        self.metadata_version() >= 15
    }

    /// 4.4-IV2.
    pub fn has_controller_unregistration(&self) -> bool {
        self.metadata_version() >= 33
    }

    /// 3.7-IV2 (KIP-858): partitions know the log directories of their replicas.
    pub fn has_directories(&self) -> bool {
        self.metadata_version() >= 17
    }

    /// 4.0-IV1 and the feature of its own (KIP-966).
    pub fn has_eligible_leader_replicas(&self) -> bool {
        self.metadata_version() >= 23 && self.level(ELIGIBLE_LEADER_REPLICAS) >= 1
    }

    /// 4.3-IV0 (KIP-1066): log directories that take no new replicas.
    pub fn has_cordoned_directories(&self) -> bool {
        self.metadata_version() >= 30
    }

    pub(super) fn apply(&mut self, record: &FeatureLevelRecord) {
        match record.feature_level {
            0 => self.finalized.remove(record.name.as_str()),
            level => self.finalized.insert(record.name.detach(), level),
        };
    }
}
