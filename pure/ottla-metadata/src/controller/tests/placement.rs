//! Where the replicas of new partitions go: Kafka's `StripedReplicaPlacer`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::controller::entropy::Entropy;
use crate::controller::placer::Placer;
use crate::image::Broker;

/// Brokers 0.. with these racks; a fenced one has `false`.
fn brokers(racks: &[(Option<&str>, bool)]) -> Vec<Broker> {
    let broker = |((rack, is_up), id): (&(Option<&str>, bool), i32)| Broker {
        id,
        epoch: 0,
        incarnation_id: Uuid::ZERO,
        endpoints: Vec::new(),
        features: BTreeMap::new(),
        rack: rack.map(Str::copy_from),
        fenced: !is_up,
        in_controlled_shutdown: false,
        log_dirs: vec![Uuid::from_u128(200 + id as u128)],
        cordoned_log_dirs: Vec::new(),
    };
    racks.iter().zip(0..).map(broker).collect()
}

fn place(brokers: &[Broker], count: usize, factor: usize, seed: u64) -> Vec<Vec<i32>> {
    let mut entropy = Entropy::new([seed, 1, 2, 3]);
    let mut placer = Placer::new(brokers.iter(), factor, &mut entropy);
    (0..count).map(|_| placer.place(factor, &mut entropy)).collect()
}

#[test]
fn racks_and_brokers_take_turns() {
    let up = |rack| (Some(rack), true);
    let brokers =
        brokers(&[up("a"), up("a"), up("a"), up("b"), up("b"), up("b"), up("c"), up("c"), up("c")]);
    for seed in 0..50 {
        let placed = place(&brokers, 9, 3, seed);
        let mut leads = [0; 3];
        let mut holds = [0; 9];
        for replicas in &placed {
            let mut racks: Vec<i32> = replicas.iter().map(|id| id / 3).collect();
            racks.sort_unstable();
            assert_eq!(racks, [0, 1, 2], "one in each rack");
            leads[replicas[0] as usize / 3] += 1;
            replicas.iter().for_each(|id| holds[*id as usize] += 1);
        }
        assert_eq!((leads, holds), ([3; 3], [3; 9]), "seed {seed}");
    }
}

#[test]
fn who_is_away_never_leads_and_comes_last() {
    let brokers = brokers(&[(None, true), (None, false), (None, true), (None, false)]);
    for replicas in place(&brokers, 20, 3, 5) {
        assert!(matches!(replicas[..], [0, 2, 1 | 3] | [2, 0, 1 | 3]), "{replicas:?}");
    }
    assert!(place(&brokers, 20, 2, 5).iter().flatten().all(|id| id % 2 == 0));
}

/// Each node of a rolling restart is counted as long as nobody else can take its place.
#[test]
fn who_stops_comes_after_all_others_and_who_has_stopped_is_away() {
    let mut brokers = brokers(&[(None, true), (None, true), (None, false), (None, true)]);
    brokers[1].in_controlled_shutdown = true;
    for replicas in place(&brokers, 20, 3, 5) {
        assert!(matches!(replicas[..], [0, 3, 2] | [3, 0, 2]), "it is not needed: {replicas:?}");
    }
    for replicas in place(&brokers, 20, 4, 5) {
        assert!(matches!(replicas[..], [0, 3, ..] | [3, 0, ..]), "it leads nothing: {replicas:?}");
    }
    brokers[1].fenced = true;
    let placed = place(&brokers, 20, 3, 5);
    assert!(placed.iter().all(|replicas| matches!(replicas[..], [0 | 3, 0 | 3, 1 | 2])));
    assert!(placed.iter().any(|replicas| replicas[2] == 1), "as any that is away: {placed:?}");
}

#[test]
fn a_topic_made_while_a_node_is_restarted_has_all_its_replicas() {
    let mut world = World::cluster(3);
    world.topic("held", 1);
    let create = |world: &mut World, name: &str| {
        let topic = super::create_topics::creatable(name, 1, 3);
        super::create_topics::create(world, vec![topic], false)[0].error_code
    };
    let leader = world.partition("held", 0).leader;
    let wish = BrokerHeartbeatRequest { want_shut_down: true, ..world.heartbeat(leader) };
    world.send(wish.clone());
    assert!(world.image().brokers.get(leader).unwrap().in_controlled_shutdown);
    assert_eq!(create(&mut world, "x"), ErrorCode::None.code());
    world.lose(&[leader]);
    assert_eq!(create(&mut world, "y"), ErrorCode::None.code());
    for name in ["x", "y"] {
        let partition = world.partition(name, 0);
        assert_eq!((partition.replicas.len(), partition.isr.len()), (3, 2), "{name}");
        assert!(!partition.isr.contains(&leader));
    }
}

#[test]
fn who_is_closed_takes_no_part() {
    let mut world = World::cluster(3);
    let cordoned = BrokerHeartbeatRequest {
        cordoned_log_dirs: Some(vec![Uuid::from_u128(500)]),
        ..world.heartbeat(0)
    };
    world.send(cordoned);
    world.topic("t", 12);
    for partition in world.image().topics.get("t").unwrap().partitions.values() {
        assert!(!partition.replicas.contains(&0));
    }
    let results = super::create_topics::create(
        &mut world,
        vec![super::create_topics::creatable("three", 1, 3)],
        false,
    );
    assert_eq!(
        results[0].error_message,
        text(
            "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be \
             reached because only 2 broker(s) are registered or some brokers have all their log \
             directories cordoned."
        )
    );
    world.lose(&[1, 2]);
    let results = super::create_topics::create(
        &mut world,
        vec![super::create_topics::creatable("none", 1, 1)],
        false,
    );
    assert_eq!(
        results[0].error_message,
        text(
            "Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have \
             all their log directories cordoned."
        )
    );
}

/// A cluster that is only just coming up does not keep its offsets on its first node for ever; one
/// that has a single node does not refuse to keep them.
#[test]
fn internal_topics_wait_for_the_nodes_of_the_quorum() {
    let offsets = || {
        let name = "__consumer_offsets".into();
        Command::EnsureTopics(vec![NewTopic { replication_factor: 3, ..NewTopic::auto(name) }])
    };
    let code = |reply| match reply {
        Reply::EnsureTopics(answers) => answers[0].as_ref().map_err(|refusal| refusal.code).err(),
        other => panic!("{other:?}"),
    };
    let mut world = World::cluster(1);
    world.soft.voters = vec![0, 1, 2];
    assert_eq!(code(world.run(offsets())), Some(ErrorCode::InvalidReplicationFactor));
    world.register(1, 0);
    world.register(2, 0);
    assert_eq!(code(world.run(offsets())), None);
    let partition = world.partition("__consumer_offsets", 0);
    assert_eq!((partition.replicas.len(), partition.isr.to_vec()), (3, vec![0]));
    let mut alone = World::cluster(1);
    assert_eq!(code(alone.run(offsets())), None);
}

proptest! {
    #[test]
    fn any_cluster_is_placed_on(
        racks in prop::collection::vec((prop::option::of(0u8..4), any::<bool>()), 1..12),
        factor in 1usize..6,
        seed in any::<u64>(),
    ) {
        let names = ["a", "b", "c", "d"];
        let racks: Vec<(Option<&str>, bool)> =
            racks.iter().map(|(rack, up)| (rack.map(|r| names[r as usize]), *up)).collect();
        let brokers = brokers(&racks);
        let active = racks.iter().filter(|(_, up)| *up).count();
        prop_assume!(active > 0 && factor <= brokers.len());
        for replicas in place(&brokers, 30, factor, seed) {
            prop_assert_eq!(replicas.len(), factor);
            let mut unique = replicas.clone();
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(unique.len(), factor);
            prop_assert!(racks[replicas[0] as usize].1, "the leader is up");
        }
    }
}
