//! BrokerRegistration: who is refused, what epoch a broker gets, what its former life loses.

use super::*;

fn refused(world: &mut World, request: BrokerRegistrationRequest) -> (ErrorCode, String) {
    let length = world.log.len();
    let command = Command::RegisterBroker { request, version: 4, unfence: false };
    let Reply::Refused(refusal) = world.run(command) else { panic!("not refused") };
    assert_eq!(world.log.len(), length);
    (refusal.code, refusal.message.unwrap_or_default().to_string())
}

/// Kafka's `ClusterControlManager.registerBroker`.
#[test]
fn each_refusal() {
    let mut world = World::cluster(1);
    world.soft.cluster_id = Some("ours".into());
    let ours = || BrokerRegistrationRequest { cluster_id: "ours".into(), ..registration(1) };
    let mut check = |request, code, message: &str| {
        assert_eq!(refused(&mut world, request), (code, message.to_owned()));
    };
    check(
        BrokerRegistrationRequest { cluster_id: "theirs".into(), ..registration(1) },
        ErrorCode::InconsistentClusterId,
        "Expected cluster ID ours, but got cluster ID theirs",
    );
    let invalid = ErrorCode::InvalidRegistration;
    let dirs = |dirs: &[u128]| BrokerRegistrationRequest {
        log_dirs: dirs.iter().map(|id| Uuid::from_u128(*id)).collect(),
        ..ours()
    };
    check(dirs(&[]), invalid, "No directories specified in request");
    check(dirs(&[300, 2]), invalid, "Reserved directory ID in request");
    check(dirs(&[300, 300]), invalid, "Duplicate directory ID in request");
    check(
        dirs(&[300, 500]),
        invalid,
        &format!("Broker 0 is already registered with directory {}", Uuid::from_u128(500)),
    );
    check(
        BrokerRegistrationRequest { features: Vec::new(), ..ours() },
        invalid,
        "Request features do not contain 'metadata.version'",
    );
    let mut old = ours();
    old.features[0].max_supported_version = 30;
    check(
        old,
        ErrorCode::UnsupportedVersion,
        "Unable to register because the broker does not support finalized version 33 of \
         metadata.version. The broker wants a version between 7 and 30, inclusive.",
    );
    let mut unaware = ours();
    unaware.features.retain(|feature| feature.name != "group.version");
    check(
        unaware,
        ErrorCode::UnsupportedVersion,
        "Unable to register because the broker does not support finalized version 1 of \
         group.version. The broker wants a version between 0 and 0, inclusive.",
    );
    let mut newer = ours();
    newer.features.push(Feature {
        name: "new.version".into(),
        min_supported_version: 1,
        max_supported_version: 2,
        ..Default::default()
    });
    check(
        newer,
        ErrorCode::UnsupportedVersion,
        "Unable to register because the broker does not support finalized version 0 of \
         new.version. The broker wants a version between 1 and 2, inclusive.",
    );
    check(
        BrokerRegistrationRequest { is_migrating_zk_broker: true, ..ours() },
        ErrorCode::BrokerIdNotRegistered,
        "Controller does not support registering ZK brokers.",
    );
}

#[test]
fn a_number_is_taken_while_its_broker_is_heard_of() {
    let mut world = World::cluster(2);
    let other = || BrokerRegistrationRequest {
        incarnation_id: Uuid::ONE,
        log_dirs: vec![Uuid::from_u128(999)],
        ..registration(1)
    };
    let (code, message) = refused(&mut world, other());
    assert_eq!(code, ErrorCode::DuplicateBrokerRegistration);
    assert!(message.starts_with("Another broker is registered with that broker id."));
    world.lose(&[1]);
    let command = Command::RegisterBroker { request: other(), version: 4, unfence: false };
    assert!(matches!(world.run(command), Reply::Registered { .. }));
}

/// A broker that did not get the answer asks again.
#[test]
fn the_same_life_keeps_its_epoch() {
    let mut world = World::cluster(2);
    world.topic_on("t", &[&[1, 0]]);
    let epoch = world.epoch_of(1);
    assert_eq!(world.register(1, 0), Reply::Registered { broker_epoch: epoch });
    let broker = world.image().brokers.get(1).unwrap();
    assert_eq!((broker.epoch, broker.fenced), (epoch, false));
    assert_eq!(world.led("t"), (1, vec![1, 0], 0));
}

#[test]
fn a_new_life_is_in_sync_for_nothing() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[1, 2, 0]]);
    world.topic_on("alone", &[&[1]]);
    // Its session is still live in the controller's eyes, but it says that it stopped.
    world.want_shutdown(1);
    world.beat(0);
    world.beat(2);
    assert!(world.want_shutdown(1).should_shut_down);
    assert_eq!(world.led("alone"), (-1, vec![1], 1));
    let epoch = world.controller.next_offset();
    assert_eq!(world.register(1, 1), Reply::Registered { broker_epoch: epoch });
    assert_eq!(world.led("t"), (2, vec![2, 0], 1));
    world.beat(1);
    assert_eq!(world.led("t"), (2, vec![2, 0], 1));
    // What only it had it leads again.
    assert_eq!(world.led("alone"), (1, vec![1], 2));
}

/// A process that was killed and is back before its session timed out: the registration itself takes
/// it out of the ISRs, for what it had not yet written may be gone.
#[test]
fn a_quick_restart_does_not_stay_in_the_isr() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[1, 2, 0]]);
    world.now_ms += 1;
    assert!(matches!(world.register(1, 1), Reply::Registered { .. }), "it has the directories");
    assert_eq!(world.led("t"), (2, vec![2, 0], 1));
}

#[test]
fn the_node_that_is_the_whole_quorum_goes_on_where_it_was() {
    let mut world = World::of(1);
    world.topic("t", 3);
    let length = world.log.len();
    let mut again = registration(0);
    again.incarnation_id = Uuid::from_u128(77);
    world.run(Command::RegisterBroker { request: again, version: 4, unfence: true });
    let names: Vec<&str> = world.log[length..].iter().map(MetadataRecord::name).collect();
    assert_eq!(names, ["RegisterBrokerRecord", "BrokerRegistrationChangeRecord"]);
    assert_eq!(world.led("t"), (0, vec![0], 0));
    world.now_ms += 1_000_000;
    world.settle();
    assert!(world.image().brokers.is_active(0), "it cannot be gone while we are not");
}

/// With other brokers that hold its partitions the node begins a leader epoch: they may have read
/// what its log has lost.
#[test]
fn the_node_that_is_the_whole_quorum_hands_over_what_it_shares() {
    let mut world = World::of(1);
    world.join(1, 0);
    world.topic_on("shared", &[&[0, 1]]);
    world.topic_on("last", &[&[0, 1]]);
    world.alter_isr("last", &[0]);
    let mut again = registration(0);
    again.incarnation_id = Uuid::from_u128(77);
    world.run(Command::RegisterBroker { request: again, version: 4, unfence: true });
    assert_eq!(world.led("shared"), (1, vec![1], 1));
    assert_eq!(world.led("last"), (0, vec![0], 2));
}

/// KIP-966: who did not stop in order may have lost what it acknowledged.
#[test]
fn an_unclean_restart_is_not_eligible() {
    for is_clean in [true, false] {
        let mut world = World::cluster_with(3, 1);
        world.topic_with("t", &[&[0, 1, 2]], &[("min.insync.replicas", "2")]);
        world.lose(&[1]);
        world.lose(&[2]);
        let partition = world.partition("t", 0);
        assert_eq!(
            (partition.isr.to_vec(), partition.eligible_leader_replicas.to_vec()),
            (vec![0], vec![2])
        );
        world.lose(&[0]);
        let partition = world.partition("t", 0);
        assert_eq!((partition.leader, partition.isr.len()), (-1, 0));
        assert_eq!(partition.eligible_leader_replicas.to_vec(), [0, 2]);
        assert_eq!(partition.last_known_elr.to_vec(), [0]);
        let mut request = registration(2);
        request.incarnation_id = Uuid::from_u128(99);
        request.previous_broker_epoch = if is_clean { world.epoch_of(2) } else { -1 };
        world.run(Command::RegisterBroker { request, version: 4, unfence: false });
        world.beat(2);
        let partition = world.partition("t", 0);
        if is_clean {
            assert_eq!((partition.leader, partition.isr.to_vec()), (2, vec![2]));
            assert_eq!(partition.eligible_leader_replicas.to_vec(), [0]);
        } else {
            assert_eq!((partition.leader, partition.isr.len()), (-1, 0));
            assert_eq!(partition.eligible_leader_replicas.to_vec(), [0]);
        }
        assert_eq!(partition.leader_recovery_state, 0);
    }
}
