//! Controllers and brokers on machines of their own.

use super::*;

const SPLIT: [&str; 6] = ["controller", "controller", "controller", "broker", "broker", "broker"];

#[test]
fn dedicated_controllers_serve_dedicated_brokers() {
    Cluster::new(21, &SPLIT).run(async |cluster| {
        let nodes = cluster.start().await;
        let brokers = &nodes[3..];
        for (at, node) in brokers.iter().enumerate() {
            let name = format!("asked-of-{at}");
            let mut client = cluster.connect(node).await;
            let answer = create(&mut client, &name, 3, 1).await;
            assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
            for other in brokers {
                let mut client = cluster.connect(other).await;
                let answer = metadata(&mut client, &[&name]).await;
                assert_eq!(answer.topics[0].error_code, 0);
                let ids: Vec<i32> = answer.brokers.iter().map(|broker| broker.node_id).collect();
                assert_eq!(ids, [4, 5, 6], "controllers are no brokers");
                assert!(ids.contains(&answer.controller_id), "clients can reach it");
            }
        }
    });
}

#[test]
fn brokers_find_the_next_dedicated_controller() {
    Cluster::new(22, &SPLIT).run(async |cluster| {
        let nodes = cluster.start().await;
        let active = cluster.active_controller(0).await;
        cluster.kill(active);
        for (at, node) in nodes[3..].iter().enumerate() {
            let mut client = cluster.connect(node).await;
            let answer = create(&mut client, &format!("after-{at}"), 3, 1).await;
            assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
        }
        cluster.until_live(&nodes[3], &[4, 5, 6]).await;
    });
}

/// Goal: a tool that asks a controller is told of controllers, and by a broker of brokers.
#[test]
fn controllers_are_described_at_controllers() {
    Cluster::new(23, &SPLIT).run(async |cluster| {
        let nodes = cluster.start().await;
        let deadline = cluster.client.now() + FORMING_MAX;
        let answer = loop {
            let address = cluster.controller_address(1);
            let mut client = Client::open(&cluster.client, address).await;
            let request = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
            let answer = client.call(1, &request).await;
            assert_eq!(answer.cluster_id.as_str(), CLUSTER_ID);
            if answer.brokers.len() == 3 {
                break answer;
            }
            assert!(cluster.client.now() < deadline, "{answer:?}");
            cluster.client.sleep(Duration::from_millis(100)).await;
        };
        let ids: Vec<i32> = answer.brokers.iter().map(|broker| broker.broker_id).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert!(answer.brokers.iter().all(|broker| broker.port == i32::from(CONTROLLERS)));
        let mut client = cluster.connect(&nodes[3]).await;
        let request = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
        let answer = client.call(1, &request).await;
        assert_eq!(answer.error_code, ErrorCode::MismatchedEndpointType.code());
    });
}
