//! Records that do not fit are refused, and each kind of record finds its place.

use ottla_protocol::messages::client_quota_record::EntityData;
use ottla_protocol::messages::*;

use super::*;

fn topic(name: &'static str, id: u128) -> MetadataRecord {
    TopicRecord { name: name.into(), topic_id: Uuid::from_u128(id), ..Default::default() }.into()
}

fn image(records: &[MetadataRecord]) -> MetadataImage {
    let mut image = MetadataImage::default();
    records.iter().for_each(|record| image.apply(record).unwrap());
    image
}

#[test]
fn records_that_do_not_fit_are_refused() {
    let mut image = image(&[topic("t", 1)]);
    let mut refuse = |record: MetadataRecord, error| assert_eq!(image.apply(&record), Err(error));
    let id = Uuid::from_u128(2);
    refuse(topic("t", 2), ReplayError::DuplicateTopic("t".into()));
    refuse(
        RemoveTopicRecord { topic_id: id, ..Default::default() }.into(),
        ReplayError::UnknownTopic(id),
    );
    refuse(
        PartitionRecord { topic_id: id, ..Default::default() }.into(),
        ReplayError::UnknownTopic(id),
    );
    refuse(
        PartitionChangeRecord {
            topic_id: Uuid::from_u128(1),
            partition_id: 3,
            ..Default::default()
        }
        .into(),
        ReplayError::UnknownPartition { topic: "t".into(), partition: 3 },
    );
    refuse(
        UnfenceBrokerRecord { id: 7, ..Default::default() }.into(),
        ReplayError::UnknownBroker(7),
    );
    refuse(
        ConfigRecord { resource_type: 3, ..Default::default() }.into(),
        ReplayError::UnknownResourceType(3),
    );
    refuse(
        ClearElrRecord { topic_name: "none".into(), ..Default::default() }.into(),
        ReplayError::UnknownTopicName("none".into()),
    );
}

#[test]
fn a_change_of_partition_moves_epochs_as_kafka_does() {
    let id = Uuid::from_u128(1);
    let partition = PartitionRecord {
        partition_id: 0,
        topic_id: id,
        replicas: vec![1, 2, 3],
        isr: vec![1, 2, 3],
        leader: 1,
        leader_epoch: 5,
        partition_epoch: 9,
        ..Default::default()
    };
    let mut image = image(&[topic("t", 1), partition.into()]);
    let change = |isr: Option<Vec<i32>>, leader: i32| PartitionChangeRecord {
        partition_id: 0,
        topic_id: id,
        isr,
        leader,
        last_known_elr: Some(vec![3]),
        ..Default::default()
    };
    image.apply(&change(Some(vec![1, 2]), -2).into()).unwrap();
    let now = image.topics.partition(id, 0).unwrap().clone();
    assert_eq!((now.leader, now.leader_epoch, now.partition_epoch), (1, 5, 10));
    assert_eq!(now.isr, [1, 2]);
    image.apply(&change(None, 2).into()).unwrap();
    let now = image.topics.partition(id, 0).unwrap().clone();
    assert_eq!((now.leader, now.leader_epoch, now.partition_epoch), (2, 6, 11));
    assert_eq!((&now.isr[..], &now.last_known_elr[..]), (&[1, 2][..], &[3][..]));
    image.apply(&ClearElrRecord { topic_name: "".into(), ..Default::default() }.into()).unwrap();
    assert!(image.topics.partition(id, 0).unwrap().last_known_elr.is_empty());
}

#[test]
fn a_broker_of_an_earlier_life_is_refused() {
    let register = RegisterBrokerRecord { broker_id: 1, broker_epoch: 8, ..Default::default() };
    let mut image = image(&[register.into()]);
    let fence = |epoch| FenceBrokerRecord { id: 1, epoch, ..Default::default() };
    let stale = ReplayError::BrokerEpoch { broker: 1, registered: 8, record: 7 };
    assert_eq!(image.apply(&fence(7).into()), Err(stale));
    assert!(image.brokers.get(1).unwrap().fenced, "as it registered");
    image.apply(&UnfenceBrokerRecord { id: 1, epoch: 8, ..Default::default() }.into()).unwrap();
    assert!(image.brokers.get(1).unwrap().is_active());
    image.apply(&fence(8).into()).unwrap();
    assert!(!image.brokers.get(1).unwrap().is_active());
    let gone = UnregisterBrokerRecord { broker_id: 1, broker_epoch: 8, ..Default::default() };
    image.apply(&gone.into()).unwrap();
    assert!(image.brokers.is_empty());
}

#[test]
fn quotas_and_security_come_and_go() {
    let quota = |remove| ClientQuotaRecord {
        entity: vec![EntityData {
            entity_type: "user".into(),
            entity_name: None,
            ..Default::default()
        }],
        key: "producer_byte_rate".into(),
        value: 10.0,
        remove,
        ..Default::default()
    };
    let acl = AccessControlEntryRecord { id: Uuid::ONE, ..Default::default() };
    let scram = UserScramCredentialRecord {
        name: "u".into(),
        mechanism: 1,
        iterations: 4096,
        ..Default::default()
    };
    let token = DelegationTokenRecord { token_id: "x".into(), ..Default::default() };
    let mut image = image(&[quota(false).into(), acl.into(), scram.into(), token.into()]);
    assert_eq!(image.quotas.iter().count(), 1);
    assert_eq!(image.acls.iter().count(), 1);
    assert_eq!(image.scram.get(&"u".into(), 1).unwrap().iterations, 4096);
    assert!(image.delegation_tokens.get("x").is_some());
    let gone: [MetadataRecord; 4] = [
        quota(true).into(),
        RemoveAccessControlEntryRecord { id: Uuid::ONE, ..Default::default() }.into(),
        RemoveUserScramCredentialRecord { name: "u".into(), mechanism: 1, ..Default::default() }
            .into(),
        RemoveDelegationTokenRecord { token_id: "x".into(), ..Default::default() }.into(),
    ];
    gone.iter().for_each(|record| image.apply(record).unwrap());
    assert_eq!(image, MetadataImage::default());
}

#[test]
fn clients_are_told_only_of_features_that_are_served() {
    let level = |name: &'static str, feature_level| {
        FeatureLevelRecord { name: name.into(), feature_level, ..Default::default() }.into()
    };
    let image = image(&[
        level("metadata.version", 30),
        level("group.version", 1),
        level("transaction.version", 2),
    ]);
    let served: Vec<(&str, i16)> =
        image.features.served().map(|(name, level)| (name.as_str(), level)).collect();
    assert_eq!(served, [("group.version", 1), ("metadata.version", 30)]);
    assert_eq!(image.features.finalized().count(), 3);
}
