//! Every way CreateTopics can answer, with Kafka's words.

use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use ottla_protocol::messages::create_topics_response::CreatableTopicResult;

use super::*;

pub(super) fn creatable(name: &str, partitions: i32, factor: i16) -> CreatableTopic {
    CreatableTopic {
        name: Str::copy_from(name),
        num_partitions: partitions,
        replication_factor: factor,
        ..Default::default()
    }
}

fn manual(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = assignments.iter().map(|(index, brokers)| CreatableReplicaAssignment {
        partition_index: *index,
        broker_ids: brokers.to_vec(),
        ..Default::default()
    });
    CreatableTopic { assignments: assignments.collect(), ..creatable(name, -1, -1) }
}

fn with(name: &str, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
        name: Str::copy_from(name),
        value: value.map(Str::copy_from),
        ..Default::default()
    });
    CreatableTopic { configs: configs.collect(), ..creatable(name, 1, 1) }
}

pub(super) fn create(
    world: &mut World,
    topics: Vec<CreatableTopic>,
    validate_only: bool,
) -> Vec<CreatableTopicResult> {
    let request = CreateTopicsRequest { topics, validate_only, ..Default::default() };
    match world.run(Command::CreateTopics(request)) {
        Reply::CreateTopics(response) => response.topics,
        other => panic!("{other:?}"),
    }
}

fn refused(world: &mut World, topic: CreatableTopic) -> (ErrorCode, String) {
    let before = world.log.len();
    let results = create(world, vec![topic], false);
    assert_eq!(world.log.len(), before, "a refused topic leaves no record");
    let code = ErrorCode::from_code(results[0].error_code).unwrap();
    assert_eq!((results[0].num_partitions, results[0].replication_factor), (-1, -1));
    (code, results[0].error_message.as_ref().unwrap().to_string())
}

#[test]
fn names() {
    let mut world = World::of(1);
    world.topic("t.a", 1);
    let mut check = |name: &str, code, message: &str| {
        assert_eq!(refused(&mut world, creatable(name, 1, 1)), (code, message.to_owned()));
    };
    let invalid = ErrorCode::InvalidTopicException;
    check("", invalid, "Topic name is invalid: the empty string is not allowed");
    check(".", invalid, "Topic name is invalid: '.' is not allowed");
    check("t_a", invalid, "Topic 't_a' collides with existing topic: t.a");
    check("t.a", ErrorCode::TopicAlreadyExists, "Topic 't.a' already exists.");
    check(
        "__cluster_metadata",
        ErrorCode::InvalidRequest,
        "Creation of internal topic __cluster_metadata is prohibited.",
    );
}

#[test]
fn numbers() {
    let mut world = World::of(1);
    let mut check = |partitions, factor, code, message: &str| {
        assert_eq!(
            refused(&mut world, creatable("t", partitions, factor)),
            (code, message.to_owned())
        );
    };
    let partitions = "Number of partitions was set to an invalid non-positive value.";
    check(0, 1, ErrorCode::InvalidPartitions, partitions);
    check(-2, 1, ErrorCode::InvalidPartitions, partitions);
    let factor = "Replication factor must be larger than 0, or -1 to use the default value.";
    check(1, 0, ErrorCode::InvalidReplicationFactor, factor);
    check(-2, -2, ErrorCode::InvalidReplicationFactor, factor);
    check(
        1,
        2,
        ErrorCode::InvalidReplicationFactor,
        "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be \
         reached because only 1 broker(s) are registered or some brokers have all their log \
         directories cordoned.",
    );
    check(
        20_000,
        1,
        ErrorCode::PolicyViolation,
        "Excessively large number of partitions per request.",
    );
    check(
        i32::MAX,
        1,
        ErrorCode::PolicyViolation,
        "Excessively large number of partitions per request.",
    );
}

#[test]
fn assignments_by_hand() {
    let mut world = World::of(2);
    let mut check = |topic, message: &str| {
        let code = ErrorCode::InvalidReplicaAssignment;
        assert_eq!(refused(&mut world, topic), (code, message.to_owned()));
    };
    let gap = "partitions should be a consecutive 0-based integer sequence";
    check(manual("t", &[(0, &[0]), (2, &[0])]), gap);
    check(manual("t", &[(1, &[0])]), gap);
    check(
        manual("t", &[(0, &[0, 0])]),
        "The manual partition assignment includes the broker 0 more than once.",
    );
    check(
        manual("t", &[(0, &[0, 9])]),
        "The manual partition assignment includes broker 9, but no such broker is registered.",
    );
    check(
        manual("t", &[(0, &[])]),
        "The manual partition assignment includes an empty replica list.",
    );
    check(
        manual("t", &[(0, &[0]), (0, &[1])]),
        "Found multiple manual partition assignments for partition 0",
    );
    check(
        manual("t", &[(0, &[0]), (1, &[0, 1])]),
        "The manual partition assignment includes a partition with 2 replica(s), but this is not \
         consistent with previous partitions, which have 1 replica(s).",
    );
    let mut both = manual("t", &[(0, &[0])]);
    both.num_partitions = 1;
    assert_eq!(refused(&mut world, both).0, ErrorCode::InvalidRequest);
    let mut both = manual("t", &[(0, &[0])]);
    both.replication_factor = 1;
    assert_eq!(refused(&mut world, both).0, ErrorCode::InvalidRequest);

    let results = create(&mut world, vec![manual("t", &[(1, &[1, 0]), (0, &[0, 1])])], false);
    assert_eq!((results[0].num_partitions, results[0].replication_factor), (2, 2));
    let topic = world.image().topics.get("t").unwrap();
    let leaders: Vec<i32> = topic.partitions.values().map(|p| p.leader).collect();
    assert_eq!(leaders, [0, 1]);
}

#[test]
fn configurations() {
    let mut world = World::of(1);
    let mut check = |configs: &[(&str, Option<&str>)], message: &str| {
        assert_eq!(
            refused(&mut world, with("t", configs)),
            (ErrorCode::InvalidConfig, message.to_owned())
        );
    };
    check(&[("no.such", Some("1"))], "Unknown topic config name: no.such");
    check(
        &[("segment.bytes", Some("abc"))],
        "Invalid value abc for configuration segment.bytes: Not a number of type INT",
    );
    check(
        &[("segment.bytes", Some("10"))],
        "Invalid value 10 for configuration segment.bytes: Value must be at least 1048576",
    );
    check(&[("retention.ms", None)], "Null value not supported for topic configs: retention.ms");
    check(
        &[("max.compaction.lag.ms", Some("5")), ("min.compaction.lag.ms", Some("10"))],
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
    );

    // Settings that Kafka 4.0 dropped are translated or ignored.
    let old = with(
        "old",
        &[
            ("message.timestamp.difference.max.ms", Some("7")),
            ("message.format.version", Some("2.0")),
        ],
    );
    assert_eq!(create(&mut world, vec![old], false)[0].error_code, 0);
    let configs = world.image().configs.topic("old");
    assert_eq!(configs.len(), 2);
    assert_eq!(configs["message.timestamp.before.max.ms"], "7");
    assert_eq!(configs["message.timestamp.after.max.ms"], "7");
}

#[test]
fn the_answer_echoes_what_the_topic_became() {
    let mut world = World::of(1);
    let mut topic = with("t", &[("retention.ms", Some("1000"))]);
    (topic.num_partitions, topic.replication_factor) = (-1, -1);
    let results = create(&mut world, vec![topic], false);
    let result = &results[0];
    assert_eq!((result.error_code, &result.error_message), (0, &None));
    assert_eq!((result.num_partitions, result.replication_factor), (1, 1));
    assert_eq!(world.image().topics.id_of("t"), Some(result.topic_id));
    let configs = result.configs.as_ref().unwrap();
    assert!(configs.len() > 30);
    let retention = configs.iter().find(|config| config.name == "retention.ms").unwrap();
    assert_eq!(retention.value, text("1000"));
    assert_eq!(retention.config_source, 1);
    let policy = configs.iter().find(|config| config.name == "cleanup.policy").unwrap();
    assert_eq!((&policy.value, policy.config_source), (&text("delete"), 5));
}

#[test]
fn topics_of_a_request_stand_alone_but_see_each_other() {
    let mut world = World::of(1);
    let topics = vec![
        creatable("twice", 1, 1),
        creatable("good", 2, 1),
        creatable("a.b", 1, 1),
        creatable("a_b", 1, 1),
        creatable("twice", 1, 1),
    ];
    let results = create(&mut world, topics.clone(), true);
    assert!(world.image().topics.is_empty(), "only validated");
    assert_eq!(results.iter().filter(|result| result.error_code == 0).count(), 2);

    let results = create(&mut world, topics, false);
    let answered: Vec<(&str, i16, Option<&str>)> = results
        .iter()
        .map(|r| (r.name.as_str(), r.error_code, r.error_message.as_deref()))
        .collect();
    assert_eq!(
        answered,
        [
            ("twice", ErrorCode::InvalidRequest.code(), Some("Duplicate topic name.")),
            ("good", 0, None),
            ("a.b", 0, None),
            (
                "a_b",
                ErrorCode::InvalidTopicException.code(),
                Some("Topic 'a_b' collides with existing topic: a.b")
            ),
        ]
    );
    assert_eq!(world.image().topics.len(), 2);
}

#[test]
fn replicas_spread_over_brokers() {
    let mut world = World::of(3);
    create(&mut world, vec![creatable("t", 30, 2)], false);
    let topic = world.image().topics.get("t").unwrap();
    let mut leads = [0; 3];
    let mut holds = [0; 3];
    for partition in topic.partitions.values() {
        leads[partition.leader as usize] += 1;
        partition.replicas.iter().for_each(|id| holds[*id as usize] += 1);
        assert_eq!(partition.isr.to_vec(), partition.replicas.to_vec());
        assert_eq!(partition.replicas.len(), 2);
        assert_ne!(partition.replicas[0], partition.replicas[1]);
        assert!(partition.directories.iter().all(|id| !id.is_zero()));
    }
    assert_eq!((leads, holds), ([10; 3], [20; 3]));
}
