//! Nodes with several log directories, of which one fails (KIP-112, KIP-858), and replicas that move between
//! them (KIP-113).

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use ottla_env::sim::{Sim, SimEnv};
use ottla_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::{
    AlterReplicaLogDirsRequest, DescribeLogDirsRequest, DescribeLogDirsResponse, FetchRequest,
};
use ottla_protocol::records::BatchOptions;
use ottla_protocol::{ErrorCode, Str};

use crate::replication::{Cluster, NODES, TOPIC, name, values};
use crate::world::{Client, Place, batch};

/// The directory that has the partition: the metadata log is in the other one already.
const BUSY: &str = "/b";
/// How fast replicas are copied from one directory to another.
const RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

async fn directories(cluster: &Cluster<'_>, at: usize) -> DescribeLogDirsResponse {
    let all = DescribeLogDirsRequest { topics: None, ..Default::default() };
    cluster.client(at).await.call(4, &all).await
}

/// Goal: a disk that fails takes its partitions with it, and nothing else: another replica leads, nothing
/// acknowledged is lost, the node goes on with its other disk, also over a restart, and an empty log never
/// takes the place of the one that is out of reach. Once the disk is back all replicas are in sync.
#[test]
fn a_disk_fails_and_comes_back() {
    let sim = Sim::new(31);
    sim.block_on(async {
        let mut cluster = Cluster::start_in(&sim, "/a,/b").await;
        cluster.create_topic(3, &[("min.insync.replicas", "2")]).await;
        cluster.produce("before").await;
        let hurt = cluster.leader().await;
        let id = i32::try_from(hurt + 1).unwrap();
        let found = directories(&cluster, hurt).await;
        let busy = found.results.iter().find(|result| !result.topics.is_empty()).unwrap();
        assert_eq!(&*busy.log_dir, BUSY);

        sim.disk(&name(hurt)).lose_folder(Path::new(BUSY));
        cluster.produce("without").await;
        let found = cluster.partition(|now| !now.isr_nodes.contains(&id)).await;
        assert_ne!(found.leader_id, id);
        let found = directories(&cluster, hurt).await;
        let codes: Vec<(&str, i16)> =
            found.results.iter().map(|result| (&*result.log_dir, result.error_code)).collect();
        assert_eq!(codes, [("/a", 0), (BUSY, ErrorCode::KafkaStorageError.code())]);

        cluster.cut_power(hurt);
        cluster.restart(hurt).await;
        cluster.produce("still").await;
        let answer = cluster.fetch(hurt, 0).await;
        assert_ne!(answer.error_code, 0, "it has no log, and must not have made an empty one");
        let found = cluster.partition(|_| true).await;
        assert!(!found.isr_nodes.contains(&id), "{found:?}");

        cluster.cut_power(hurt);
        sim.disk(&name(hurt)).clear_faults();
        cluster.restart(hurt).await;
        cluster.partition(|now| now.isr_nodes.len() == NODES).await;
        cluster.produce("after").await;
        let leader = cluster.leader().await;
        let found = cluster.values(leader, 4).await;
        // A record that was tried again may be there twice.
        let mut distinct = found.clone();
        distinct.dedup();
        assert_eq!(distinct, ["before", "without", "still", "after"]);
        for at in 0..NODES {
            assert_eq!(cluster.values(at, found.len()).await, found, "{}", name(at));
        }
    });
}

fn move_to(path: &str, topic: &str) -> AlterReplicaLogDirsRequest {
    let topic = AlterReplicaLogDirTopic {
        name: Str::copy_from(topic),
        partitions: vec![0],
        ..Default::default()
    };
    let dir = AlterReplicaLogDir {
        path: Str::copy_from(path),
        topics: vec![topic],
        ..Default::default()
    };
    AlterReplicaLogDirsRequest { dirs: vec![dir], ..Default::default() }
}

/// Has a node move its replica to a directory; the code it answers.
async fn alter(cluster: &Cluster<'_>, at: usize, path: &str, topic: &str) -> ErrorCode {
    let response = cluster.client(at).await.call(2, &move_to(path, topic)).await;
    ErrorCode::from_code_or_unknown(response.results[0].partitions[0].error_code)
}

/// The directory of a node's replica, and how far a copy in another one is behind.
async fn place(cluster: &Cluster<'_>, at: usize) -> (String, Option<i64>) {
    let (mut current, mut copy) = (None, None);
    for result in directories(cluster, at).await.results {
        let found = result.topics.iter().find(|topic| topic.name == TOPIC);
        match found.and_then(|topic| topic.partitions.first()) {
            Some(partition) if partition.is_future_key => copy = Some(partition.offset_lag),
            Some(_) => {
                assert_eq!(current, None, "it is in one directory");
                current = Some(result.log_dir.to_string());
            }
            None => {}
        }
    }
    (current.expect("there is a replica"), copy)
}

fn other(path: &str) -> &'static str {
    if path == "/a" { "/b" } else { "/a" }
}

async fn until_moved(sim: &Sim, cluster: &Cluster<'_>, at: usize, path: &str) {
    let deadline = sim.now() + Duration::from_secs(120);
    loop {
        let (current, copy) = place(cluster, at).await;
        if current == path && copy.is_none() {
            return;
        }
        assert!(sim.now() < deadline, "{}: in {current}, a copy {copy:?} behind", name(at));
        sim.sleep(Duration::from_millis(100)).await;
    }
}

/// Goal: replicas move to another directory while they are written to, those of the leader and of followers, and
/// back; nothing acknowledged is lost or doubled, all stay in sync, the throttle holds, and what DescribeLogDirs shows
/// meanwhile is a copy that is behind.
#[test]
fn replicas_move_between_directories_while_they_are_written_to() {
    for seed in [41, 42, 43] {
        let sim = Sim::new(seed);
        sim.block_on(async {
            let cluster = Cluster::start_in(&sim, "/a,/b").await;
            cluster.create_topic(3, &[("min.insync.replicas", "2")]).await;
            cluster.configure(RATE, "40000").await;
            let mut expected: Vec<String> = Vec::new();
            for at in 0..6 {
                expected.push(format!("{at}{}", "x".repeat(40_000)));
                cluster.produce(expected.last().unwrap()).await;
            }
            for round in 0..2 {
                let mut wanted = Vec::new();
                for at in 0..NODES {
                    let (current, _) = place(&cluster, at).await;
                    wanted.push(other(&current));
                    assert_eq!(alter(&cluster, at, wanted[at], TOPIC).await, ErrorCode::None);
                }
                let began = sim.now();
                let (_, copy) = place(&cluster, 0).await;
                assert!(copy.is_some_and(|behind| behind > 0), "{copy:?}");
                for at in 0..20 {
                    expected.push(format!("{round}-{at}"));
                    cluster.produce(expected.last().unwrap()).await;
                }
                for (at, wanted) in wanted.iter().enumerate() {
                    until_moved(&sim, &cluster, at, wanted).await;
                }
                let took = sim.now() - began;
                assert!(took > Duration::from_secs(3), "240 kB at 40 kB a second: {took:?}");
                for at in 0..10 {
                    expected.push(format!("{round}-after-{at}"));
                    cluster.produce(expected.last().unwrap()).await;
                }
            }
            for at in 0..NODES {
                let mut found = cluster.values(at, expected.len()).await;
                // A record that was tried again may be there twice.
                found.dedup();
                assert!(found == expected, "{}: {} of {}", name(at), found.len(), expected.len());
            }
            cluster.partition(|now| now.isr_nodes.len() == NODES).await;
        });
    }
}

/// Goal: a move that a power cut interrupts goes on by itself, and can be given up; the replica is back in sync either way.
#[test]
fn an_interrupted_move_goes_on_or_is_given_up() {
    for gives_up in [false, true] {
        let sim = Sim::new(47);
        sim.block_on(async {
            let mut cluster = Cluster::start_in(&sim, "/a,/b").await;
            cluster.create_topic(3, &[("min.insync.replicas", "2")]).await;
            cluster.configure(RATE, "40000").await;
            let mut expected: Vec<String> = Vec::new();
            for at in 0..6 {
                expected.push(format!("{at}{}", "x".repeat(40_000)));
                cluster.produce(expected.last().unwrap()).await;
            }
            let moving = cluster.leader().await;
            let (from, _) = place(&cluster, moving).await;
            let to = other(&from);
            assert_eq!(alter(&cluster, moving, to, TOPIC).await, ErrorCode::None);
            sim.sleep(Duration::from_secs(2)).await;
            assert!(place(&cluster, moving).await.1.is_some());
            cluster.cut_power(moving);
            expected.push("without".to_owned());
            cluster.produce("without").await;
            cluster.restart(moving).await;
            assert!(place(&cluster, moving).await.1.is_some(), "the copy is still there");
            let ends_in = match gives_up {
                true => {
                    assert_eq!(alter(&cluster, moving, &from, TOPIC).await, ErrorCode::None);
                    from.as_str()
                }
                false => to,
            };
            until_moved(&sim, &cluster, moving, ends_in).await;
            cluster.partition(|now| now.isr_nodes.len() == NODES).await;
            expected.push("after".to_owned());
            cluster.produce("after").await;
            cluster.cut_power(moving);
            cluster.restart(moving).await;
            until_moved(&sim, &cluster, moving, ends_in).await;
            let mut found = cluster.values(moving, expected.len()).await;
            found.dedup();
            assert!(found == expected, "{} of {}", found.len(), expected.len());
        });
    }
}

/// Goal: a copy does not take the place of its replica before the controller knows of it (KIP-858): if that disk were lost
/// then, nobody would know that the replica is. Method: a node that reaches no other one is told to move.
#[test]
fn a_replica_waits_for_the_controller_before_it_is_elsewhere() {
    let sim = Sim::new(59);
    sim.block_on(async {
        let cluster = Cluster::start_in(&sim, "/a,/b").await;
        cluster.create_topic(3, &[("min.insync.replicas", "2")]).await;
        let leader = cluster.leader().await;
        let moving = (leader + 1) % NODES;
        cluster.produce("one").await;
        cluster.partition(|now| now.isr_nodes.len() == NODES).await;
        let (from, _) = place(&cluster, moving).await;
        let to = other(&from);
        let others: Vec<String> = (0..NODES).filter(|at| *at != moving).map(name).collect();
        others.iter().for_each(|other| sim.cut(&name(moving), other));
        assert_eq!(alter(&cluster, moving, to, TOPIC).await, ErrorCode::None);
        sim.sleep(Duration::from_secs(5)).await;
        assert_eq!(place(&cluster, moving).await, (from, Some(0)), "all is copied, nobody knows");
        others.iter().for_each(|other| sim.heal(&name(moving), other));
        until_moved(&sim, &cluster, moving, to).await;
        cluster.partition(|now| now.isr_nodes.len() == NODES).await;
        cluster.produce("two").await;
        let mut found = cluster.values(moving, 2).await;
        found.dedup();
        assert_eq!(found, ["one", "two"]);
    });
}

/// Goal: a replica that has just come to a directory can go back at once, though what it left there is not gone yet.
#[test]
fn a_replica_may_go_back_as_soon_as_it_has_come() {
    for seed in 61..69 {
        let sim = Sim::new(seed);
        sim.block_on(async {
            let cluster = Cluster::start_in(&sim, "/a,/b").await;
            cluster.create_topic(3, &[]).await;
            cluster.produce("one").await;
            let moving = cluster.leader().await;
            let (from, _) = place(&cluster, moving).await;
            let to = other(&from);
            // What is left behind stays until the move is durable.
            sim.disk(&name(moving))
                .set_latency(Duration::from_millis(20), Duration::from_millis(60));
            assert_eq!(alter(&cluster, moving, to, TOPIC).await, ErrorCode::None);
            while place(&cluster, moving).await.0 == from {
                sim.sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(alter(&cluster, moving, &from, TOPIC).await, ErrorCode::None, "seed {seed}");
            until_moved(&sim, &cluster, moving, &from).await;
            assert_eq!(cluster.values(moving, 1).await, ["one"]);
        });
    }
}

/// Goal: what cannot be moved is answered as Kafka answers it, and a replica that is yet to come goes where it was told.
#[test]
fn a_directory_is_named_for_a_replica_that_is_yet_to_come() {
    let sim = Sim::new(53);
    sim.block_on(async {
        let cluster = Cluster::start_in(&sim, "/a,/b").await;
        cluster.create_topic(1, &[]).await;
        cluster.produce("one").await;
        let leader = cluster.leader().await;
        let empty = (leader + 1) % NODES;
        for path in ["/c", "/a/", "a", ""] {
            assert_eq!(alter(&cluster, leader, path, TOPIC).await, ErrorCode::LogDirNotFound);
        }
        let unknown = alter(&cluster, leader, "/a", "no-topic").await;
        assert_eq!(unknown, ErrorCode::UnknownTopicOrPartition);
        // The first directory has the metadata log: without a word it would go to the other.
        assert_eq!(alter(&cluster, empty, "/a", TOPIC).await, ErrorCode::ReplicaNotAvailable);
        let mut places = [leader, empty];
        places.sort_unstable();
        cluster.reassign(&places).await;
        assert_eq!(place(&cluster, empty).await, ("/a".to_owned(), None));
        assert_eq!(cluster.values(empty, 1).await, ["one"]);
    });
}

/// Goal: a node alone that loses its power at any moment of a move has everything that was acknowledged, in one
/// directory, and ends the move by itself. Method: the power goes at one effect on the disk after the other.
#[test]
fn a_power_cut_during_a_move_costs_nothing() {
    for after in 0..40 {
        let sim = Sim::new(61 + after);
        let env = sim.node("n");
        sim.block_on(async {
            let place = |env: SimEnv| Place { ip: env.ip(), env, folder: "/a,/b".into() };
            let node = place(env.clone()).start(&[]).await;
            node.create_topic(TOPIC, &[]).await;
            let probe = sim.node("probe");
            let mut client = Client::open(&probe, node.address).await;
            for value in ["0", "1", "2", "3"] {
                let records = batch(BatchOptions::default(), &[value]);
                assert_eq!(client.produce(9, TOPIC, records).await.error_code, 0);
            }
            sim.cut_power_at_effect("n", after);
            let acknowledged = Cell::new(4);
            let use_it = async {
                for path in ["/a", "/b"] {
                    client.call(2, &move_to(path, TOPIC)).await;
                }
                for value in ["4", "5", "6", "7"] {
                    let records = batch(BatchOptions::default(), &[value]);
                    if client.produce(9, TOPIC, records).await.error_code != 0 {
                        break;
                    }
                    acknowledged.set(acknowledged.get() + 1);
                }
            };
            tokio::select! {
                biased;
                () = sim.until_down("n") => {}
                () = use_it => {}
            }
            let acknowledged = acknowledged.get();
            sim.sleep(Duration::from_secs(1)).await;
            sim.keep_power("n");
            if sim.is_up("n") {
                sim.power_cut("n");
            }
            drop((node, client));
            let node = place(sim.restart("n")).start(&[]).await;
            let deadline = sim.now() + Duration::from_secs(20);
            let mut client = node.connect().await;
            loop {
                let all = DescribeLogDirsRequest { topics: None, ..Default::default() };
                let found = client.call(4, &all).await;
                let places = found.results.iter().flat_map(|result| &result.topics);
                let places: Vec<bool> = places
                    .flat_map(|topic| {
                        topic.partitions.iter().map(|partition| partition.is_future_key)
                    })
                    .collect();
                if places == [false] {
                    break;
                }
                assert!(sim.now() < deadline, "{after}: {places:?}");
                sim.sleep(Duration::from_millis(20)).await;
            }
            let found = all_values(&mut client).await;
            assert!(found.len() >= acknowledged, "{after}: {found:?} of {acknowledged}");
            let is_in_order = found.iter().enumerate().all(|(at, value)| *value == at.to_string());
            assert!(is_in_order, "{after}: {found:?}");
        });
    }
}

async fn all_values(client: &mut Client<SimEnv>) -> Vec<String> {
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topic = FetchTopic {
        topic: Str::from(TOPIC),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    let request = FetchRequest {
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let answer = client.call(11, &request).await.responses[0].partitions[0].clone();
    assert_eq!(answer.error_code, 0);
    values(answer.records.unwrap_or_default())
}
