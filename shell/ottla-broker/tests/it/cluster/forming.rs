//! A cluster forms, and what is acknowledged is known to all of it.

use std::collections::BTreeSet;

use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::{
    DeleteTopicsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    InitProducerIdRequest,
};

use super::*;

#[test]
fn three_nodes_are_a_cluster() {
    Cluster::combined(1).run(async |cluster| {
        let nodes = cluster.start().await;
        for node in &nodes {
            let mut client = cluster.connect(node).await;
            let answer = metadata(&mut client, &[]).await;
            let ids: Vec<i32> = answer.brokers.iter().map(|broker| broker.node_id).collect();
            assert_eq!(ids, [1, 2, 3]);
            assert_eq!(answer.cluster_id.as_deref(), Some(CLUSTER_ID));
            assert!(ids.contains(&answer.controller_id));
        }
    });
}

/// Goal: a topic that one node acknowledged is known to the others with the next request, whichever
/// node was asked for it.
#[test]
fn a_topic_is_known_everywhere_once_it_is_acknowledged() {
    Cluster::combined(2).run(async |cluster| {
        let nodes = cluster.start().await;
        let mut clients = Vec::new();
        for node in &nodes {
            clients.push(cluster.connect(node).await);
        }
        for at in 0..nodes.len() {
            let name = format!("asked-of-{at}");
            let answer = create(&mut clients[at], &name, 6, 1).await;
            assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
            for client in &mut clients {
                let answer = metadata(client, &[&name]).await;
                let topic = &answer.topics[0];
                assert_eq!(topic.error_code, 0);
                let leaders: BTreeSet<i32> =
                    topic.partitions.iter().map(|partition| partition.leader_id).collect();
                assert_eq!(leaders, BTreeSet::from([1, 2, 3]), "spread over all brokers");
                assert!(topic.partitions.iter().all(|partition| partition.error_code == 0));
            }
        }
    });
}

/// Goal: what is changed or deleted through one node is so on the others with their next request.
#[test]
fn changes_are_known_everywhere_once_they_are_acknowledged() {
    Cluster::combined(3).run(async |cluster| {
        let nodes = cluster.start().await;
        let mut clients = Vec::new();
        for node in &nodes {
            clients.push(cluster.connect(node).await);
        }
        for at in 0..nodes.len() {
            let name = format!("changed-by-{at}");
            let next = (at + 1) % nodes.len();
            assert_eq!(create(&mut clients[at], &name, 1, 3).await.topics[0].error_code, 0);
            assert_eq!(set_retention(&mut clients[next], &name, "4711").await, 0);
            for client in &mut clients {
                assert_eq!(retention(client, &name).await, "4711");
            }
            assert_eq!(delete(&mut clients[at], &name).await, 0);
            for client in &mut clients {
                assert_eq!(metadata(client, &[&name]).await.topics[0].error_code, 3);
            }
        }
    });
}

/// Goal: a topic that a Metadata request makes is in its answer, and known to the others.
#[test]
fn a_topic_made_on_demand_is_known_everywhere() {
    Cluster::combined(4).run(async |cluster| {
        let nodes = cluster.start().await;
        for (at, node) in nodes.iter().enumerate() {
            let name = format!("wanted-by-{at}");
            let mut client = cluster.connect(node).await;
            let topics = vec![MetadataRequestTopic {
                name: Some(Str::copy_from(&name)),
                ..MetadataRequestTopic::default()
            }];
            let request = MetadataRequest {
                topics: Some(topics),
                allow_auto_topic_creation: true,
                ..Default::default()
            };
            let answer = client.call(12, &request).await;
            assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
            for other in &nodes {
                let mut client = cluster.connect(other).await;
                assert_eq!(metadata(&mut client, &[&name]).await.topics[0].error_code, 0);
            }
        }
    });
}

/// Goal: no two producers of a cluster have one id, whichever broker gave it to them.
#[test]
fn producer_ids_are_given_once() {
    Cluster::combined(5).run(async |cluster| {
        let nodes = cluster.start().await;
        let mut ids = BTreeSet::new();
        for node in nodes.iter().chain(&nodes) {
            let mut client = cluster.connect(node).await;
            let request = InitProducerIdRequest {
                transactional_id: None,
                producer_id: -1,
                producer_epoch: -1,
                ..Default::default()
            };
            let answer = client.call(4, &request).await;
            assert_eq!(answer.error_code, 0);
            assert!(ids.insert(answer.producer_id), "{} was given before", answer.producer_id);
        }
    });
}

async fn set_retention(client: &mut Client<SimEnv>, topic: &str, value: &str) -> i16 {
    let config = AlterableConfig {
        name: Str::from_static("retention.ms"),
        config_operation: 0,
        value: Some(Str::copy_from(value)),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: Str::copy_from(topic),
        configs: vec![config],
        ..Default::default()
    };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    client.call(1, &request).await.responses[0].error_code
}

async fn retention(client: &mut Client<SimEnv>, topic: &str) -> String {
    let resource = DescribeConfigsResource {
        resource_type: 2,
        resource_name: Str::copy_from(topic),
        configuration_keys: Some(vec![Str::from_static("retention.ms")]),
        ..Default::default()
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let answer = client.call(4, &request).await;
    let value = answer.results[0].configs[0].value.clone();
    value.map(String::from).unwrap_or_default()
}

pub(super) async fn delete(client: &mut Client<SimEnv>, topic: &str) -> i16 {
    let topics = vec![DeleteTopicState { name: Some(Str::copy_from(topic)), ..Default::default() }];
    let request = DeleteTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() };
    client.call(6, &request).await.responses[0].error_code
}
