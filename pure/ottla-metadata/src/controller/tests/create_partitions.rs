//! Every way CreatePartitions can answer, with Kafka's words.

use ottla_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};

use super::*;

fn grow(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let assignments = assignments.map(|list| {
        let each = list.iter().map(|brokers| CreatePartitionsAssignment {
            broker_ids: brokers.to_vec(),
            ..Default::default()
        });
        each.collect()
    });
    CreatePartitionsTopic { name: Str::copy_from(name), count, assignments, ..Default::default() }
}

fn ask(
    world: &mut World,
    topics: Vec<CreatePartitionsTopic>,
    validate_only: bool,
) -> Vec<(ErrorCode, Option<String>)> {
    let request = CreatePartitionsRequest { topics, validate_only, ..Default::default() };
    let Reply::CreatePartitions(response) = world.run(Command::CreatePartitions(request)) else {
        panic!("the reply is of the command's kind")
    };
    let answer = response.results.into_iter().map(|result| {
        let code = ErrorCode::from_code(result.error_code).unwrap();
        (code, result.error_message.map(|message| message.to_string()))
    });
    answer.collect()
}

#[test]
fn refusals() {
    let mut world = World::of(1);
    world.topic("t", 2);
    let mut check = |topic: CreatePartitionsTopic, code, message: Option<&str>| {
        let before = world.log.len();
        let answer = ask(&mut world, vec![topic], false);
        assert_eq!(answer, [(code, message.map(str::to_owned))]);
        assert_eq!(world.log.len(), before);
    };
    check(grow("none", 3, None), ErrorCode::UnknownTopicOrPartition, None);
    let partitions = ErrorCode::InvalidPartitions;
    check(grow("t", 2, None), partitions, Some("Topic already has 2 partition(s)."));
    let less = "The topic t currently has 2 partition(s); 1 would not be an increase.";
    check(grow("t", 1, None), partitions, Some(less));
    let less = "The topic t currently has 2 partition(s); -5 would not be an increase.";
    check(grow("t", -5, None), partitions, Some(less));
    let assignment = ErrorCode::InvalidReplicaAssignment;
    let few =
        "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.";
    check(grow("t", 4, Some(&[&[0]])), assignment, Some(few));
    let unknown =
        "The manual partition assignment includes broker 9, but no such broker is registered.";
    check(grow("t", 3, Some(&[&[9]])), assignment, Some(unknown));
    let empty = "The manual partition assignment includes an empty replica list.";
    check(grow("t", 3, Some(&[&[]])), assignment, Some(empty));
    let huge = "Excessively large number of partitions per request.";
    check(grow("t", i32::MAX, None), ErrorCode::PolicyViolation, Some(huge));
}

#[test]
fn growth() {
    let mut world = World::of(1);
    world.topic("t", 2);
    world.topic("u", 1);
    assert_eq!(ask(&mut world, vec![grow("t", 5, None)], true), [(ErrorCode::None, None)]);
    assert_eq!(world.image().topics.get("t").unwrap().partitions.len(), 2);

    let topics = vec![grow("t", 5, None), grow("u", 2, Some(&[&[0]])), grow("none", 2, None)];
    let answers = ask(&mut world, topics, false);
    assert_eq!(answers[0], (ErrorCode::None, None));
    assert_eq!(answers[1], (ErrorCode::None, None));
    assert_eq!(answers[2].0, ErrorCode::UnknownTopicOrPartition);
    let topic = world.image().topics.get("t").unwrap();
    assert!(topic.partitions.keys().copied().eq(0..5));
    assert_eq!(world.image().topics.partition_count(), 7);

    let twice = ask(&mut world, vec![grow("t", 6, None), grow("t", 7, None)], false);
    let message = Some("Duplicate topic name.".to_owned());
    assert_eq!(twice, [(ErrorCode::InvalidRequest, message)]);
}
