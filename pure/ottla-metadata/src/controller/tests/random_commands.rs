//! Whatever is asked, in whatever order: the log alone gives the same state, and the image holds
//! its invariants after every record.

use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use proptest::prelude::*;

use super::create_topics::creatable;
use super::*;

const NAMES: [&str; 6] = ["a", "b.c", "b_c", "d", "", "x y"];

fn name() -> impl Strategy<Value = Str> {
    prop::sample::select(&NAMES[..]).prop_map(Str::from)
}

fn command() -> impl Strategy<Value = Command> {
    let create = (prop::collection::vec((name(), -2i32..9, -2i16..4), 1..4), any::<bool>());
    let create = create.prop_map(|(topics, validate_only)| {
        let topics = topics.into_iter().map(|(name, n, f)| creatable(&name, n, f)).collect();
        Command::CreateTopics(CreateTopicsRequest { topics, validate_only, ..Default::default() })
    });
    let delete = prop::collection::vec(name(), 1..3).prop_map(|names| {
        let state = |name| DeleteTopicState { name: Some(name), ..Default::default() };
        let topics = names.into_iter().map(state).collect();
        let request = DeleteTopicsRequest { topics, ..Default::default() };
        Command::DeleteTopics { request, version: 6 }
    });
    let grow = (name(), -1i32..12).prop_map(|(name, count)| {
        let topics =
            vec![CreatePartitionsTopic { name, count, assignments: None, ..Default::default() }];
        Command::CreatePartitions(CreatePartitionsRequest { topics, ..Default::default() })
    });
    let keys = prop::sample::select(&["retention.ms", "cleanup.policy", "log.retention.ms"][..]);
    let values = prop::sample::select(&["1", "delete", "compact", "-7"][..]);
    let alter = (prop::sample::select(&[2i8, 4, 32, 5][..]), name(), keys, 0i8..5, values);
    let alter = alter.prop_map(|(resource_type, resource_name, key, config_operation, value)| {
        let config = AlterableConfig {
            name: key.into(),
            config_operation,
            value: Some(value.into()),
            ..Default::default()
        };
        let resource = AlterConfigsResource {
            resource_type,
            resource_name,
            configs: vec![config],
            ..Default::default()
        };
        let request =
            IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        Command::IncrementalAlterConfigs(request)
    });
    let ensure = prop::collection::vec(name(), 1..4)
        .prop_map(|names| Command::EnsureTopics(names.into_iter().map(NewTopic::auto).collect()));
    let broker = 0i32..4;
    prop_oneof![
        4 => create,
        3 => delete,
        3 => grow,
        3 => alter,
        2 => ensure,
        1 => broker.clone().prop_map(registering),
        1 => broker.clone().prop_map(|broker_id| Command::RenewLeaderEpochs { broker_id }),
        1 => (broker, 0i64..50).prop_map(|(broker_id, broker_epoch)| {
            Command::AllocateProducerIds { broker_id, broker_epoch }
        }),
        1 => Just(Command::Bootstrap(Vec::new())),
    ]
}

fn check_invariants(image: &MetadataImage) {
    let mut partitions = 0;
    for topic in image.topics.iter() {
        assert_eq!(image.topics.get(&topic.name).map(|found| found.id), Some(topic.id));
        assert_eq!(image.topics.by_id(topic.id).map(|found| &found.name), Some(&topic.name));
        assert!(crate::topic_name::validate(&topic.name).is_ok());
        assert!(!topic.partitions.is_empty());
        assert!(topic.partitions.keys().copied().eq(0..topic.partitions.len() as i32));
        partitions += topic.partitions.len();
        for partition in topic.partitions.values() {
            assert!(partition.isr.iter().all(|id| partition.replicas.contains(id)));
            assert!(partition.has_leader() && partition.isr.contains(&partition.leader));
            assert_eq!(partition.directories.len(), partition.replicas.len());
            assert!(partition.leader_epoch <= partition.partition_epoch);
            assert_eq!(partition.replicas.len(), topic.replication_factor());
        }
    }
    assert_eq!(image.topics.partition_count(), partitions);
    assert!(!(image.topics.contains("b.c") && image.topics.contains("b_c")));
    for (resource, settings) in image.configs.iter() {
        assert!(!settings.is_empty());
        if resource.resource_type == crate::image::ResourceType::Topic {
            assert!(image.topics.contains(&resource.name), "settings of a topic that is gone");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_log_is_the_state(commands in prop::collection::vec(command(), 1..40)) {
        let mut world = World::of(1);
        for command in commands {
            let before = world.controller.clone();
            let next_id = world.image().producer_ids.next_producer_id;
            let records = world.log.len();
            world.run(command);
            check_invariants(world.image());
            prop_assert!(world.image().producer_ids.next_producer_id >= next_id);
            if world.log.len() == records {
                prop_assert_eq!(&before, &world.controller);
            }
        }
        let mut replayed = Controller::default();
        for record in &world.log {
            replayed.replay(record).unwrap();
        }
        prop_assert_eq!(&replayed, &world.controller);
        prop_assert_eq!(replayed.next_offset(), world.log.len() as i64);
    }
}
