//! Topics that a broker asks for by itself: auto-created ones and those of the coordinators.
//! A topic that exists already is what was asked for, whoever made it.

use ottla_protocol::Str;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};

use super::{Decision, Reply, Soft, create_topic, topics};
use crate::image::MetadataImage;

#[derive(Debug, Clone, PartialEq)]
pub struct NewTopic {
    pub name: Str,
    /// -1 for the broker's default.
    pub num_partitions: i32,
    /// -1 for the broker's default. More than there are live brokers is taken as all of them: a
    /// cluster of one node must not refuse to keep offsets.
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
    let live = image.live_brokers().count();
    let answers = wanted.into_iter().map(|topic| {
        if scratch.topics.contains(&topic.name) {
            return Ok(());
        }
        let topic = creatable(soft, topic, live);
        let created = create_topic::create(&scratch, soft, &topic)?;
        topics::add(&mut scratch, created, &mut records).map(drop)
    });
    let answers = answers.collect();
    Decision { records, reply: Reply::EnsureTopics(answers) }
}

fn creatable(soft: &Soft, topic: NewTopic, live: usize) -> CreatableTopic {
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
        replication_factor: soft.config.clamp_replicas(configured, live),
        configs: configs.collect(),
        ..Default::default()
    }
}
