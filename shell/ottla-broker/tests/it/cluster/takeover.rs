//! Nodes die and come back.

use ottla_protocol::messages::UnregisterBrokerRequest;

use super::*;

/// Goal: the loss of the active controller costs its cluster an election and nothing else.
#[test]
fn another_controller_takes_over() {
    Cluster::combined(11).run(async |cluster| {
        let nodes = cluster.start().await;
        let active = cluster.active_controller(0).await;
        let survivors: Vec<usize> = (0..3).filter(|at| *at != active).collect();
        let mut client = cluster.connect(&nodes[survivors[0]]).await;
        assert_eq!(create(&mut client, "before", 3, 1).await.topics[0].error_code, 0);
        cluster.kill(active);
        let answer = create(&mut client, "after", 2, 1).await;
        assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
        let mut other = cluster.connect(&nodes[survivors[1]]).await;
        let answer = metadata(&mut other, &["before", "after"]).await;
        assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
        assert_ne!(cluster.active_controller(survivors[0]).await, active);
        let live: Vec<i32> = survivors.iter().map(|at| cluster.seats[*at].id).collect();
        cluster.until_live(&nodes[survivors[0]], &live).await;
        cluster.revive(active);
        let back = cluster.start_one(active).await;
        cluster.until_live(&nodes[survivors[1]], &[1, 2, 3]).await;
        let mut client = cluster.connect(&back).await;
        let answer = metadata(&mut client, &["before", "after"]).await;
        assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
    });
}

/// Goal: the survivors of a controller do not stand against each other, though they heard of it last at the
/// same moment: it is missed after two seconds, one election follows, and the answer waits a second for the
/// dead to know of the topic.
#[test]
fn one_election_is_enough() {
    for seed in 0..6 {
        Cluster::combined(100 + seed).run(async |cluster| {
            let nodes = cluster.start().await;
            let active = cluster.active_controller(0).await;
            let survivor = (active + 1) % 3;
            let mut client = cluster.connect(&nodes[survivor]).await;
            assert_eq!(create(&mut client, "before", 1, 1).await.topics[0].error_code, 0);
            cluster.kill(active);
            let began = cluster.client.now();
            assert_eq!(create(&mut client, "after", 1, 1).await.topics[0].error_code, 0);
            let took = cluster.client.now() - began;
            assert!(took < Duration::from_millis(3300), "seed {seed}: {took:?}");
        });
    }
}

/// Goal: each node can be stopped in order and started again while the others go on.
#[test]
fn a_rolling_restart_loses_nothing() {
    Cluster::combined(12).run(async |cluster| {
        let mut nodes: Vec<_> = cluster.start().await.into_iter().map(Some).collect();
        let mut client = cluster.connect(nodes[0].as_ref().unwrap()).await;
        assert_eq!(create(&mut client, "kept", 3, 1).await.topics[0].error_code, 0);
        for at in 0..3 {
            let name = format!("made-without-{at}");
            let began = cluster.client.now();
            nodes[at].take().unwrap().broker.shutdown().await;
            let took = cluster.client.now() - began;
            assert!(took < Duration::from_secs(2), "nobody waits for heartbeats: {took:?}");
            let neighbour = nodes[(at + 1) % 3].as_ref().unwrap();
            let mut client = cluster.connect(neighbour).await;
            let answer = create(&mut client, &name, 1, 1).await;
            assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
            let back = cluster.start_one(at).await;
            let mut client = cluster.connect(&back).await;
            let answer = metadata(&mut client, &["kept", &name]).await;
            assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
            cluster.until_live(neighbour, &[1, 2, 3]).await;
            nodes[at] = Some(back);
        }
    });
}

/// Goal: power lost everywhere at once costs nothing that was acknowledged.
#[test]
fn a_cluster_comes_back_from_a_power_cut() {
    Cluster::combined(13).run(async |cluster| {
        let nodes = cluster.start().await;
        let mut client = cluster.connect(&nodes[1]).await;
        for number in 0..5 {
            let name = format!("kept-{number}");
            assert_eq!(create(&mut client, &name, 3, 1).await.topics[0].error_code, 0);
        }
        for at in 0..3 {
            cluster.sim.power_cut(cluster.seats[at].name);
        }
        drop(nodes);
        (0..3).for_each(|at| cluster.revive(at));
        let nodes = cluster.start().await;
        for node in &nodes {
            let mut client = cluster.connect(node).await;
            let names = ["kept-0", "kept-1", "kept-2", "kept-3", "kept-4"];
            let answer = metadata(&mut client, &names).await;
            assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
        }
    });
}

/// Goal: a voter whose process was killed comes back to the leader it had: no election, and no wait
/// for the session of its life before.
#[test]
fn a_killed_voter_comes_back_to_its_leader() {
    Cluster::combined(15).run(async |cluster| {
        let _nodes = cluster.start().await;
        let active = cluster.active_controller(0).await;
        let other = (active + 1) % 3;
        cluster.kill(other);
        cluster.revive(other);
        let began = cluster.client.now();
        let back = cluster.start_one(other).await;
        let took = cluster.client.now() - began;
        assert!(took < Duration::from_secs(3), "{took:?}");
        assert_eq!(cluster.active_controller(active).await, active);
        cluster.until_live(&back, &[1, 2, 3]).await;
    });
}

/// Goal: a node that was away for so long that the others no longer have the log it lacks reads a
/// snapshot in its place; and so does everybody after a restart.
#[test]
fn a_node_catches_up_from_a_snapshot() {
    let often = [("metadata.log.max.record.bytes.between.snapshots", "1500")];
    Cluster::combined(14).run(async |cluster| {
        let starting: Vec<_> = (0..3).map(|at| cluster.begin(at, &often)).collect();
        let mut nodes = Vec::new();
        for started in starting {
            nodes.push(started.await.unwrap().unwrap_or_else(|error| panic!("{error}")));
        }
        let mut client = cluster.connect(&nodes[0]).await;
        assert_eq!(create(&mut client, "deleted", 1, 1).await.topics[0].error_code, 0);
        nodes.pop().unwrap().broker.shutdown().await;
        let names: Vec<String> = (0..40).map(|number| format!("kept-{number}")).collect();
        for name in &names {
            assert_eq!(create(&mut client, name, 2, 2).await.topics[0].error_code, 0);
        }
        assert_eq!(forming::delete(&mut client, "deleted").await, 0);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let back = cluster.try_start(2, &often).await.unwrap_or_else(|error| panic!("{error}"));
        let mut client = cluster.connect(&back).await;
        let answer = metadata(&mut client, &names).await;
        assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
        assert_eq!(metadata(&mut client, &["deleted"]).await.topics[0].error_code, 3);
        (0..3).for_each(|at| cluster.kill(at));
        drop((nodes, back));
        (0..3).for_each(|at| cluster.revive(at));
        for node in &cluster.start().await {
            let mut client = cluster.connect(node).await;
            let answer = metadata(&mut client, &names).await;
            assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
        }
    });
}

/// Goal: a broker that was unregistered though it lives registers anew, and serves again.
#[test]
fn a_live_broker_that_was_unregistered_comes_back() {
    Cluster::combined(16).run(async |cluster| {
        let nodes = cluster.start().await;
        let active = cluster.active_controller(0).await;
        let other = (active + 1) % 3;
        let mut client = cluster.connect(&nodes[active]).await;
        assert_eq!(create(&mut client, "spread", 3, 1).await.topics[0].error_code, 0);
        let broker_id = cluster.seats[other].id;
        let request = UnregisterBrokerRequest { broker_id, ..Default::default() };
        let answer = client.call(0, &request).await;
        assert_eq!(answer.error_code, 0, "{answer:?}");
        cluster.until_live(&nodes[active], &[1, 2, 3]).await;
        let mut client = cluster.connect(&nodes[other]).await;
        let answer = metadata(&mut client, &["spread"]).await;
        let partitions = &answer.topics[0].partitions;
        assert!(partitions.iter().all(|partition| partition.error_code == 0), "{answer:?}");
    });
}

/// Goal: a broker whose process dies is fenced long before its session runs out, though it ceases to listen a while
/// after the connection of its heartbeats has ended. Method: where a killed node listened somebody goes on listening.
#[test]
fn a_process_that_dies_slowly_is_fenced_soon() {
    for listens_ms in [50, 400] {
        Cluster::combined(20).run(async |cluster| {
            let nodes = cluster.start().await;
            let active = cluster.active_controller(0).await;
            let dying = (active + 1) % 3;
            let address = nodes[dying].address;
            cluster.kill(dying);
            cluster.revive(dying);
            let listening = cluster.seats[dying].env().listen(address).await.unwrap();
            let began = cluster.client.now();
            cluster.client.sleep(Duration::from_millis(listens_ms)).await;
            drop(listening);
            let left = (0..3).filter(|at| *at != dying).map(|at| cluster.seats[at].id);
            let left: Vec<i32> = left.collect();
            cluster.until_live(&nodes[active], &left).await;
            let took = cluster.client.now() - began;
            assert!(took < Duration::from_secs(3), "{listens_ms} ms: {took:?}");
        });
    }
}

/// Goal: one node with a controller listener, as Kafka's first steps have it, waits for nobody when
/// its process is killed and started again.
#[test]
fn a_quorum_of_one_is_back_at_once() {
    Cluster::new(17, &["broker,controller"]).run(async |cluster| {
        let node = cluster.start_one(0).await;
        let mut client = cluster.connect(&node).await;
        assert_eq!(create(&mut client, "kept", 1, 1).await.topics[0].error_code, 0);
        cluster.kill(0);
        cluster.revive(0);
        let began = cluster.client.now();
        let node = cluster.start_one(0).await;
        let took = cluster.client.now() - began;
        assert!(took < Duration::from_secs(1), "{took:?}");
        let mut client = cluster.connect(&node).await;
        let answer = metadata(&mut client, &["kept"]).await;
        assert_eq!(answer.topics[0].partitions[0].error_code, 0, "{answer:?}");
    });
}

/// Goal: a broker far away from its controller keeps its place: a heartbeat that has to open its
/// connection first may take longer than the interval between two.
#[test]
fn heartbeats_cross_a_slow_network() {
    let slow = [("broker.heartbeat.interval.ms", "100"), ("broker.session.timeout.ms", "3000")];
    Cluster::new(18, &["controller", "broker"]).run(async |cluster| {
        let delay = Some((Duration::from_millis(50), Duration::from_millis(50)));
        cluster.sim.set_link_delay("n1", "n2", delay);
        cluster.sim.set_link_delay("n2", "n1", delay);
        let starting: Vec<_> = (0..2).map(|at| cluster.begin(at, &slow)).collect();
        let mut nodes = Vec::new();
        for started in starting {
            let started = cluster.client.timeout(FORMING_MAX, started).await;
            let node = started.expect("it is not fenced for ever").unwrap();
            nodes.push(node.unwrap_or_else(|error| panic!("{error}")));
        }
        cluster.sim.reset_connections("n1", "n2");
        cluster.client.sleep(Duration::from_secs(10)).await;
        let mut client = cluster.connect(&nodes[1]).await;
        assert_eq!(metadata(&mut client, &[]).await.brokers.len(), 1, "it is fenced");
    });
}

/// Goal: what a node asks the controller for waits for nothing else that takes long, as what every live
/// broker has to know of first: nobody is told that his topic was there already, for he was taken for
/// unanswered and asked for once more, and the broker is not fenced.
#[test]
fn forwarded_requests_wait_for_no_other() {
    let soon = [("broker.heartbeat.interval.ms", "200"), ("broker.session.timeout.ms", "3000")];
    Cluster::new(19, &["controller", "broker", "broker"]).run(async |cluster| {
        let late = Some((Duration::from_millis(600), Duration::from_millis(600)));
        cluster.sim.set_link_delay("n1", "n3", late);
        let starting: Vec<_> = (0..3).map(|at| cluster.begin(at, &soon)).collect();
        let mut nodes = Vec::new();
        for started in starting {
            nodes.push(started.await.unwrap().unwrap_or_else(|error| panic!("{error}")));
        }
        let mut client = cluster.connect(&nodes[1]).await;
        assert_eq!(create(&mut client, "kept", 2, 1).await.topics[0].error_code, 0);
        let before = metadata(&mut client, &["kept"]).await.topics[0].partitions.clone();
        let mut asked = Vec::new();
        for number in 0..12 {
            let mut client = cluster.connect(&nodes[1]).await;
            let (tell, created) = oneshot::channel();
            drop(cluster.client.spawn("client", async move {
                let answer = create(&mut client, &format!("slow-{number}"), 1, 1).await;
                let _ = tell.send(answer.topics[0].error_code);
            }));
            asked.push(created);
        }
        let began = cluster.client.now();
        for created in asked {
            assert_eq!(created.await, Ok(0));
        }
        let took = cluster.client.now() - began;
        assert!(took < Duration::from_secs(3), "one after the other: {took:?}");
        let after = metadata(&mut client, &["kept"]).await.topics[0].partitions.clone();
        assert_eq!(after, before, "it was fenced, and its partitions had no leader");
    });
}
