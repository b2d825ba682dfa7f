//! Who may lead, as a command sees it, and what the settings of a topic say about its elections.

use std::sync::Arc;

use ottla_config::{Scope, resolve};
use ottla_protocol::Uuid;

use super::Soft;
use crate::image::{MetadataImage, Partition, Topic, directory};

/// What holds for the partitions of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// `min.insync.replicas`, but never more than there are replicas.
    pub(super) min_isr: usize,
    pub(super) unclean_elections: bool,
    pub(super) eligible_leader_replicas: bool,
    /// Replicas have directories (KIP-858).
    pub(super) directories: bool,
    /// Brokers from before 3.6 take a smaller ISR only with a new leader epoch.
    pub(super) epoch_on_isr_shrink: bool,
}

impl Rules {
    pub(super) fn of(image: &MetadataImage, soft: &Soft, topic: &Topic) -> Self {
        let overrides = image.configs.topic(&topic.name);
        let text = |name| resolve::scoped_text(Scope::Topic, &soft.config.layers, overrides, name);
        let min_isr = text("min.insync.replicas").and_then(|text| text.trim().parse().ok());
        let unclean = text("unclean.leader.election.enable");
        let features = &image.features;
        Self {
            min_isr: min_isr.unwrap_or(1_usize).min(topic.replication_factor()),
            unclean_elections: unclean.is_some_and(|text| text.trim() == "true"),
            eligible_leader_replicas: features.has_eligible_leader_replicas(),
            directories: features.has_directories(),
            epoch_on_isr_shrink: !features.keeps_epoch_on_isr_shrink(),
        }
    }
}

/// Remembers the rules of the topic it was asked about last: partitions come topic by topic.
pub(super) struct RulesByTopic<'a> {
    image: &'a MetadataImage,
    soft: &'a Soft,
    last: Option<(Uuid, Rules)>,
}

impl<'a> RulesByTopic<'a> {
    pub(super) fn new(image: &'a MetadataImage, soft: &'a Soft) -> Self {
        Self { image, soft, last: None }
    }

    pub(super) fn of(&mut self, topic: &Arc<Topic>) -> Rules {
        match self.last {
            Some((id, rules)) if id == topic.id => rules,
            _ => {
                let rules = Rules::of(self.image, self.soft, topic);
                self.last = Some((topic.id, rules));
                rules
            }
        }
    }
}

/// The brokers of the image, but for one that the command takes out and one that it lets in.
#[derive(Clone, Copy)]
pub(super) struct Leaders<'a> {
    image: &'a MetadataImage,
    without: Option<i32>,
    with: Option<i32>,
}

impl<'a> Leaders<'a> {
    pub(super) fn of(image: &'a MetadataImage) -> Self {
        Self { image, without: None, with: None }
    }

    /// Still active in the image, but not after this command.
    pub(super) fn without(self, broker: Option<i32>) -> Self {
        Self { without: broker, ..self }
    }

    /// Still fenced in the image, but not after this command.
    pub(super) fn with(self, broker: Option<i32>) -> Self {
        Self { with: broker, ..self }
    }

    /// Up, and its replica in a directory that can be served.
    pub(super) fn may_lead(&self, partition: &Partition, id: i32) -> bool {
        let is_active = self.with == Some(id) || self.image.brokers.is_active(id);
        let (Some(broker), Some(directory)) = (self.image.brokers.get(id), partition.directory(id))
        else {
            return false;
        };
        self.without != Some(id) && is_active && broker.has_online_dir(directory)
    }

    /// The only directory of a broker that is up, where its replica is said to be in one that is gone:
    /// the disk was replaced, and whatever the broker has of the partition is in the new one.
    pub(super) fn replaced_directory(&self, partition: &Partition, id: i32) -> Option<Uuid> {
        let broker = self.image.brokers.get(id)?;
        let is_active = self.with == Some(id) || broker.is_active();
        match (partition.directory(id), broker.log_dirs.as_slice()) {
            (Some(said), [only]) if is_active && self.without != Some(id) => {
                (!broker.has_online_dir(said)).then_some(*only)
            }
            _ => None,
        }
    }

    /// Where a broker will put a new replica. One with several directories says later which.
    pub(super) fn default_directory(&self, id: i32) -> Uuid {
        default_directory(self.image, id)
    }
}

pub(super) fn default_directory(image: &MetadataImage, id: i32) -> Uuid {
    if !image.features.has_directories() {
        return directory::MIGRATING;
    }
    match image.brokers.get(id).map(|broker| broker.log_dirs.as_slice()) {
        Some([only]) => *only,
        Some([]) => directory::MIGRATING,
        _ => directory::UNASSIGNED,
    }
}
