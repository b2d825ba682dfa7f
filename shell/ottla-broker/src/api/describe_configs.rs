//! DescribeConfigs (key 32): v1-4. Every setting of a resource with its source; what stands behind
//! it on request (KIP-226); types and, on request, documentation since v3 (KIP-569). A sensitive
//! value is never answered.

use std::sync::Arc;

use ottla_config::resolve::{self, Resolved};
use ottla_config::{BrokerConfig, ConfigSource, Scope, keys};
use ottla_env::Env;
use ottla_metadata::image::{MetadataImage, ResourceType};
use ottla_metadata::topic_name;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use ottla_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use crate::rooms::Rooms;

type Refusal = (ErrorCode, Option<String>);

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let image = rooms.metadata.image();
    let config = rooms.config.get();
    let describer = Describer {
        image: &image,
        config: &config,
        node_id: rooms.node.node_id,
        synonyms: request.include_synonyms,
        documentation: request.include_documentation,
    };
    let results = request.resources.iter().map(|resource| describer.result(resource)).collect();
    DescribeConfigsResponse { results, ..Default::default() }
}

/// What a description is made from, and how much of it is wanted.
struct Describer<'a> {
    image: &'a MetadataImage,
    config: &'a BrokerConfig,
    node_id: i32,
    synonyms: bool,
    documentation: bool,
}

impl Describer<'_> {
    fn result(&self, asked: &DescribeConfigsResource) -> DescribeConfigsResult {
        let (error_code, error_message, configs) = match self.describe(asked) {
            Ok(configs) => (ErrorCode::None, None, configs),
            Err((code, message)) => (code, message.map(Str::from), Vec::new()),
        };
        DescribeConfigsResult {
            error_code: error_code.code(),
            error_message,
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
            configs,
            ..Default::default()
        }
    }

    fn describe(
        &self,
        asked: &DescribeConfigsResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
        let name = asked.resource_name.as_str();
        let layers = &self.config.layers;
        let resolved = match ResourceType::from_code(asked.resource_type) {
            Some(ResourceType::Topic) => {
                topic_name::validate(name)
                    .map_err(|message| (ErrorCode::InvalidTopicException, Some(message)))?;
                if !self.image.topics.contains(name) {
                    return Err((ErrorCode::UnknownTopicOrPartition, None));
                }
                resolve::topic_keys(layers, self.image.configs.topic(name))
            }
            Some(ResourceType::Broker) if name.is_empty() => resolve::cluster_default_keys(layers),
            Some(ResourceType::Broker) => {
                self.check_node(name, "expected {} or empty string")?;
                resolve::broker_keys(layers)
            }
            Some(ResourceType::BrokerLogger) => {
                if name.is_empty() {
                    return Err(invalid("Broker id must not be empty"));
                }
                self.check_node(name, "expected {}")?;
                vec![root_logger()]
            }
            Some(ResourceType::ClientMetrics) => {
                if name.is_empty() {
                    return Err(invalid("Client metrics subscription name must not be empty"));
                }
                self.client_metrics(name)
            }
            Some(ResourceType::Group) => {
                if name.is_empty() {
                    return Err(invalid("Group name must not be empty"));
                }
                resolve::group_keys(layers, self.image.configs.group(name))
            }
            None => {
                let code = asked.resource_type;
                return Err(invalid(&format!("Unsupported resource type: {code}")));
            }
        };
        let wanted = |key: &Resolved| match &asked.configuration_keys {
            // No names at all are taken as all names, as Kafka does.
            None => true,
            Some(names) if names.is_empty() => true,
            Some(names) => names.iter().any(|name| *name == key.name),
        };
        Ok(resolved.into_iter().filter(wanted).map(|key| self.entry(key)).collect())
    }

    /// A broker tells of itself alone.
    fn check_node(&self, name: &str, expectation: &str) -> Result<(), Refusal> {
        match name.parse::<i32>() {
            Ok(id) if id == self.node_id => Ok(()),
            Ok(id) => {
                let expected = expectation.replace("{}", &self.node_id.to_string());
                Err(invalid(&format!("Unexpected broker id, {expected}, but received {id}")))
            }
            Err(_) => Err(invalid(&format!("Broker id must be an integer, but it is: {name}"))),
        }
    }

    fn client_metrics(&self, name: &str) -> Vec<Resolved> {
        let resource = ottla_metadata::image::ConfigResource::client_metrics(name);
        let overrides = self.image.configs.get(&resource);
        keys::keys(Scope::ClientMetrics)
            .iter()
            .filter_map(|def| resolve::client_metrics_key(overrides, def.name))
            .collect()
    }

    fn entry(&self, key: Resolved) -> DescribeConfigsResourceResult {
        let synonyms = key.synonyms.into_iter().filter(|_| self.synonyms);
        let synonyms = synonyms.map(|synonym| DescribeConfigsSynonym {
            name: Str::from(synonym.name),
            value: synonym.value.map(Str::from),
            source: synonym.source.code(),
            ..Default::default()
        });
        let documentation = key.def.map(|def| Str::from_static(def.doc()));
        DescribeConfigsResourceResult {
            name: Str::from(key.name),
            value: key.value.map(Str::from),
            read_only: key.read_only,
            config_source: key.source.code(),
            is_sensitive: key.sensitive,
            synonyms: synonyms.collect(),
            // 0: nobody knows the key's type.
            config_type: key.def.map_or(0, |def| def.value_type.code()),
            documentation: documentation.filter(|_| self.documentation),
            ..Default::default()
        }
    }
}

fn invalid(message: &str) -> Refusal {
    (ErrorCode::InvalidRequest, Some(message.to_owned()))
}

/// The one logger there is; its level is chosen at start.
fn root_logger() -> Resolved {
    Resolved {
        name: "root".into(),
        value: Some("INFO".into()),
        source: ConfigSource::DynamicBrokerLogger,
        synonyms: Vec::new(),
        def: None,
        read_only: true,
        sensitive: false,
    }
}
