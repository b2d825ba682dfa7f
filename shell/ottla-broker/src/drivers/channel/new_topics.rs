//! Topics this node wants by itself: auto-created ones and those of the coordinators.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_metadata::controller::{Command, NewTopic, Refusal, Reply};
use ottla_metadata::image::MetadataImage;
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::{ErrorCode, Str};

use super::ControllerChannel;

/// How long a client waits for a topic that is made for it.
const LIMIT: Duration = Duration::from_secs(10);
/// How long this node may take to learn of a topic that another node has made.
const KNOWN_MAX: Duration = Duration::from_secs(5);

impl<E: Env> ControllerChannel<E> {
    /// Makes the topics that do not exist yet, and answers when they are known here. One answer per
    /// topic, in order.
    pub(crate) async fn ensure_topics(&self, topics: Vec<NewTopic>) -> Vec<Result<(), Refusal>> {
        let refused = |code| vec![Err(Refusal::bare(code)); topics.len()];
        if self.controller.is_active() {
            match self.controller.submit(Command::EnsureTopics(topics.clone()), true).await {
                Ok(Reply::EnsureTopics(answers)) => return answers,
                Ok(_) => return refused(ErrorCode::UnknownServerError),
                Err(ErrorCode::NotController) => {}
                Err(code) => return refused(code),
            }
        }
        let request = CreateTopicsRequest {
            topics: topics.iter().map(|topic| self.creatable(topic)).collect(),
            timeout_ms: i32::try_from(LIMIT.as_millis()).unwrap_or(i32::MAX),
            ..Default::default()
        };
        let response = match self.call(request, LIMIT).await {
            Ok(response) => response,
            Err(code) => return refused(code),
        };
        let outcome = |name: &Str| {
            let result = response.topics.iter().find(|result| result.name == *name);
            let result = result.ok_or_else(|| Refusal::bare(ErrorCode::UnknownServerError))?;
            match ErrorCode::from_code_or_unknown(result.error_code) {
                ErrorCode::None | ErrorCode::TopicAlreadyExists => Ok(()),
                code => Err(Refusal { code, message: result.error_message.clone() }),
            }
        };
        let outcomes = topics.iter().map(|topic| outcome(&topic.name)).collect::<Vec<_>>();
        self.known(&topics, &outcomes).await;
        outcomes
    }

    /// Waits until this node knows of the topics that were made.
    async fn known(&self, topics: &[NewTopic], outcomes: &[Result<(), Refusal>]) {
        let made: Vec<Str> = topics
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| outcome.is_ok())
            .map(|(topic, _)| topic.name.clone())
            .collect();
        let mut images = self.metadata.watch_image();
        let known = async move {
            let all =
                |image: &Arc<MetadataImage>| made.iter().all(|name| image.topics.contains(name));
            let _ = images.wait_for(all).await;
        };
        let _ = self.env.timeout(KNOWN_MAX, known).await;
    }

    /// What to ask another node for: it does not know of this node's defaults.
    fn creatable(&self, topic: &NewTopic) -> CreatableTopic {
        let config = self.config.get();
        let live = self.metadata.image().live_brokers().count();
        let configured = match topic.replication_factor {
            -1 => i16::try_from(config.topic.default_replication_factor).unwrap_or(1),
            factor => factor,
        };
        let num_partitions = match topic.num_partitions {
            -1 => config.topic.num_partitions,
            count => count,
        };
        let configs = topic.configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: Str::from(*name),
            value: Some(Str::from(value.clone())),
            ..Default::default()
        });
        CreatableTopic {
            name: topic.name.clone(),
            num_partitions,
            replication_factor: config.clamp_replicas(configured, live),
            configs: configs.collect(),
            ..Default::default()
        }
    }
}
