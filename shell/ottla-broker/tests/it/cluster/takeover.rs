//! Nodes die and come back.

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

/// Goal: each node can be stopped in order and started again while the others go on.
#[test]
fn a_rolling_restart_loses_nothing() {
    Cluster::combined(12).run(async |cluster| {
        let mut nodes: Vec<_> = cluster.start().await.into_iter().map(Some).collect();
        let mut client = cluster.connect(nodes[0].as_ref().unwrap()).await;
        assert_eq!(create(&mut client, "kept", 3, 1).await.topics[0].error_code, 0);
        for at in 0..3 {
            let name = format!("made-without-{at}");
            nodes[at].take().unwrap().broker.shutdown().await;
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
