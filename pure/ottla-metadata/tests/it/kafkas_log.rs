//! A `__cluster_metadata` that Apache Kafka 4.3.1 wrote (its no-ops left out) is understood whole,
//! and each record would have been written by us with the same bytes.

use std::sync::Arc;

use bytes::Bytes;
use ottla_config::BrokerConfig;
use ottla_metadata::MetadataRecord;
use ottla_metadata::controller::{Command, Controller, Soft};
use ottla_protocol::Uuid;
use ottla_protocol::messages::BrokerRegistrationRequest;
use ottla_protocol::messages::broker_registration_request::Feature;
use ottla_protocol::records::{batches, records};

const LOG: &[u8] = include_bytes!("../data/kafka-4.3.1-cluster-metadata.log");

fn replayed() -> Controller {
    let mut controller = Controller::default();
    for value in values() {
        controller.replay(&MetadataRecord::decode(value).unwrap()).unwrap();
    }
    controller
}

fn values() -> Vec<Bytes> {
    let mut values = Vec::new();
    for batch in batches(&Bytes::from_static(LOG)) {
        let (header, batch) = batch.unwrap();
        if header.is_control() {
            continue;
        }
        for record in records(&header, &batch, 1 << 20).unwrap() {
            values.push(record.unwrap().value.unwrap());
        }
    }
    values
}

#[test]
fn every_record_has_the_bytes_we_would_write() {
    let values = values();
    assert!(values.len() > 40);
    for value in values {
        let record = MetadataRecord::decode(value.clone()).unwrap();
        assert_eq!(record.encode().unwrap(), value, "{record:?}");
    }
}

#[test]
fn the_log_adds_up_to_what_kafka_described() {
    let controller = replayed();
    assert!(!controller.has_open_transaction());
    let image = controller.image();
    assert_eq!(image.features.level("metadata.version"), 30);
    assert_eq!(image.features.level("transaction.version"), 2);
    assert!(image.features.served().all(|(name, _)| name != "transaction.version"));
    let broker = image.brokers.get(0).unwrap();
    assert!(broker.log_dirs.len() == 1 && broker.endpoint("PLAINTEXT").is_some());
    assert_eq!(image.controllers.iter().count(), 1);
    let topic = image.topics.get("man").unwrap();
    assert_eq!(topic.partitions.len(), 2);
    let partition = image.topics.partition(topic.id, 0).unwrap();
    // Kafka was stopped: nobody leads, and the broker may lead again when it comes back.
    assert_eq!((&partition.replicas[..], partition.leader), (&[0][..], -1));
    assert_eq!(image.configs.topic("c7")["retention.ms"], "5000");
    assert_eq!(image.configs.broker(0)["log.retention.ms"], "900000");
    assert!(!image.topics.contains("t.a"), "it was deleted");
}

#[test]
fn a_broker_that_takes_over_leads_what_kafka_led() {
    let mut controller = replayed();
    let mut soft = Soft::new(0, Arc::new(BrokerConfig::defaults()), [1, 2, 3, 4]);
    let former = controller.image().brokers.get(0).unwrap();
    // Able to do all that Kafka's broker was.
    let features = former.features.iter().map(|(name, range)| Feature {
        name: name.clone(),
        min_supported_version: range.min,
        max_supported_version: range.max,
        ..Default::default()
    });
    let request = BrokerRegistrationRequest {
        broker_id: 0,
        incarnation_id: Uuid::ONE,
        features: features.collect(),
        log_dirs: former.log_dirs.clone(),
        previous_broker_epoch: former.epoch,
        ..Default::default()
    };
    let register = Command::RegisterBroker { request, version: 4, unfence: true };
    let decision = controller.handle(&mut soft, 0, register);
    for record in &decision.records {
        controller.replay(record).unwrap();
    }
    for topic in controller.image().topics.iter() {
        for partition in topic.partitions.values() {
            assert_eq!((partition.leader, &partition.isr[..]), (0, &[0][..]));
            assert!(partition.eligible_leader_replicas.is_empty());
            assert!(partition.last_known_elr.is_empty());
        }
    }
}
