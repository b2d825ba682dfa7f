//! Configurations of topics, brokers and groups.

use ottla_env::Env;
use ottla_protocol::Str;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::Admin;
use crate::client::Target;
use crate::error::{Error, Result};

/// What has a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    Topic(Str),
    /// One broker; `None` is the default of all.
    Broker(Option<i32>),
    Group(Str),
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    Topic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    Group,
    Other(i8),
}

/// One key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: Str,
    /// `None` for a secret, or where there is no value.
    pub value: Option<Str>,
    pub source: ConfigSource,
    pub read_only: bool,
    pub sensitive: bool,
    pub documentation: Option<Str>,
    /// The same setting in other places, most specific first.
    pub synonyms: Vec<(Str, Option<Str>, ConfigSource)>,
}

/// A change to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    Set(Str, Str),
    /// Back to the default.
    Delete(Str),
    /// Adds to a list.
    Append(Str, Str),
    /// Takes out of a list.
    Subtract(Str, Str),
}

impl Resource {
    fn code_and_name(&self) -> (i8, Str) {
        match self {
            Resource::Topic(name) => (2, name.clone()),
            Resource::Broker(Some(id)) => (4, Str::from(id.to_string())),
            Resource::Broker(None) => (4, Str::default()),
            Resource::Group(name) => (32, name.clone()),
        }
    }

    /// A broker answers for its own configuration; anyone for the rest.
    fn target(&self, others: Target) -> Target {
        match self {
            Resource::Broker(Some(id)) => Target::Broker(*id),
            _ => others,
        }
    }
}

impl ConfigSource {
    fn from_code(code: i8) -> ConfigSource {
        match code {
            1 => ConfigSource::Topic,
            2 => ConfigSource::DynamicBroker,
            3 => ConfigSource::DynamicDefaultBroker,
            4 => ConfigSource::StaticBroker,
            5 => ConfigSource::Default,
            8 => ConfigSource::Group,
            other => ConfigSource::Other(other),
        }
    }
}

impl ConfigEntry {
    fn from_answer(answer: DescribeConfigsResourceResult) -> ConfigEntry {
        let synonyms = answer.synonyms.into_iter();
        ConfigEntry {
            name: answer.name,
            value: answer.value,
            source: ConfigSource::from_code(answer.config_source),
            read_only: answer.read_only,
            sensitive: answer.is_sensitive,
            documentation: answer.documentation,
            synonyms: synonyms
                .map(|s| (s.name, s.value, ConfigSource::from_code(s.source)))
                .collect(),
        }
    }
}

impl<E: Env> Admin<E> {
    /// The configuration of a resource, with synonyms and documentation.
    ///
    /// # Errors
    /// The cluster's answer.
    pub async fn describe_configs(&self, resource: &Resource) -> Result<Vec<ConfigEntry>> {
        let (resource_type, resource_name) = resource.code_and_name();
        let asked = DescribeConfigsResource {
            resource_type,
            resource_name: resource_name.clone(),
            configuration_keys: None,
            ..DescribeConfigsResource::default()
        };
        let documented = self.client.version::<DescribeConfigsRequest>(Target::Any).await? >= 3;
        let request = DescribeConfigsRequest {
            resources: vec![asked],
            include_synonyms: true,
            include_documentation: documented,
            ..DescribeConfigsRequest::default()
        };
        let doing = || format!("read the configuration of \"{resource_name}\"");
        let answered = self.client.retry(resource.target(Target::Any), &request, |response| {
            let mut results = response.results.iter();
            results.try_for_each(|answer| {
                Error::check(answer.error_code, doing, answer.error_message.as_deref())
            })
        });
        let results = answered.await?.results.into_iter();
        Ok(results.flat_map(|result| result.configs).map(ConfigEntry::from_answer).collect())
    }

    /// Changes some keys of a resource and leaves the others as they are.
    ///
    /// # Errors
    /// The cluster's answer, such as INVALID_CONFIG.
    pub async fn alter_configs(
        &self,
        resource: &Resource,
        changes: &[ConfigChange],
        validate_only: bool,
    ) -> Result<()> {
        let (resource_type, resource_name) = resource.code_and_name();
        let altered = |change: &ConfigChange| {
            let (name, config_operation, value) = match change {
                ConfigChange::Set(name, value) => (name, 0, Some(value)),
                ConfigChange::Delete(name) => (name, 1, None),
                ConfigChange::Append(name, value) => (name, 2, Some(value)),
                ConfigChange::Subtract(name, value) => (name, 3, Some(value)),
            };
            AlterableConfig {
                name: name.clone(),
                config_operation,
                value: value.cloned(),
                ..AlterableConfig::default()
            }
        };
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type,
                resource_name: resource_name.clone(),
                configs: changes.iter().map(altered).collect(),
                ..AlterConfigsResource::default()
            }],
            validate_only,
            ..IncrementalAlterConfigsRequest::default()
        };
        let doing = || format!("change the configuration of \"{resource_name}\"");
        let target = resource.target(Target::Controller);
        let answered = self.client.retry(target, &request, |response| {
            let mut responses = response.responses.iter();
            responses.try_for_each(|answer| {
                Error::check(answer.error_code, doing, answer.error_message.as_deref())
            })
        });
        answered.await.map(|_| ())
    }
}
