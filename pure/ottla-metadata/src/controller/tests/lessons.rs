//! Ways in which brokers have lost data or stood still, as far as the controller has a part in them.

use super::*;

/// KAFKA-13916, KIP-841: a fenced broker came back into the ISR through the leader's word.
#[test]
fn a_fenced_broker_does_not_rejoin_the_isr() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    let before = world.alter_request("t", 0, &[0, 1, 2]);
    world.lose(&[2]);
    // Neither with the epochs of before, nor with those of now.
    assert_eq!(world.alter(before, 3), ErrorCode::InvalidUpdateVersion);
    assert_eq!(world.alter_isr("t", &[0, 1, 2]), ErrorCode::IneligibleReplica);
    assert_eq!(world.led("t").1, [0, 1]);
}

/// KIP-903: a broker returned with an empty disk; the leader still counted its former life's offset.
#[test]
fn a_broker_of_a_former_life_does_not_rejoin_the_isr() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    world.lose(&[2]);
    let epoch = world.epoch_of(2);
    world.join(2, 1);
    let mut request = world.alter_request("t", 0, &[0, 1, 2]);
    request.topics[0].partitions[0].new_isr_with_epochs[2].broker_epoch = epoch;
    assert_eq!(world.alter(request, 3), ErrorCode::IneligibleReplica);
    assert_eq!(world.alter_isr("t", &[0, 1, 2]), ErrorCode::None);
}

/// The last of the ISR came back with an empty disk under the same number: what it had is not in the
/// directory it has now, so it does not lead (KIP-858); nobody acknowledges anything over the loss.
#[test]
fn a_broker_with_another_disk_does_not_lead_what_the_old_one_had() {
    let mut world = World::cluster(2);
    world.topic_on("t", &[&[1, 0]]);
    world.alter_isr("t", &[1]);
    world.lose(&[1]);
    let mut request = registration(1);
    request.incarnation_id = Uuid::from_u128(55);
    request.log_dirs = vec![Uuid::from_u128(999)];
    world.run(Command::RegisterBroker { request, version: 4, unfence: false });
    assert!(!world.beat(1).is_fenced);
    world.settle();
    assert_eq!(world.led("t"), (-1, vec![1], 1));
}

/// Once it has caught up from others, it may lead from the disk it has now.
#[test]
fn a_broker_with_another_disk_leads_what_it_has_fetched_again() {
    let mut world = World::cluster(2);
    world.topic_on("t", &[&[1, 0]]);
    world.lose(&[1]);
    let dir = Uuid::from_u128(999);
    let mut request = registration(1);
    request.incarnation_id = Uuid::from_u128(55);
    request.log_dirs = vec![dir];
    world.run(Command::RegisterBroker { request, version: 4, unfence: false });
    world.beat(1);
    assert_ne!(world.partition("t", 0).directory(1), Some(dir));
    assert_eq!(world.alter_isr("t", &[0, 1]), ErrorCode::None);
    assert_eq!(world.partition("t", 0).directory(1), Some(dir));
    world.lose(&[0]);
    assert_eq!(world.led("t"), (1, vec![1], 2));
}

/// Who asks for any leader at all gets the one with the empty disk, and is told that it recovers.
#[test]
fn an_empty_disk_leads_only_where_somebody_asks_for_that() {
    let mut world = World::cluster(2);
    world.topic_on("t", &[&[1]]);
    world.lose(&[1]);
    let mut request = registration(1);
    request.incarnation_id = Uuid::from_u128(55);
    request.log_dirs = vec![Uuid::from_u128(999)];
    world.run(Command::RegisterBroker { request, version: 4, unfence: false });
    world.beat(1);
    world.wait(400_000, &[0, 1]);
    assert_eq!(world.led("t").0, -1);
    let request =
        ElectLeadersRequest { election_type: 1, topic_partitions: None, ..Default::default() };
    world.run(Command::ElectLeaders(request));
    let partition = world.partition("t", 0);
    assert_eq!((partition.leader, partition.leader_recovery_state), (1, 1));
    assert_eq!(partition.directory(1), Some(Uuid::from_u128(999)));
}

/// KIP-966, "last replica standing": the last of the ISR lost power; the others must not count what it
/// may have lost as committed, and it must not lead them back behind it.
#[test]
fn the_last_replica_standing_does_not_lead_after_an_unclean_stop() {
    let mut world = World::cluster_with(3, 1);
    world.topic_with("t", &[&[0, 1, 2]], &[("min.insync.replicas", "2")]);
    for id in [1, 2, 0] {
        world.lose(&[id]);
    }
    let mut request = registration(0);
    request.incarnation_id = Uuid::from_u128(55);
    world.run(Command::RegisterBroker { request, version: 4, unfence: false });
    world.beat(0);
    assert_eq!(world.led("t").0, -1);
    // The one that was in sync while two were, and stopped in order, has everything.
    world.join(2, 1);
    assert_eq!((world.led("t").0, world.led("t").1), (2, vec![2]));
    assert_eq!(world.partition("t", 0).leader_recovery_state, 0);
}

/// Another Rust broker: the failover of a dead broker was an edge; missed once, it never came.
#[test]
fn failover_is_found_in_the_state_not_in_an_event() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    // A controller that died between the fence and the elections leaves this behind.
    let broker = world.image().brokers.get(0).unwrap().clone();
    world.replay(&crate::controller::fencing::fence_record(&broker).into());
    assert_eq!(world.led("t").0, 0);
    world.soft = Soft::new(1, Arc::new(BrokerConfig::defaults()), [1, 2, 3, 4]);
    assert!(world.deadline_ms().is_some_and(|due| due <= world.now_ms));
    world.settle();
    assert_eq!(world.led("t"), (1, vec![1, 2], 1));
}

/// Another Rust broker: the ISR never grew back. A follower that caught up is let in, every time.
#[test]
fn the_isr_grows_back() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    for life in 1..5 {
        world.lose(&[1, 2]);
        assert_eq!(world.led("t").1, [0]);
        world.join(1, life);
        world.join(2, life);
        assert_eq!(world.alter_isr("t", &[0, 1]), ErrorCode::None);
        assert_eq!(world.alter_isr("t", &[0, 1, 2]), ErrorCode::None);
        assert_eq!(world.led("t"), (0, vec![0, 1, 2], 0));
    }
}

/// KAFKA-6361, KIP-279: two quick failovers must not share an epoch.
#[test]
fn every_failover_begins_an_epoch() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    let mut epochs = vec![world.led("t").2];
    for round in 0..6_u128 {
        let leader = world.led("t").0;
        world.register(leader, 1 + round);
        world.beat(leader);
        epochs.push(world.led("t").2);
        assert_ne!(world.led("t").0, leader);
        world.alter_isr("t", &[0, 1, 2]);
    }
    assert_eq!(epochs, [0, 1, 2, 3, 4, 5, 6]);
}

/// Another Rust broker skipped records it could not read. A kind that is not known stops the replay.
#[test]
fn an_unknown_record_is_an_error() {
    let unknown = bytes::Bytes::from_static(&[1, 30, 0, 0]);
    assert_eq!(MetadataRecord::decode(unknown), Err(crate::RecordError::UnknownKey(30)));
    let newer = bytes::Bytes::from_static(&[1, 3, 9, 0]);
    assert_eq!(
        MetadataRecord::decode(newer),
        Err(crate::RecordError::UnknownVersion { key: 3, version: 9 })
    );
}

/// A topic that is deleted takes its partitions out of every index: a broker's loss must not name a
/// partition that is gone, nor one of a topic of the same name that came later.
#[test]
fn a_deleted_topic_is_gone_from_every_index() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2], &[1, 0, 2]]);
    world.lose(&[0]);
    let request = DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() };
    world.run(Command::DeleteTopics { request, version: 5 });
    for id in -1..3 {
        assert_eq!(world.image().topics.led_by(id).count(), 0);
        assert_eq!(world.image().topics.in_sync_of(id).count(), 0);
        assert_eq!(world.image().topics.eligible_of(id).count(), 0);
    }
    assert!(!world.image().topics.has_not_preferred());
    world.topic_on("t", &[&[1, 2]]);
    world.lose(&[1]);
    assert_eq!(world.led("t"), (2, vec![2], 1));
}
