//! The cluster's metadata from outside: what is answered is seen at once, and is there again after
//! a restart.

use std::collections::BTreeSet;

use ottla_env::Env;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::metadata_response::MetadataResponseTopic;
use ottla_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    DescribeConfigsRequest, DescribeTopicPartitionsRequest, IncrementalAlterConfigsRequest,
    InitProducerIdRequest, ListConfigResourcesRequest, MetadataRequest, MetadataResponse,
    create_partitions_request::CreatePartitionsTopic,
    describe_configs_request::DescribeConfigsResource,
};
use ottla_protocol::records::BatchOptions;
use ottla_protocol::{ErrorCode, Str, Uuid};

use crate::world::{Client, Place, batch};

fn ask(names: &[&str]) -> MetadataRequest {
    let topic = |name: &&str| MetadataRequestTopic {
        name: Some(Str::copy_from(name)),
        ..MetadataRequestTopic::default()
    };
    MetadataRequest { topics: Some(names.iter().map(topic).collect()), ..Default::default() }
}

async fn topic<E: Env>(client: &mut Client<E>, name: &str) -> MetadataResponseTopic {
    client.call(13, &ask(&[name])).await.topics.remove(0)
}

async fn all<E: Env>(client: &mut Client<E>) -> MetadataResponse {
    client.call(13, &MetadataRequest { topics: None, ..Default::default() }).await
}

async fn auto_creation<E: Env>(place: Place<E>) {
    let node = place.start(&[("num.partitions", "3")]).await;
    let mut client = node.connect().await;
    for version in [0, 4, 9, 13] {
        let name = format!("made.by-v{version}");
        let response = client.call(version, &ask(&[&name])).await;
        let made = &response.topics[0];
        assert_eq!((made.error_code, made.partitions.len()), (0, 3), "the first answer is ready");
        assert!(made.partitions.iter().all(|partition| partition.error_code == 0));
        let records = batch(Default::default(), &["a"]);
        assert_eq!(client.produce(9, &name, records).await.error_code, 0);
    }
    let mut unwanted = ask(&["no"]);
    unwanted.allow_auto_topic_creation = false;
    let code = client.call(13, &unwanted).await.topics[0].error_code;
    assert_eq!(code, ErrorCode::UnknownTopicOrPartition.code());
    let code = topic(&mut client, "a b").await.error_code;
    assert_eq!(code, ErrorCode::InvalidTopicException.code());
    node.broker.shutdown().await;

    let node = place.start(&[("auto.create.topics.enable", "false")]).await;
    let code = topic(&mut node.connect().await, "later").await.error_code;
    assert_eq!(code, ErrorCode::UnknownTopicOrPartition.code());
    node.broker.shutdown().await;
}

#[test]
fn a_topic_that_is_asked_for_is_ready_in_the_first_answer() {
    everywhere!(auto_creation);
}

async fn address<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    let mut client = node.connect().await;
    for version in 0..=13 {
        let response = client.call(version, &ask(&[])).await;
        assert_eq!(response.brokers.len(), 1);
        let told = (response.brokers[0].host.to_string(), response.brokers[0].port);
        assert_eq!(told, (place.ip.to_string(), i32::from(node.address.port())));
        if version >= 1 {
            assert_eq!(response.controller_id, response.brokers[0].node_id);
        }
    }
    let cluster = client.call(2, &DescribeClusterRequest::default()).await;
    assert_eq!((cluster.error_code, cluster.brokers.len()), (0, 1));
    assert_eq!(cluster.brokers[0].port, i32::from(node.address.port()));
    let controllers = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
    let refused = client.call(2, &controllers).await.error_code;
    assert_eq!(refused, ErrorCode::MismatchedEndpointType.code());
    node.broker.shutdown().await;

    let node = place.start(&[("advertised.listeners", "PLAINTEXT://kafka.example:19092")]).await;
    let response = node.connect().await.call(13, &ask(&[])).await;
    assert_eq!(
        (response.brokers[0].host.as_str(), response.brokers[0].port),
        ("kafka.example", 19092)
    );
    node.broker.shutdown().await;
}

#[test]
fn a_client_is_told_the_address_it_reached_unless_one_is_advertised() {
    everywhere!(address);
}

/// A name that would be a path is refused wherever it is said, and makes no folder.
async fn unlawful_names<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    let mut client = node.connect().await;
    for name in ["a/b", "../a", "..", ".", "", "a b", "ä", &"x".repeat(250)] {
        let named = CreatableTopic {
            name: Str::copy_from(name),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![named], timeout_ms: 5000, ..Default::default() };
        let refused = client.call(7, &request).await.topics.remove(0);
        assert_eq!(refused.error_code, ErrorCode::InvalidTopicException.code(), "{name}");
        assert!(refused.error_message.is_some_and(|text| !text.is_empty()), "{name}");
        let asked = topic(&mut client, name).await;
        assert_eq!(asked.error_code, ErrorCode::InvalidTopicException.code(), "{name}");
        let records = batch(BatchOptions::default(), &["x"]);
        let produced = client.produce(9, name, records).await;
        assert_eq!(produced.error_code, ErrorCode::UnknownTopicOrPartition.code(), "{name}");
    }
    assert!(all(&mut client).await.topics.is_empty());
    node.broker.shutdown().await;
}

#[test]
fn a_name_that_is_no_topics_is_refused() {
    everywhere!(unlawful_names);
}

async fn life_of_a_topic<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[("retention.ms", "5000")]).await;
    let mut client = node.connect().await;
    let first = topic(&mut client, "t").await;
    let by_id = MetadataRequestTopic { name: None, topic_id: first.topic_id, ..Default::default() };
    let by_id = MetadataRequest { topics: Some(vec![by_id]), ..Default::default() };
    assert_eq!(client.call(13, &by_id).await.topics[0].name, Some("t".into()));

    let growth = CreatePartitionsTopic {
        name: "t".into(),
        count: 4,
        assignments: None,
        ..Default::default()
    };
    let growth =
        CreatePartitionsRequest { topics: vec![growth], timeout_ms: 1000, ..Default::default() };
    assert_eq!(client.call(3, &growth).await.results[0].error_code, 0);
    assert_eq!(topic(&mut client, "t").await.partitions.len(), 4);
    let paged = DescribeTopicPartitionsRequest {
        response_partition_limit: 3,
        cursor: None,
        ..Default::default()
    };
    let page = client.call(0, &paged).await;
    assert_eq!(page.topics[0].partitions.len(), 3);
    let next = page.next_cursor.expect("there is more");
    assert_eq!((next.topic_name.as_str(), next.partition_index), ("t", 3));
    node.broker.shutdown().await;

    let node = place.start(&[]).await;
    let mut client = node.connect().await;
    let again = topic(&mut client, "t").await;
    assert_eq!((again.topic_id, again.partitions.len()), (first.topic_id, 4));
    assert_eq!(client.produce(9, "t", batch(Default::default(), &["x"])).await.base_offset, 0);

    let deletion = DeleteTopicsRequest {
        topic_names: vec!["t".into()],
        timeout_ms: 1000,
        ..Default::default()
    };
    assert_eq!(client.call(5, &deletion).await.responses[0].error_code, 0);
    assert!(all(&mut client).await.topics.is_empty());
    node.create_topic("t", &[]).await;
    let second = topic(&mut client, "t").await;
    assert_ne!(second.topic_id, first.topic_id);
    assert_eq!(second.partitions.len(), 1);
    // Nothing of the first topic is under the name.
    assert_eq!(client.produce(9, "t", batch(Default::default(), &["y"])).await.base_offset, 0);
    assert_eq!(
        client.call(13, &by_id).await.topics[0].error_code,
        ErrorCode::UnknownTopicId.code()
    );
    node.broker.shutdown().await;

    let node = place.start(&[]).await;
    let last = topic(&mut node.connect().await, "t").await;
    assert_eq!((last.topic_id, last.partitions.len()), (second.topic_id, 1));
    node.broker.shutdown().await;
}

#[test]
fn a_topic_is_made_grown_deleted_and_made_again() {
    everywhere!(life_of_a_topic);
}

/// A request that gives a resource a setting.
pub(crate) fn set(
    resource_type: i8,
    resource: &str,
    name: &str,
    value: &str,
) -> IncrementalAlterConfigsRequest {
    let config = AlterableConfig {
        name: Str::copy_from(name),
        config_operation: 0,
        value: Some(Str::copy_from(value)),
        ..AlterableConfig::default()
    };
    let resource = AlterConfigsResource {
        resource_type,
        resource_name: Str::copy_from(resource),
        configs: vec![config],
        ..AlterConfigsResource::default()
    };
    IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() }
}

/// Value and source of one setting.
async fn setting<E: Env>(
    client: &mut Client<E>,
    resource_type: i8,
    resource: &str,
    name: &str,
) -> (Option<String>, i8) {
    let resource = DescribeConfigsResource {
        resource_type,
        resource_name: Str::copy_from(resource),
        configuration_keys: Some(vec![Str::copy_from(name)]),
        ..DescribeConfigsResource::default()
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
        ..DescribeConfigsRequest::default()
    };
    let response = client.call(4, &request).await;
    let result = &response.results[0];
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    let config = &result.configs[0];
    assert!(config.documentation.is_some());
    (config.value.as_ref().map(|value| value.to_string()), config.config_source)
}

async fn settings<E: Env>(place: Place<E>) {
    let node = place.start(&[("sasl.jaas.config", "secret")]).await;
    node.create_topic("t", &[]).await;
    let mut client = node.connect().await;
    let of = |value: &str, source| (Some(value.to_owned()), source);
    assert_eq!(setting(&mut client, 2, "t", "max.message.bytes").await, of("1048588", 5));
    assert_eq!(
        client.call(1, &set(4, "", "message.max.bytes", "90")).await.responses[0].error_code,
        0
    );
    assert_eq!(setting(&mut client, 2, "t", "max.message.bytes").await, of("90", 3));
    let large = || batch(Default::default(), &["0123456789012345678901234567890123456789"]);
    let refused = client.produce(9, "t", large()).await.error_code;
    assert_eq!(refused, ErrorCode::MessageTooLarge.code(), "in force at once");
    assert_eq!(
        client.call(1, &set(2, "t", "max.message.bytes", "1000")).await.responses[0].error_code,
        0
    );
    assert_eq!(setting(&mut client, 2, "t", "max.message.bytes").await, of("1000", 1));
    assert_eq!(client.produce(9, "t", large()).await.error_code, 0);
    let refused =
        client.call(1, &set(2, "t", "max.message.bytes", "-1")).await.responses[0].error_code;
    assert_eq!(refused, ErrorCode::InvalidConfig.code());
    assert_eq!(setting(&mut client, 4, "1", "sasl.jaas.config").await, (None, 4), "never told");

    let listed = client.call(1, &ListConfigResourcesRequest::default()).await.config_resources;
    let listed: BTreeSet<(i8, String)> =
        listed.into_iter().map(|r| (r.resource_type, r.resource_name.to_string())).collect();
    assert!(listed.contains(&(2, "t".into())) && listed.contains(&(4, "1".into())));
    node.broker.shutdown().await;

    let node = place.start(&[]).await;
    let mut client = node.connect().await;
    assert_eq!(setting(&mut client, 4, "1", "message.max.bytes").await, of("90", 3));
    assert_eq!(client.produce(9, "t", large()).await.error_code, 0);
    node.create_topic("u", &[]).await;
    let refused = client.produce(9, "u", large()).await.error_code;
    assert_eq!(refused, ErrorCode::MessageTooLarge.code());
    node.broker.shutdown().await;
}

#[test]
fn settings_are_in_force_when_they_are_answered_and_after_a_restart() {
    everywhere!(settings);
}

async fn producer_ids<E: Env>(place: Place<E>) {
    let mut given = BTreeSet::new();
    for _start in 0..2 {
        let node = place.start(&[]).await;
        let mut client = node.connect().await;
        for _producer in 0..3 {
            let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
            let response = client.call(4, &request).await;
            assert_eq!(response.error_code, 0);
            assert!(
                given.insert(response.producer_id),
                "{} was given before",
                response.producer_id
            );
        }
        node.broker.shutdown().await;
    }
}

#[test]
fn a_producer_id_is_never_given_twice() {
    everywhere!(producer_ids);
}

async fn many_partitions<E: Env>(place: Place<E>) {
    let node = place.start(&[("num.partitions", "500")]).await;
    let mut client = node.connect().await;
    assert_eq!(topic(&mut client, "wide").await.partitions.len(), 500);
    node.broker.shutdown().await;
    let node = place.start(&[]).await;
    let mut client = node.connect().await;
    let response = all(&mut client).await;
    assert_eq!(response.topics[0].partitions.len(), 500);
    assert_ne!(response.topics[0].topic_id, Uuid::ZERO);
    node.broker.shutdown().await;
}

#[test]
fn a_topic_of_many_partitions_comes_back() {
    everywhere!(many_partitions);
}
