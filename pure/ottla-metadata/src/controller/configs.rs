//! AlterConfigs and IncrementalAlterConfigs. A resource is changed as a whole or not at all, and
//! takes no other with it.

use std::collections::BTreeMap;

use ottla_config::Scope;
use ottla_config::alter::{self, AlterOp, Alteration};
use ottla_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, ConfigRecord, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, alter_configs_response, incremental_alter_configs_response,
};
use ottla_protocol::{ErrorCode, Str};

use super::config_changes;
use super::refusal::Refusal;
use super::{Decision, Reply, Soft, min_isr};
use crate::image::{ConfigResource, MetadataImage, Overrides, ResourceType};
use crate::record::MetadataRecord;

/// One resource of a request.
struct Asked<'a> {
    resource_type: i8,
    name: &'a Str,
    /// Nothing for an operation that does not exist.
    changes: Vec<Option<Alteration<'a>>>,
    /// Keys that are not named lose their value.
    replace: bool,
}

pub(super) fn alter(image: &MetadataImage, soft: &Soft, request: &AlterConfigsRequest) -> Decision {
    let asked = request.resources.iter().map(|resource| Asked {
        resource_type: resource.resource_type,
        name: &resource.resource_name,
        changes: resource
            .configs
            .iter()
            .map(|config| {
                Some(Alteration {
                    name: &config.name,
                    op: AlterOp::Set,
                    value: config.value.as_deref(),
                })
            })
            .collect(),
        replace: true,
    });
    let (records, outcomes) = decide_all(image, soft, asked.collect(), request.validate_only);
    let responses = request.resources.iter().zip(outcomes).map(|(resource, outcome)| {
        let (error_code, error_message) = answer(outcome);
        alter_configs_response::AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..Default::default()
        }
    });
    let response = AlterConfigsResponse { responses: responses.collect(), ..Default::default() };
    Decision { records, reply: Reply::AlterConfigs(response) }
}

pub(super) fn incremental_alter(
    image: &MetadataImage,
    soft: &Soft,
    request: &IncrementalAlterConfigsRequest,
) -> Decision {
    let asked = request.resources.iter().map(|resource| Asked {
        resource_type: resource.resource_type,
        name: &resource.resource_name,
        changes: resource
            .configs
            .iter()
            .map(|config| {
                let op = AlterOp::from_code(config.config_operation)?;
                Some(Alteration { name: &config.name, op, value: config.value.as_deref() })
            })
            .collect(),
        replace: false,
    });
    let (records, outcomes) = decide_all(image, soft, asked.collect(), request.validate_only);
    let responses = request.resources.iter().zip(outcomes).map(|(resource, outcome)| {
        let (error_code, error_message) = answer(outcome);
        incremental_alter_configs_response::AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..Default::default()
        }
    });
    let responses = responses.collect();
    let response = IncrementalAlterConfigsResponse { responses, ..Default::default() };
    Decision { records, reply: Reply::IncrementalAlterConfigs(response) }
}

fn answer(outcome: Result<(), Refusal>) -> (i16, Option<Str>) {
    match outcome {
        Ok(()) => (ErrorCode::None.code(), None),
        Err(refusal) => (refusal.code.code(), refusal.message),
    }
}

fn decide_all(
    image: &MetadataImage,
    soft: &Soft,
    asked: Vec<Asked<'_>>,
    validate_only: bool,
) -> (Vec<MetadataRecord>, Vec<Result<(), Refusal>>) {
    let mut seen: BTreeMap<(i8, &Str), usize> = BTreeMap::new();
    for resource in &asked {
        *seen.entry((resource.resource_type, resource.name)).or_default() += 1;
    }
    let mut records = Vec::new();
    let mut outcomes = Vec::with_capacity(asked.len());
    for resource in &asked {
        let outcome = if seen[&(resource.resource_type, resource.name)] > 1 {
            Err(Refusal::invalid_request("Each resource must appear at most once."))
        } else {
            decide(image, soft, resource)
        };
        outcomes.push(outcome.map(|changes| {
            if !validate_only {
                records.extend(changes);
            }
        }));
    }
    min_isr::forget_eligible(image, &mut records);
    (records, outcomes)
}

/// The records that change one resource.
fn decide(
    image: &MetadataImage,
    soft: &Soft,
    asked: &Asked<'_>,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let none = Overrides::new();
    let alterations: Option<Vec<Alteration<'_>>> = asked.changes.iter().copied().collect();
    let Some(alterations) = alterations else {
        return Err(Refusal::invalid_request("Unknown operation on a configuration key."));
    };
    refuse_duplicates_and_nulls(&alterations)?;
    let resource = resource_of(image, soft, asked)?;
    let current = image.configs.get(&resource);
    let before = if asked.replace { &none } else { &**current };
    let scope = config_changes::scope_of(resource.resource_type);
    let next = alter::altered(scope, before, &alterations).map_err(Refusal::from)?;
    let next = config_changes::stored(&resource, next);
    config_changes::validate(soft, &resource, current, &next)?;
    min_isr::check(image, &resource, current, &next)?;
    exists(image, &resource)?;
    Ok(difference(&resource, current, &next, asked))
}

/// Before anything is looked at more closely, as in Kafka's broker.
fn refuse_duplicates_and_nulls(alterations: &[Alteration<'_>]) -> Result<(), Refusal> {
    let harmless: Vec<Alteration<'_>> = alterations
        .iter()
        .map(|alteration| match alteration.op {
            AlterOp::Delete => *alteration,
            _ => Alteration { op: AlterOp::Set, ..*alteration },
        })
        .collect();
    let outcome = alter::altered(Scope::Topic, &Overrides::new(), &harmless);
    outcome.map(drop).map_err(Refusal::from)
}

/// What the request names, if it may be configured at all.
fn resource_of(
    image: &MetadataImage,
    soft: &Soft,
    asked: &Asked<'_>,
) -> Result<ConfigResource, Refusal> {
    let refuse = |message: &str| Err(Refusal::invalid_request(message));
    let Some(resource_type) = ResourceType::from_code(asked.resource_type) else {
        return refuse(&format!("Unknown resource type {}", asked.resource_type));
    };
    match (resource_type, asked.name.as_str()) {
        (ResourceType::Topic, "") => return refuse("Default topic resources are not allowed."),
        (ResourceType::Group, "") => return refuse("Default group resources are not allowed."),
        (ResourceType::ClientMetrics, "") => return refuse("Subscription name can't be empty"),
        (ResourceType::Broker, "") => {}
        (ResourceType::Broker, name) => match name.parse::<i32>() {
            // Another broker of the cluster, whose request was forwarded.
            Ok(id) if id == soft.node_id || image.brokers.get(id).is_some() => {}
            Ok(id) => {
                let expected = soft.node_id;
                let message =
                    format!("Unexpected broker id, expected {expected}, but received {id}");
                return refuse(&message);
            }
            Err(_) => {
                return refuse(&format!("Node id must be an integer, but it is: {name}"));
            }
        },
        (ResourceType::BrokerLogger, _) => {
            return refuse("Log levels cannot be changed through this API in this version.");
        }
        _ => {}
    }
    Ok(ConfigResource { resource_type, name: asked.name.to_string() })
}

fn exists(image: &MetadataImage, resource: &ConfigResource) -> Result<(), Refusal> {
    match resource.resource_type {
        ResourceType::Topic if !image.topics.contains(&resource.name) => {
            let message = format!("The topic '{}' does not exist.", resource.name);
            Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message))
        }
        _ => Ok(()),
    }
}

fn difference(
    resource: &ConfigResource,
    current: &Overrides,
    next: &Overrides,
    asked: &Asked<'_>,
) -> Vec<MetadataRecord> {
    let record = |name: &str, value: Option<&String>| {
        MetadataRecord::from(ConfigRecord {
            resource_type: resource.resource_type.code(),
            resource_name: asked.name.clone(),
            name: Str::copy_from(name),
            value: value.map(Str::from),
            ..Default::default()
        })
    };
    let removed = current.keys().filter(|name| !next.contains_key(*name));
    let set = next.iter().filter(|(name, value)| current.get(*name) != Some(value));
    removed
        .map(|name| record(name, None))
        .chain(set.map(|(name, value)| record(name, Some(value))))
        .collect()
}
