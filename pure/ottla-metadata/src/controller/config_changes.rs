//! Whether settings are acceptable for a resource: ottla-config's verdict as the controller's answer.

use std::collections::BTreeMap;

use ottla_config::Scope;
use ottla_config::alter;

use super::Soft;
use super::refusal::Refusal;
use crate::image::{ConfigResource, Overrides, ResourceType};
use crate::topic_name;

impl From<alter::Refusal> for Refusal {
    fn from(refusal: alter::Refusal) -> Self {
        match refusal {
            alter::Refusal::InvalidConfig(message) => Refusal::invalid_config(message),
            alter::Refusal::InvalidRequest(message) => Refusal::invalid_request(message),
        }
    }
}

pub(super) fn scope_of(resource_type: ResourceType) -> Scope {
    match resource_type {
        ResourceType::Topic => Scope::Topic,
        ResourceType::Broker | ResourceType::BrokerLogger => Scope::Broker,
        ResourceType::ClientMetrics => Scope::ClientMetrics,
        ResourceType::Group => Scope::Group,
    }
}

/// Settings as they are kept: without those that Kafka dropped and tools still send.
pub(super) fn stored(resource: &ConfigResource, settings: Overrides) -> Overrides {
    match resource.resource_type {
        ResourceType::Topic => alter::without_removed(settings).0,
        _ => settings,
    }
}

pub(super) fn validate_topic(soft: &Soft, settings: &Overrides) -> Result<(), Refusal> {
    Ok(alter::check_topic(&soft.config, settings)?)
}

/// Whether the resource may have `next` where it had `current`.
pub(super) fn validate(
    soft: &Soft,
    resource: &ConfigResource,
    current: &Overrides,
    next: &Overrides,
) -> Result<(), Refusal> {
    match resource.resource_type {
        ResourceType::Topic => {
            let invalid =
                |message| Refusal::new(ottla_protocol::ErrorCode::InvalidTopicException, message);
            topic_name::validate(&resource.name).map_err(invalid)?;
            validate_topic(soft, next)
        }
        ResourceType::Group => Ok(alter::check_group(&soft.config, next)?),
        ResourceType::ClientMetrics => Ok(alter::check_client_metrics(next)?),
        ResourceType::Broker => {
            let changed: BTreeMap<String, String> = next
                .iter()
                .filter(|(name, value)| current.get(*name) != Some(value))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            Ok(alter::check_broker(&soft.config, resource.name.is_empty(), &changed, next)?)
        }
        ResourceType::BrokerLogger => Ok(()),
    }
}
