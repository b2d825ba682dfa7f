//! Bootstrap, registration, producer ids, transactions of the log.

use ottla_protocol::messages::{FeatureLevelRecord, UserScramCredentialRecord};

use super::*;

fn next_life(broker_id: i32) -> Command {
    let request = BrokerRegistrationRequest {
        incarnation_id: Uuid::from_u128(2000),
        ..registration(broker_id)
    };
    Command::RegisterBroker { request, version: 4, unfence: true }
}

#[test]
fn a_cluster_begins_with_kafkas_bootstrap_transaction() {
    let mut world = World::empty();
    assert_eq!(world.run(Command::Bootstrap(Vec::new())), Reply::Done);
    let names: Vec<&str> = world.log.iter().map(MetadataRecord::name).collect();
    assert_eq!(
        names,
        [
            "BeginTransactionRecord",
            "FeatureLevelRecord",
            "FeatureLevelRecord",
            "FeatureLevelRecord",
            "ConfigRecord",
            "EndTransactionRecord"
        ]
    );
    assert_eq!(world.image().features.level("metadata.version"), 33);
    assert_eq!(world.image().features.level("eligible.leader.replicas.version"), 1);
    assert_eq!(world.image().configs.all_brokers()["min.insync.replicas"], "1");
    assert_eq!(world.image().features.level("group.version"), 1);
    assert_eq!(world.image().features.level("transaction.version"), 0);
    // A second start adds nothing.
    let length = world.log.len();
    world.run(Command::Bootstrap(Vec::new()));
    assert_eq!(world.log.len(), length);
}

/// Where nodes of Kafka 4.3 are to join.
#[test]
fn a_cluster_may_begin_at_an_older_level() {
    let mut world = World::empty();
    let mut config = BrokerConfig::defaults();
    config.ottla.metadata_version = "4.3-IV0".into();
    world.soft.config = Arc::new(config);
    world.run(Command::Bootstrap(Vec::new()));
    assert_eq!(world.image().features.metadata_version(), 30);
    assert_eq!(world.image().features.level("eligible.leader.replicas.version"), 1);
}

/// Goal: a feature that came after the level asked for is off, as in a cluster of that release.
#[test]
fn an_older_level_has_the_features_of_its_release() {
    let mut world = World::empty();
    let mut config = BrokerConfig::defaults();
    config.ottla.metadata_version = "3.9-IV0".into();
    world.soft.config = Arc::new(config);
    world.run(Command::Bootstrap(Vec::new()));
    let finalized: Vec<_> = world.image().features.finalized().collect();
    assert_eq!(finalized, [(&"metadata.version".into(), 21)]);
    assert!(world.image().configs.all_brokers().is_empty());
}

/// Goal: what Kafka's storage tool formatted the directory with holds, without the features that are not served here.
#[test]
fn a_formatted_directory_says_what_the_cluster_begins_with() {
    let level = |name: &'static str, feature_level: i16| -> MetadataRecord {
        FeatureLevelRecord { name: name.into(), feature_level, ..Default::default() }.into()
    };
    let scram = UserScramCredentialRecord {
        name: "alice".into(),
        mechanism: 1,
        iterations: 4096,
        ..Default::default()
    };
    let mut world = World::empty();
    world.run(Command::Bootstrap(vec![
        level("metadata.version", 30),
        level("group.version", 1),
        level("transaction.version", 2),
        scram.into(),
    ]));
    let finalized: Vec<_> = world.image().features.finalized().collect();
    assert_eq!(finalized, [(&"group.version".into(), 1), (&"metadata.version".into(), 30)]);
    assert_eq!(world.image().scram.iter().count(), 1);
    let length = world.log.len();
    world.run(Command::Bootstrap(vec![level("metadata.version", 29)]));
    assert_eq!(world.log.len(), length, "only a cluster without records is begun");
}

#[test]
fn a_broker_registers_at_its_offset_and_is_unfenced() {
    let mut world = World::of(0);
    let at = world.log.len() as i64;
    let reply = world.run(registering(0));
    assert_eq!(reply, Reply::Registered { broker_epoch: at });
    let broker = world.image().brokers.get(0).unwrap();
    assert_eq!((broker.epoch, broker.fenced), (at, false));
    assert!(broker.is_active());
    assert_eq!(broker.endpoint("PLAINTEXT").unwrap().port, 9092);

    // The same process asks again: it has its epoch. The next one has another.
    assert_eq!(world.run(registering(0)), Reply::Registered { broker_epoch: at });
    let again = world.log.len() as i64;
    let reply = world.run(next_life(0));
    assert_eq!(reply, Reply::Registered { broker_epoch: again });
    assert!(again > at);
}

#[test]
fn leader_epochs_are_renewed_once_each() {
    let mut world = World::of(1);
    world.topic("big", 9_000);
    world.topic("more", 4_000);
    let renew = || Command::RenewLeaderEpochs { broker_id: 0 };
    assert_eq!(world.run(renew()), Reply::Remaining(3_000));
    assert_eq!(world.run(renew()), Reply::Remaining(0));
    assert_eq!(world.run(renew()), Reply::Remaining(0));
    for topic in world.image().topics.iter() {
        for partition in topic.partitions.values() {
            assert_eq!((partition.leader, partition.leader_epoch), (0, 1));
            assert_eq!(partition.partition_epoch, 1);
        }
    }
    // The next life of the broker begins the next epoch.
    world.run(next_life(0));
    assert_eq!(world.run(renew()), Reply::Remaining(3_000));
}

#[test]
fn producer_ids_come_in_blocks_that_never_overlap() {
    let mut world = World::of(1);
    let broker_epoch = world.image().brokers.get(0).unwrap().epoch;
    let allocate = |world: &mut World, broker_id, broker_epoch| {
        world.run(Command::AllocateProducerIds { broker_id, broker_epoch })
    };
    let block = |first| Reply::ProducerIds(ProducerIdBlock { first, length: 1000 });
    assert_eq!(allocate(&mut world, 0, broker_epoch), block(0));
    assert_eq!(allocate(&mut world, 0, broker_epoch), block(1000));
    assert_eq!(world.image().producer_ids.next_producer_id, 2000);
    let refused = |reply: Reply| match reply {
        Reply::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(allocate(&mut world, 0, broker_epoch - 1)), ErrorCode::StaleBrokerEpoch);
    assert_eq!(refused(allocate(&mut world, 9, 0)), ErrorCode::StaleBrokerEpoch);
}

#[test]
fn a_transaction_of_the_log_is_seen_whole_or_not_at_all() {
    let mut world = World::of(1);
    let before = world.image().clone();
    let begin: MetadataRecord = BeginTransactionRecord::default().into();
    let topic: MetadataRecord = ottla_protocol::messages::TopicRecord {
        name: "t".into(),
        topic_id: Uuid::from_u128(9),
        ..Default::default()
    }
    .into();
    let abort: MetadataRecord = ottla_protocol::messages::AbortTransactionRecord::default().into();
    let end: MetadataRecord = ottla_protocol::messages::EndTransactionRecord::default().into();
    assert!(world.controller.replay(&end).is_err());
    assert!(world.controller.replay(&abort).is_err());

    world.controller.replay(&begin).unwrap();
    world.controller.replay(&topic).unwrap();
    assert!(world.controller.has_open_transaction());
    assert_eq!(world.image(), &before);
    assert!(world.controller.replay(&begin).is_err());
    world.controller.replay(&abort).unwrap();
    assert!(!world.image().topics.contains("t"));
    assert_eq!(world.controller.next_offset(), before.next_offset + 3);

    world.controller.replay(&begin).unwrap();
    world.controller.replay(&topic).unwrap();
    world.controller.replay(&end).unwrap();
    assert!(world.image().topics.contains("t"));
    assert_eq!(world.controller.next_offset(), before.next_offset + 6);
}

#[test]
fn topics_of_the_cluster_itself_fit_one_node() {
    let mut world = World::of(1);
    let offsets = NewTopic {
        name: "__consumer_offsets".into(),
        num_partitions: 50,
        replication_factor: 3,
        configs: vec![("cleanup.policy", "compact".into())],
    };
    let wanted = vec![offsets.clone(), NewTopic::auto("bad name".into()), offsets];
    let Reply::EnsureTopics(answers) = world.run(Command::EnsureTopics(wanted)) else { panic!() };
    assert_eq!(answers[0], Ok(()));
    assert_eq!(answers[1].as_ref().unwrap_err().code, ErrorCode::InvalidTopicException);
    assert_eq!(answers[2], Ok(()));
    let topic = world.image().topics.get("__consumer_offsets").unwrap();
    assert_eq!((topic.partitions.len(), topic.replication_factor()), (50, 1));
    assert!(topic.is_internal());
    assert_eq!(world.image().configs.topic("__consumer_offsets")["cleanup.policy"], "compact");
}
