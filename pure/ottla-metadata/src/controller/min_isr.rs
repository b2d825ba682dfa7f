//! What min.insync.replicas means for eligible leader replicas (KIP-966). Who is eligible depends on
//! it, so where it changes nobody is eligible any more, and it is the same on every broker.

use ottla_protocol::messages::{ClearElrRecord, ConfigRecord};
use ottla_protocol::{ErrorCode, Str};

use super::Soft;
use super::refusal::Refusal;
use crate::image::{ConfigResource, MetadataImage, Overrides, ResourceType};
use crate::record::MetadataRecord;

const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// The records that make it a setting of the cluster before the feature is on: each broker's own is
/// taken away.
pub(super) fn one_for_the_cluster(image: &MetadataImage, soft: &Soft) -> Vec<MetadataRecord> {
    let set = |name: &str, value: Option<Str>| ConfigRecord {
        resource_type: ResourceType::Broker.code(),
        resource_name: Str::copy_from(name),
        name: MIN_INSYNC_REPLICAS.into(),
        value,
        ..Default::default()
    };
    let mut records = Vec::new();
    if !image.configs.all_brokers().contains_key(MIN_INSYNC_REPLICAS) {
        let value = soft.config.topic_defaults.min_insync_replicas.to_string();
        records.push(set("", Some(Str::from(value))).into());
    }
    let own = image.configs.iter().filter(|(resource, settings)| {
        resource.resource_type == ResourceType::Broker
            && !resource.name.is_empty()
            && settings.contains_key(MIN_INSYNC_REPLICAS)
    });
    records.extend(own.map(|(resource, _)| set(&resource.name, None).into()));
    records
}

/// Whether a resource may have these settings while the feature is on.
pub(super) fn check(
    image: &MetadataImage,
    resource: &ConfigResource,
    current: &Overrides,
    next: &Overrides,
) -> Result<(), Refusal> {
    if !image.features.has_eligible_leader_replicas()
        || resource.resource_type != ResourceType::Broker
        || current.get(MIN_INSYNC_REPLICAS) == next.get(MIN_INSYNC_REPLICAS)
    {
        return Ok(());
    }
    let refuse = |message: &str| Err(Refusal::new(ErrorCode::InvalidConfig, message));
    if !resource.name.is_empty() {
        return refuse("Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
    }
    match next.contains_key(MIN_INSYNC_REPLICAS) {
        true => Ok(()),
        false => {
            refuse("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")
        }
    }
}

/// Behind records that change it: nobody is eligible by what it was before.
pub(super) fn forget_eligible(image: &MetadataImage, records: &mut Vec<MetadataRecord>) {
    if !image.features.has_eligible_leader_replicas() {
        return;
    }
    let cleared = records.iter().filter_map(|record| match record {
        MetadataRecord::Config(config) if config.name == *MIN_INSYNC_REPLICAS => {
            let topic_name = match config.resource_type == ResourceType::Topic.code() {
                true => config.resource_name.clone(),
                false => Str::default(),
            };
            Some(ClearElrRecord { topic_name, ..Default::default() }.into())
        }
        _ => None,
    });
    let cleared: Vec<MetadataRecord> = cleared.collect();
    records.extend(cleared);
}
