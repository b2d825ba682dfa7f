//! Brokers come and go: registration, the fence, and who leads after a broker returned.

use ottla_protocol::messages::register_broker_record::{BrokerEndpoint, BrokerFeature};
use ottla_protocol::messages::{
    BrokerRegistrationChangeRecord, PartitionChangeRecord, RegisterBrokerRecord,
};
use ottla_protocol::{ErrorCode, Str, Uuid};

use super::{Decision, RECORDS_MAX, Reply, Soft};
use crate::image::{Endpoint, MetadataImage, Partition, SUPPORTED};
use crate::record::MetadataRecord;

/// A broker that wants to serve.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    pub broker_id: i32,
    /// Made anew by each process.
    pub incarnation_id: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<Str>,
    pub log_dirs: Vec<Uuid>,
}

/// Registers the broker, takes its fence away, and lets it lead what only it can lead.
pub(super) fn register(image: &MetadataImage, registration: Registration) -> Decision {
    let broker_id = registration.broker_id;
    if broker_id < 0 {
        let message = format!("Broker id {broker_id} is negative.");
        return Decision::refuse(ErrorCode::InvalidRequest, message);
    }
    // As in Kafka, a broker's epoch is the offset of its registration.
    let broker_epoch = image.next_offset;
    let record = registration_record(registration, broker_epoch);
    let unfence = BrokerRegistrationChangeRecord {
        broker_id,
        broker_epoch,
        fenced: -1,
        ..Default::default()
    };
    let mut records = vec![record.into(), unfence.into()];
    let orphans = image.topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.filter_map(move |(index, partition)| {
            elect_returned(topic.id, *index, partition, broker_id)
        })
    });
    records.extend(orphans.take(RECORDS_MAX - 2));
    Decision { records, reply: Reply::Registered { broker_epoch } }
}

/// See [`super::Command::RenewLeaderEpochs`].
pub(super) fn renew_leader_epochs(
    image: &MetadataImage,
    soft: &mut Soft,
    broker_id: i32,
) -> Decision {
    let Some(broker) = image.brokers.get(broker_id) else {
        let message = format!("Broker {broker_id} is not registered.");
        return Decision::refuse(ErrorCode::BrokerIdNotRegistered, message);
    };
    // One pass per life of a broker, resumed where the last command stopped.
    let from = match soft.renewal {
        Some((epoch, position)) if epoch == broker.epoch => position,
        _ => 0,
    };
    let led = image.topics.iter().flat_map(|topic| {
        topic.partitions.iter().filter_map(move |(index, partition)| {
            (partition.leader == broker_id).then_some((topic.id, *index))
        })
    });
    let mut left: Vec<(Uuid, i32)> = led.skip(from).collect();
    let rest = left.split_off(left.len().min(RECORDS_MAX)).len();
    soft.renewal = Some((broker.epoch, from + left.len()));
    let records = left.into_iter().map(|(topic, index)| elect(topic, index, broker_id)).collect();
    Decision { records, reply: Reply::Remaining(rest) }
}

/// Lets a broker lead a partition that nobody leads, if it has every committed record: it is in
/// sync or eligible (KIP-966), or it was the last that was.
fn elect_returned(
    topic_id: Uuid,
    partition_id: i32,
    partition: &Partition,
    broker_id: i32,
) -> Option<MetadataRecord> {
    if partition.has_leader() {
        return None;
    }
    if partition.isr.contains(&broker_id) {
        return Some(elect(topic_id, partition_id, broker_id));
    }
    let eligible = &partition.eligible_leader_replicas;
    let nobody_else = partition.isr.is_empty() && eligible.is_empty();
    let was_last = nobody_else && partition.last_known_elr == [broker_id];
    if !was_last && !eligible.contains(&broker_id) {
        return None;
    }
    let others = eligible.iter().filter(|id| **id != broker_id);
    let change = PartitionChangeRecord {
        partition_id,
        topic_id,
        leader: broker_id,
        isr: Some(vec![broker_id]),
        eligible_leader_replicas: Some(others.copied().collect()),
        last_known_elr: Some(Vec::new()),
        ..Default::default()
    };
    Some(change.into())
}

/// Naming a leader, even the same one, begins a new leader epoch.
fn elect(topic_id: Uuid, partition_id: i32, leader: i32) -> MetadataRecord {
    PartitionChangeRecord { partition_id, topic_id, leader, ..Default::default() }.into()
}

fn registration_record(registration: Registration, broker_epoch: i64) -> RegisterBrokerRecord {
    let end_points = registration.endpoints.into_iter().map(|endpoint| BrokerEndpoint {
        name: endpoint.name,
        host: endpoint.host,
        port: endpoint.port,
        security_protocol: endpoint.security_protocol,
        ..Default::default()
    });
    let features = SUPPORTED.iter().map(|feature| BrokerFeature {
        name: feature.name.into(),
        min_supported_version: feature.min,
        max_supported_version: feature.max,
        ..Default::default()
    });
    RegisterBrokerRecord {
        broker_id: registration.broker_id,
        incarnation_id: registration.incarnation_id,
        broker_epoch,
        end_points: end_points.collect(),
        features: features.collect(),
        rack: registration.rack,
        fenced: true,
        log_dirs: registration.log_dirs,
        ..Default::default()
    }
}
