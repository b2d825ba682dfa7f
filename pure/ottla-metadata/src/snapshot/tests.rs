//! A snapshot adds up to the image it was made from. Random clusters are held to it too, in the
//! controller's tests; here is everything else an image can hold.

use ottla_protocol::Uuid;
use ottla_protocol::messages::*;

use super::*;

/// Features, brokers, controllers, topics.
fn cluster() -> Vec<MetadataRecord> {
    let topic_id = Uuid::from_u128(7);
    let level = |name: &'static str, feature_level| FeatureLevelRecord {
        name: name.into(),
        feature_level,
        ..Default::default()
    };
    vec![
        level("metadata.version", 33).into(),
        level("group.version", 1).into(),
        RegisterBrokerRecord {
            broker_id: 1,
            broker_epoch: 9,
            rack: Some("r".into()),
            fenced: false,
            in_controlled_shutdown: true,
            log_dirs: vec![Uuid::from_u128(300), Uuid::from_u128(301)],
            cordoned_log_dirs: Some(vec![Uuid::from_u128(301)]),
            ..Default::default()
        }
        .into(),
        RegisterControllerRecord { controller_id: 3, ..Default::default() }.into(),
        TopicRecord { name: "t".into(), topic_id, ..Default::default() }.into(),
        PartitionRecord {
            partition_id: 0,
            topic_id,
            replicas: vec![1, 2, 3],
            isr: vec![],
            removing_replicas: vec![1],
            adding_replicas: vec![3],
            leader: -1,
            leader_recovery_state: 1,
            leader_epoch: 4,
            partition_epoch: 8,
            directories: vec![Uuid::from_u128(300), Uuid::ZERO, Uuid::ONE],
            eligible_leader_replicas: Some(vec![2]),
            last_known_elr: Some(vec![1]),
            ..Default::default()
        }
        .into(),
    ]
}

/// Settings and security.
fn settings() -> Vec<MetadataRecord> {
    let entity = |name: Option<&'static str>| client_quota_record::EntityData {
        entity_type: "user".into(),
        entity_name: name.map(Into::into),
        ..Default::default()
    };
    let quota = |name| ClientQuotaRecord {
        entity: vec![entity(name)],
        key: "producer_byte_rate".into(),
        value: 10.5,
        ..Default::default()
    };
    vec![
        ConfigRecord {
            resource_type: 2,
            resource_name: "t".into(),
            name: "retention.ms".into(),
            value: Some("5".into()),
            ..Default::default()
        }
        .into(),
        quota(None).into(),
        quota(Some("u")).into(),
        ProducerIdsRecord {
            broker_id: -1,
            broker_epoch: -1,
            next_producer_id: 3000,
            ..Default::default()
        }
        .into(),
        AccessControlEntryRecord { id: Uuid::from_u128(5), ..Default::default() }.into(),
        UserScramCredentialRecord {
            name: "u".into(),
            mechanism: 1,
            iterations: 4096,
            ..Default::default()
        }
        .into(),
        DelegationTokenRecord { token_id: "x".into(), ..Default::default() }.into(),
    ]
}

#[test]
fn everything_is_in_it_in_kafkas_order() {
    let all = [cluster(), settings()].concat();
    let mut image = MetadataImage::default();
    all.iter().for_each(|record| image.apply(record).unwrap());
    assert_eq!(records(&image), all);
}

/// Below 3.7-IV2 nobody knows of directories; the records say nothing of them.
#[test]
fn an_old_cluster_gets_records_it_can_read() {
    let topic_id = Uuid::from_u128(7);
    let all: [MetadataRecord; 3] = [
        FeatureLevelRecord {
            name: "metadata.version".into(),
            feature_level: 14,
            ..Default::default()
        }
        .into(),
        TopicRecord { name: "t".into(), topic_id, ..Default::default() }.into(),
        PartitionRecord {
            partition_id: 0,
            topic_id,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            ..Default::default()
        }
        .into(),
    ];
    let mut image = MetadataImage::default();
    all.iter().for_each(|record| image.apply(record).unwrap());
    let again = records(&image);
    assert_eq!(again, all);
    let bytes = again[2].encode_at(14).unwrap();
    assert_eq!(&bytes[..3], [1, 3, 0]);
    assert_eq!(MetadataRecord::decode(bytes).unwrap(), all[2]);
}
