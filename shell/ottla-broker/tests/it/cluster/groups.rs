//! Groups in a cluster: found where they can be served, and not lost with their coordinator.

use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::{FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest};

use super::*;

const GROUP: &str = "readers";
/// The offsets topic of these tests: few partitions, so that a cluster takes little time to make it.
const FEW: (&str, &str) = ("offsets.topic.num.partitions", "3");

/// The seat of the group's coordinator, as a node says.
async fn find(cluster: &Cluster, node: &Node<SimEnv>) -> Result<usize, ErrorCode> {
    let request =
        FindCoordinatorRequest { coordinator_keys: vec![Str::from(GROUP)], ..Default::default() };
    let response = cluster.connect(node).await.call(6, &request).await;
    let found = &response.coordinators[0];
    match ErrorCode::from_code(found.error_code).unwrap() {
        ErrorCode::None => Ok(usize::try_from(found.node_id).unwrap() - 1),
        error => Err(error),
    }
}

/// The same, asked again while its coordinator is moving.
async fn until_found(cluster: &Cluster, node: &Node<SimEnv>) -> usize {
    let deadline = cluster.client.now() + FORMING_MAX;
    loop {
        match find(cluster, node).await {
            Ok(seat) => return seat,
            Err(error) => assert!(cluster.client.now() < deadline, "{error}"),
        }
    }
}

async fn commit(cluster: &Cluster, node: &Node<SimEnv>, offset: i64) -> ErrorCode {
    let request = OffsetCommitRequest {
        group_id: Str::from(GROUP),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from("t"),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: offset,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = cluster.connect(node).await.call(8, &request).await;
    ErrorCode::from_code(response.topics[0].partitions[0].error_code).unwrap()
}

async fn committed(cluster: &Cluster, node: &Node<SimEnv>) -> i64 {
    let request =
        OffsetFetchRequest { group_id: Str::from(GROUP), topics: None, ..Default::default() };
    let response = cluster.connect(node).await.call(7, &request).await;
    assert_eq!(response.error_code, 0);
    response.topics[0].partitions[0].committed_offset
}

/// Three nodes with a topic `t`, which know of each other.
async fn start(cluster: &Cluster) -> Vec<Node<SimEnv>> {
    let starting: Vec<_> = (0..3).map(|at| cluster.begin(at, &[FEW])).collect();
    let mut nodes = Vec::new();
    for started in starting {
        let started = cluster.client.timeout(FORMING_MAX, started).await;
        nodes.push(started.expect("in time").expect("it is up").expect("a start"));
    }
    for node in &nodes {
        cluster.until_live(node, &[1, 2, 3]).await;
    }
    let mut client = cluster.connect(&nodes[0]).await;
    assert_eq!(create(&mut client, "t", 1, 3).await.topics[0].error_code, 0);
    nodes
}

/// Goal: the first group of a cluster is found on every node in the first answer, and the coordinator
/// that was found serves the next request.
#[test]
fn the_first_group_is_found_on_every_node_and_served_at_once() {
    Cluster::combined(41).run(async |cluster| {
        let nodes = start(cluster).await;
        for node in &nodes {
            let coordinator = find(cluster, node).await.unwrap();
            assert_eq!(commit(cluster, &nodes[coordinator], 7).await, ErrorCode::None);
            assert_eq!(committed(cluster, &nodes[coordinator]).await, 7);
            for other in (0..3).filter(|other| *other != coordinator) {
                let refused = commit(cluster, &nodes[other], 8).await;
                assert_eq!(refused, ErrorCode::NotCoordinator);
            }
        }
    });
}

/// Rows 2 and B2: offsets that were acknowledged outlive their coordinator, and the next one, too.
/// Coordinators that answered at the local append lost them with the first.
#[test]
fn row_b2_committed_offsets_outlive_two_coordinators() {
    Cluster::combined(42).run(async |cluster| {
        let nodes = start(cluster).await;
        let first = find(cluster, &nodes[0]).await.unwrap();
        assert_eq!(commit(cluster, &nodes[first], 7).await, ErrorCode::None);
        cluster.kill(first);
        let survivor = &nodes[(first + 1) % 3];
        let second = until_found(cluster, survivor).await;
        assert_ne!(second, first);
        assert_eq!(committed(cluster, &nodes[second]).await, 7);
        assert_eq!(commit(cluster, &nodes[second], 8).await, ErrorCode::None);

        cluster.revive(first);
        let back = cluster.try_start(first, &[FEW]).await.unwrap_or_else(|e| panic!("{e}"));
        cluster.until_live(survivor, &[1, 2, 3]).await;
        cluster.kill(second);
        let third = until_found(cluster, &back).await;
        assert_ne!(third, second);
        let serving = if third == first { &back } else { &nodes[third] };
        assert_eq!(committed(cluster, serving).await, 8);
        assert_eq!(commit(cluster, serving, 9).await, ErrorCode::None);
    });
}

/// In a cluster the offsets topic is not made before there are enough brokers for its replicas: made
/// by the first one, it would be lost with it.
#[test]
fn the_offsets_topic_waits_for_its_brokers() {
    Cluster::combined(43).run(async |cluster| {
        let starting: Vec<_> = (0..2).map(|at| cluster.begin(at, &[FEW])).collect();
        let mut nodes = Vec::new();
        for started in starting {
            let started = cluster.client.timeout(FORMING_MAX, started).await;
            nodes.push(started.expect("in time").expect("it is up").expect("a start"));
        }
        let refused = find(cluster, &nodes[0]).await;
        assert_eq!(refused, Err(ErrorCode::CoordinatorNotAvailable));
        let third = cluster.try_start(2, &[FEW]).await.unwrap_or_else(|e| panic!("{e}"));
        cluster.until_live(&third, &[1, 2, 3]).await;
        until_found(cluster, &nodes[0]).await;
        let mut client = cluster.connect(&nodes[0]).await;
        let answer = metadata(&mut client, &["__consumer_offsets"]).await;
        let replicas = answer.topics[0].partitions.iter().map(|found| found.replica_nodes.len());
        assert!(replicas.into_iter().all(|count| count == 3), "{answer:?}");
    });
}
