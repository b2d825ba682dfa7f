use ottla_protocol::messages::{
    ConfigRecord, PartitionChangeRecord, PartitionRecord, RemoveTopicRecord, TopicRecord,
};

use super::*;

fn config(resource_type: i8, name: &'static str) -> MetadataRecord {
    ConfigRecord { resource_type, resource_name: name.into(), ..Default::default() }.into()
}

#[test]
fn a_batch_of_records_asks_each_thing_once() {
    let (new, old) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let partition = |topic_id, partition_id| -> MetadataRecord {
        PartitionRecord { topic_id, partition_id, ..Default::default() }.into()
    };
    let records = [
        TopicRecord { name: "t".into(), topic_id: new, ..Default::default() }.into(),
        config(2, "t"),
        config(2, "t"),
        partition(new, 1),
        partition(new, 0),
        PartitionChangeRecord { topic_id: new, partition_id: 1, ..Default::default() }.into(),
        RemoveTopicRecord { topic_id: old, ..Default::default() }.into(),
        config(32, "a group"),
    ];
    let effects = Effects::of(&records, 7);
    assert_eq!(effects.partitions, BTreeMap::from([(new, BTreeSet::from([0, 1]))]));
    assert_eq!(effects.removed_topics, BTreeSet::from([old]));
    assert_eq!(effects.configured_topics, BTreeSet::from(["t".to_owned()]));
    assert!(!effects.broker);
}

#[test]
fn settings_of_another_broker_are_its_own_matter() {
    assert!(Effects::of(&[config(4, "7")], 7).broker);
    assert!(Effects::of(&[config(4, "")], 7).broker);
    assert_eq!(Effects::of(&[config(4, "8")], 7), Effects::default());
}
