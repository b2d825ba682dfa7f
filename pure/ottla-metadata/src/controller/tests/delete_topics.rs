//! Every way DeleteTopics can answer.

use ottla_config::{Layers, Setting};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;

use super::*;

fn by_id(id: Uuid) -> DeleteTopicState {
    DeleteTopicState { name: None, topic_id: id, ..Default::default() }
}

fn by_name(name: &str) -> DeleteTopicState {
    DeleteTopicState { name: Some(Str::copy_from(name)), ..Default::default() }
}

fn delete(
    world: &mut World,
    topics: Vec<DeleteTopicState>,
    version: i16,
) -> Vec<DeletableTopicResult> {
    let topic_names = topics.iter().filter_map(|topic| topic.name.clone()).collect();
    let request = DeleteTopicsRequest { topics, topic_names, ..Default::default() };
    match world.run(Command::DeleteTopics { request, version }) {
        Reply::DeleteTopics(response) => response.responses,
        other => panic!("{other:?}"),
    }
}

fn codes(results: &[DeletableTopicResult]) -> Vec<ErrorCode> {
    results.iter().map(|result| ErrorCode::from_code(result.error_code).unwrap()).collect()
}

#[test]
fn by_name_and_by_id() {
    let mut world = World::of(1);
    for name in ["a", "b", "c"] {
        world.topic(name, 3);
    }
    let id = world.image().topics.id_of("a").unwrap();
    let results = delete(&mut world, vec![by_id(id), by_name("none")], 6);
    assert_eq!(codes(&results), [ErrorCode::None, ErrorCode::UnknownTopicOrPartition]);
    assert_eq!((results[0].name.as_deref(), results[0].topic_id), (Some("a"), id));
    assert_eq!(results[0].error_message, None);
    assert_eq!(codes(&delete(&mut world, vec![by_id(id)], 6)), [ErrorCode::UnknownTopicId]);
    assert_eq!(codes(&delete(&mut world, vec![by_name("b")], 1)), [ErrorCode::None]);
    assert_eq!(world.image().topics.len(), 1);
    assert_eq!(world.image().topics.partition_count(), 3);
}

#[test]
fn a_name_given_again_is_another_topic() {
    let mut world = World::of(1);
    let wanted =
        NewTopic { configs: vec![("retention.ms", "5".into())], ..NewTopic::auto("t.x".into()) };
    world.run(Command::EnsureTopics(vec![wanted]));
    let first = world.image().topics.id_of("t.x").unwrap();
    delete(&mut world, vec![by_name("t.x")], 6);
    assert!(world.image().configs.topic("t.x").is_empty(), "its settings went with it");
    assert!(world.image().topics.colliding("t_x").is_none());
    world.topic("t.x", 1);
    assert_ne!(world.image().topics.id_of("t.x"), Some(first));
}

#[test]
fn bad_requests() {
    let mut world = World::of(1);
    world.topic("a", 1);
    world.topic("b", 1);
    let id = world.image().topics.id_of("a").unwrap();
    let invalid = ErrorCode::InvalidRequest;
    let both = DeleteTopicState { topic_id: id, ..by_name("a") };
    assert_eq!(codes(&delete(&mut world, vec![both], 6)), [invalid]);
    assert_eq!(codes(&delete(&mut world, vec![by_id(Uuid::ZERO)], 6)), [invalid]);
    assert_eq!(codes(&delete(&mut world, vec![by_name("a"), by_name("a")], 6)), [invalid]);
    assert_eq!(codes(&delete(&mut world, vec![by_id(id), by_id(id)], 6)), [invalid]);
    assert_eq!(world.image().topics.len(), 2);
    // Under both of its names, a topic is answered once, and stays.
    let results = delete(&mut world, vec![by_name("a"), by_id(id), by_name("b")], 6);
    assert_eq!(codes(&results), [invalid, ErrorCode::None]);
    assert!(world.image().topics.contains("a"));
}

#[test]
fn deletion_can_be_forbidden() {
    let mut world = World::of(1);
    world.topic("a", 1);
    let setting = Setting::flag("delete.topic.enable", "false");
    world.soft.config = Arc::new(BrokerConfig::build(Layers::new([setting])).unwrap());
    assert_eq!(
        codes(&delete(&mut world, vec![by_name("a")], 6)),
        [ErrorCode::TopicDeletionDisabled]
    );
    assert_eq!(codes(&delete(&mut world, vec![by_name("a")], 2)), [ErrorCode::InvalidRequest]);
    assert!(world.image().topics.contains("a"));
}
