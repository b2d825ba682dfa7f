//! Topics that a broker asks for by itself: auto-created ones and those of the coordinators.
//! A topic that exists already is what was asked for, whoever made it.

use ottla_protocol::Str;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};

use super::{Decision, Reply, Soft, create_topic, topics};
use crate::image::MetadataImage;

/// The replicas of internal topics, unless somebody says otherwise.
const REPLICAS_EXPECTED_MAX: usize = 3;

#[derive(Debug, Clone, PartialEq)]
pub struct NewTopic {
    pub name: Str,
    /// -1 for the broker's default.
    pub num_partitions: i32,
    /// -1 for the broker's default. More than there are brokers is taken as all of them: a cluster of
    /// one node must not refuse to keep offsets. One that is only just coming up must, or it would
    /// keep them on its first node for ever.
    pub replication_factor: i16,
    pub configs: Vec<(&'static str, String)>,
}

impl NewTopic {
    /// A topic with the broker's defaults.
    pub fn auto(name: Str) -> Self {
        Self { name, num_partitions: -1, replication_factor: -1, configs: Vec::new() }
    }
}

pub(super) fn ensure(image: &MetadataImage, soft: &mut Soft, wanted: Vec<NewTopic>) -> Decision {
    let mut scratch = image.clone();
    let mut records = Vec::new();
    let brokers = brokers_expected(image, soft);
    let answers = wanted.into_iter().map(|topic| {
        if scratch.topics.contains(&topic.name) {
            return Ok(());
        }
        let topic = creatable(soft, topic, brokers);
        let created = create_topic::create(&scratch, soft, &topic)?;
        topics::add(&mut scratch, created, &mut records).map(drop)
    });
    let answers = answers.collect();
    Decision { records, reply: Reply::EnsureTopics(answers) }
}

/// How many brokers there are, or are about to be: the voters of a quorum are taken to be brokers, as
/// many of them as an internal topic has replicas.
fn brokers_expected(image: &MetadataImage, soft: &Soft) -> usize {
    let voters =
        if soft.voters.len() > 1 { soft.voters.len().min(REPLICAS_EXPECTED_MAX) } else { 0 };
    image.live_brokers().count().max(image.brokers.len()).max(voters)
}

fn creatable(soft: &Soft, topic: NewTopic, brokers: usize) -> CreatableTopic {
    let configured = match topic.replication_factor {
        -1 => soft.config.topic.default_replication_factor as i16,
        factor => factor,
    };
    let configs = topic.configs.into_iter().map(|(name, value)| CreatableTopicConfig {
        name: name.into(),
        value: Some(Str::from(value)),
        ..Default::default()
    });
    CreatableTopic {
        name: topic.name,
        num_partitions: topic.num_partitions,
        replication_factor: soft.config.clamp_replicas(configured, brokers),
        configs: configs.collect(),
        ..Default::default()
    }
}
