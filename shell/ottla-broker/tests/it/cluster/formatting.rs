//! Nodes format themselves: which cluster an empty data directory becomes part of.

use super::*;

/// Goal: three nodes with the same list of voters and no id are one cluster, and stay it when they are
/// started again.
#[test]
fn voters_make_the_same_cluster_by_themselves() {
    Cluster::combined(51).without_id().run(async |cluster| {
        let nodes = cluster.start().await;
        let id = nodes[0].broker.cluster_id().to_owned();
        assert_eq!(id.len(), 22);
        assert!(nodes.iter().all(|node| node.broker.cluster_id() == id));
        cluster.kill(1);
        cluster.revive(1);
        let back = cluster.start_one(1).await;
        assert_eq!(back.broker.cluster_id(), id);
    });
}

/// Goal: a broker that knows no more than the voters asks them for the id that they were given.
#[test]
fn a_broker_asks_the_controllers_which_cluster_it_is_of() {
    const ROLES: [&str; 4] =
        ["broker,controller", "broker,controller", "broker,controller", "broker"];
    Cluster::new(52, &ROLES).without_id().run(async |cluster| {
        let named = [("ottla.cluster.id", CLUSTER_ID)];
        let starting: Vec<_> = (0..3).map(|at| cluster.begin(at, &named)).collect();
        let mut nodes = Vec::new();
        for started in starting {
            let started = cluster.client.timeout(FORMING_MAX, started).await;
            let node = started.expect("in time").expect("it is up").expect("a start");
            assert_eq!(node.broker.cluster_id(), CLUSTER_ID);
            nodes.push(node);
        }
        let broker = cluster.start_one(3).await;
        assert_eq!(broker.broker.cluster_id(), CLUSTER_ID);
        cluster.until_live(&broker, &[1, 2, 3, 4]).await;
    });
}

/// Goal: a broker without controllers says whom it asked, and what to do.
#[test]
fn a_broker_that_finds_no_controller_says_whom_it_asked() {
    Cluster::new(53, &["controller", "broker"]).without_id().run(async |cluster| {
        let soon = [("initial.broker.registration.timeout.ms", "3000")];
        let Err(StartError::Format(error)) = cluster.try_start(1, &soon).await else {
            panic!("it does not know its cluster");
        };
        let asked = cluster.controller_address(0).to_string();
        assert!(error.to_string().contains(&asked), "{error}");
    });
}

/// Goal: where only bootstrap servers are named, the first of them begins the cluster, and the others
/// wait for it and join, in whatever order they start.
#[test]
fn the_first_bootstrap_server_founds_the_cluster() {
    let roles = ["broker,controller", "broker,controller", "broker"];
    let cluster = Cluster { is_founded: true, ..Cluster::new(54, &roles) };
    cluster.without_id().run(async |cluster| {
        let starting: Vec<_> = [2, 1, 0].iter().map(|at| cluster.begin(*at, &[])).collect();
        let mut nodes = Vec::new();
        for started in starting {
            let started = cluster.client.timeout(FORMING_MAX, started).await;
            nodes.push(started.expect("in time").expect("it is up").expect("a start"));
        }
        let id = nodes[2].broker.cluster_id().to_owned();
        assert!(nodes.iter().all(|node| node.broker.cluster_id() == id));
        cluster.until_live(&nodes[0], &[1, 2, 3]).await;
    });
}
