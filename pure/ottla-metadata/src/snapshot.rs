//! An image as records: what a snapshot of the metadata log holds, in Kafka's order. Replaying them
//! gives the same image.

use ottla_protocol::Str;
use ottla_protocol::messages::client_quota_record::EntityData;
use ottla_protocol::messages::register_broker_record::{BrokerEndpoint, BrokerFeature};
use ottla_protocol::messages::register_controller_record::{ControllerEndpoint, ControllerFeature};
use ottla_protocol::messages::{
    AccessControlEntryRecord, ClientQuotaRecord, ConfigRecord, DelegationTokenRecord,
    FeatureLevelRecord, PartitionRecord, ProducerIdsRecord, RegisterBrokerRecord,
    RegisterControllerRecord, TopicRecord, UserScramCredentialRecord,
};

use crate::image::{
    Broker, ControllerRegistration, METADATA_VERSION, MetadataImage, Partition, Topic,
};
use crate::record::MetadataRecord;

/// Everything the image holds, the levels of features first: they say how to read the rest.
pub fn records(image: &MetadataImage) -> Vec<MetadataRecord> {
    let mut records = Vec::with_capacity(image.topics.partition_count() + image.topics.len() + 64);
    features(image, &mut records);
    records.extend(image.brokers.iter().map(|known| broker(image, known).into()));
    records.extend(image.controllers.iter().map(|known| controller(known).into()));
    for known in image.topics.by_ids() {
        topic(image, known, &mut records);
    }
    configs(image, &mut records);
    quotas(image, &mut records);
    if image.producer_ids.next_producer_id > 0 {
        let record = ProducerIdsRecord {
            broker_id: -1,
            broker_epoch: -1,
            next_producer_id: image.producer_ids.next_producer_id,
            ..Default::default()
        };
        records.push(record.into());
    }
    security(image, &mut records);
    records
}

fn features(image: &MetadataImage, records: &mut Vec<MetadataRecord>) {
    let is_version = |name: &Str| name.as_str() == METADATA_VERSION;
    let finalized = || image.features.finalized();
    let version = finalized().filter(|(name, _)| is_version(name));
    let others = finalized().filter(|(name, _)| !is_version(name));
    records.extend(version.chain(others).map(|(name, feature_level)| {
        FeatureLevelRecord { name: name.clone(), feature_level, ..Default::default() }.into()
    }));
}

fn broker(image: &MetadataImage, broker: &Broker) -> RegisterBrokerRecord {
    let end_points = broker.endpoints.iter().map(|endpoint| BrokerEndpoint {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: endpoint.security_protocol,
        ..Default::default()
    });
    let features = broker.features.iter().map(|(name, range)| BrokerFeature {
        name: name.clone(),
        min_supported_version: range.min,
        max_supported_version: range.max,
        ..Default::default()
    });
    let cordoned = &broker.cordoned_log_dirs;
    let has_cordoned = image.features.has_cordoned_directories() && !cordoned.is_empty();
    RegisterBrokerRecord {
        broker_id: broker.id,
        incarnation_id: broker.incarnation_id,
        broker_epoch: broker.epoch,
        end_points: end_points.collect(),
        features: features.collect(),
        rack: broker.rack.clone(),
        fenced: broker.fenced,
        in_controlled_shutdown: broker.in_controlled_shutdown,
        log_dirs: broker.log_dirs.clone(),
        cordoned_log_dirs: has_cordoned.then(|| cordoned.clone()),
        ..Default::default()
    }
}

fn controller(controller: &ControllerRegistration) -> RegisterControllerRecord {
    let end_points = controller.endpoints.iter().map(|endpoint| ControllerEndpoint {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        security_protocol: endpoint.security_protocol,
        ..Default::default()
    });
    let features = controller.features.iter().map(|(name, range)| ControllerFeature {
        name: name.clone(),
        min_supported_version: range.min,
        max_supported_version: range.max,
        ..Default::default()
    });
    RegisterControllerRecord {
        controller_id: controller.id,
        incarnation_id: controller.incarnation_id,
        end_points: end_points.collect(),
        features: features.collect(),
        ..Default::default()
    }
}

fn topic(image: &MetadataImage, topic: &Topic, records: &mut Vec<MetadataRecord>) {
    let record = TopicRecord { name: topic.name.clone(), topic_id: topic.id, ..Default::default() };
    records.push(record.into());
    let has_directories = image.features.has_directories();
    for (index, known) in topic.partitions.iter() {
        let mut record = partition(known);
        (record.topic_id, record.partition_id) = (topic.id, *index);
        if !has_directories {
            record.directories.clear();
        }
        records.push(record.into());
    }
}

/// A partition as one record, without saying which it is.
fn partition(partition: &Partition) -> PartitionRecord {
    let or_nothing = |list: &[i32]| (!list.is_empty()).then(|| list.to_vec());
    PartitionRecord {
        replicas: partition.replicas.to_vec(),
        isr: partition.isr.to_vec(),
        removing_replicas: partition.removing_replicas.to_vec(),
        adding_replicas: partition.adding_replicas.to_vec(),
        leader: partition.leader,
        leader_recovery_state: partition.leader_recovery_state,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        directories: partition.directories.to_vec(),
        eligible_leader_replicas: or_nothing(&partition.eligible_leader_replicas),
        last_known_elr: or_nothing(&partition.last_known_elr),
        ..Default::default()
    }
}

fn configs(image: &MetadataImage, records: &mut Vec<MetadataRecord>) {
    for (resource, settings) in image.configs.iter() {
        records.extend(settings.iter().map(|(name, value)| {
            ConfigRecord {
                resource_type: resource.resource_type.code(),
                resource_name: Str::copy_from(&resource.name),
                name: Str::copy_from(name),
                value: Some(Str::copy_from(value)),
                ..Default::default()
            }
            .into()
        }));
    }
}

fn quotas(image: &MetadataImage, records: &mut Vec<MetadataRecord>) {
    for (entity, quotas) in image.quotas.iter() {
        let parts = entity.iter().map(|(entity_type, entity_name)| EntityData {
            entity_type: entity_type.clone(),
            entity_name: entity_name.clone(),
            ..Default::default()
        });
        let parts: Vec<EntityData> = parts.collect();
        records.extend(quotas.iter().map(|(key, value)| {
            ClientQuotaRecord {
                entity: parts.clone(),
                key: key.clone(),
                value: *value,
                remove: false,
                ..Default::default()
            }
            .into()
        }));
    }
}

fn security(image: &MetadataImage, records: &mut Vec<MetadataRecord>) {
    records.extend(image.acls.iter().map(|(id, acl)| {
        AccessControlEntryRecord {
            id: *id,
            resource_type: acl.resource_type,
            resource_name: acl.resource_name.clone(),
            pattern_type: acl.pattern_type,
            principal: acl.principal.clone(),
            host: acl.host.clone(),
            operation: acl.operation,
            permission_type: acl.permission_type,
            ..Default::default()
        }
        .into()
    }));
    records.extend(image.scram.iter().map(|((name, mechanism), credential)| {
        UserScramCredentialRecord {
            name: name.clone(),
            mechanism: *mechanism,
            salt: credential.salt.clone(),
            stored_key: credential.stored_key.clone(),
            server_key: credential.server_key.clone(),
            iterations: credential.iterations,
            ..Default::default()
        }
        .into()
    }));
    records.extend(image.delegation_tokens.iter().map(|(token_id, token)| {
        DelegationTokenRecord {
            owner: token.owner.clone(),
            requester: token.requester.clone(),
            renewers: token.renewers.clone(),
            issue_timestamp: token.issue_timestamp_ms,
            max_timestamp: token.max_timestamp_ms,
            expiration_timestamp: token.expiration_timestamp_ms,
            token_id: token_id.clone(),
            ..Default::default()
        }
        .into()
    }));
}

#[cfg(test)]
mod tests;
