//! AlterConfigs and IncrementalAlterConfigs on every kind of resource.

use ottla_protocol::messages::{alter_configs_request, incremental_alter_configs_request};

use super::*;
use crate::image::{ConfigResource, ResourceType};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

type Step<'a> = (&'a str, i8, Option<&'a str>);
type Outcome = (ErrorCode, Option<String>);

fn incremental(
    world: &mut World,
    resources: &[(i8, &str, &[Step<'_>])],
    validate_only: bool,
) -> Vec<Outcome> {
    use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let resources = resources.iter().map(|(resource_type, name, configs)| AlterConfigsResource {
        resource_type: *resource_type,
        resource_name: Str::copy_from(name),
        configs: configs
            .iter()
            .map(|(name, operation, value)| AlterableConfig {
                name: Str::copy_from(name),
                config_operation: *operation,
                value: value.map(Str::copy_from),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    let request = IncrementalAlterConfigsRequest {
        resources: resources.collect(),
        validate_only,
        ..Default::default()
    };
    let Reply::IncrementalAlterConfigs(response) =
        world.run(Command::IncrementalAlterConfigs(request))
    else {
        panic!("the reply is of the command's kind")
    };
    let each = response.responses.into_iter().map(|answer| {
        let code = ErrorCode::from_code(answer.error_code).unwrap();
        (code, answer.error_message.map(|message| message.to_string()))
    });
    each.collect()
}

fn one(world: &mut World, resource: (i8, &str), config: (&str, i8, Option<&str>)) -> Outcome {
    incremental(world, &[(resource.0, resource.1, &[config])], false).remove(0)
}

fn refusal(code: ErrorCode, message: &str) -> Outcome {
    (code, Some(message.to_owned()))
}

const OK: Outcome = (ErrorCode::None, None);

#[test]
fn a_topic_step_by_step() {
    let mut world = World::of(1);
    world.topic("t", 1);
    let topic = (2, "t");
    assert_eq!(one(&mut world, topic, ("retention.ms", SET, Some("5000"))), OK);
    assert_eq!(one(&mut world, topic, ("cleanup.policy", APPEND, Some("compact"))), OK);
    assert_eq!(world.image().configs.topic("t")["cleanup.policy"], "delete,compact");
    assert_eq!(one(&mut world, topic, ("cleanup.policy", SUBTRACT, Some("delete"))), OK);
    assert_eq!(world.image().configs.topic("t")["cleanup.policy"], "compact");
    assert_eq!(one(&mut world, topic, ("retention.ms", DELETE, None)), OK);
    assert_eq!(one(&mut world, topic, ("cleanup.policy", DELETE, None)), OK);
    assert!(world.image().configs.topic("t").is_empty());
    // To say the same again is no change.
    let before = world.log.len();
    assert_eq!(one(&mut world, topic, ("no.such", DELETE, None)), OK);
    assert_eq!(world.log.len(), before);
}

#[test]
fn refusals_of_topics() {
    let mut world = World::of(1);
    world.topic("t", 1);
    let before = world.log.len();
    let mut check = |config, expected| assert_eq!(one(&mut world, (2, "t"), config), expected);
    let (config, request) = (ErrorCode::InvalidConfig, ErrorCode::InvalidRequest);
    let message = "Can't APPEND to key retention.ms because its type is not LIST.";
    check(("retention.ms", APPEND, Some("1")), refusal(config, message));
    let message = "Can't SUBTRACT to key retention.ms because its type is not LIST.";
    check(("retention.ms", SUBTRACT, Some("1")), refusal(config, message));
    let message = "Null value not supported for : retention.ms";
    check(("retention.ms", SET, None), refusal(request, message));
    let message = "Unknown topic config name: no.such";
    check(("no.such", SET, Some("1")), refusal(config, message));
    let message = "Invalid value x for configuration retention.ms: Not a number of type LONG";
    check(("retention.ms", SET, Some("x")), refusal(config, message));
    let message = "Unknown operation on a configuration key.";
    check(("retention.ms", 9, Some("1")), refusal(request, message));

    let set = ("retention.ms", SET, Some("1"));
    let mut check = |resource, expected| assert_eq!(one(&mut world, resource, set), expected);
    let unknown = ErrorCode::UnknownTopicOrPartition;
    check((2, "none"), refusal(unknown, "The topic 'none' does not exist."));
    check((2, ""), refusal(request, "Default topic resources are not allowed."));
    check(
        (2, "a b"),
        refusal(
            ErrorCode::InvalidTopicException,
            "Topic name is invalid: 'a b' contains one or more characters other than ASCII \
         alphanumerics, '.', '_' and '-'",
        ),
    );
    check((99, "t"), refusal(request, "Unknown resource type 99"));

    let twice = [("retention.ms", SET, Some("1")), ("retention.ms", SET, Some("2"))];
    let outcome = incremental(&mut world, &[(2, "t", &twice)], false);
    assert_eq!(outcome, [refusal(request, "Error due to duplicate config keys")]);
    let outcome = incremental(&mut world, &[(2, "t", &[set]), (2, "t", &[set])], false);
    let message = "Each resource must appear at most once.";
    assert_eq!(outcome, [refusal(request, message), refusal(request, message)]);
    assert_eq!(world.log.len(), before);
}

#[test]
fn brokers_and_all_brokers() {
    let mut world = World::of(1);
    let long = |value| ("log.retention.ms", SET, Some(value));
    assert_eq!(one(&mut world, (4, "0"), long("900000")), OK);
    assert_eq!(one(&mut world, (4, ""), long("800000")), OK);
    assert_eq!(world.image().configs.broker(0)["log.retention.ms"], "900000");
    assert_eq!(world.image().configs.all_brokers()["log.retention.ms"], "800000");

    let request = ErrorCode::InvalidRequest;
    let mut check = |resource, config, message: &str| {
        assert_eq!(one(&mut world, resource, config), refusal(request, message));
    };
    let partitions = ("num.partitions", SET, Some("4"));
    let message = "Cannot update these configs dynamically: [num.partitions]";
    check((4, "0"), partitions, message);
    check((4, ""), partitions, message);
    check(
        (4, ""),
        ("listeners", SET, Some("PLAINTEXT://:1")),
        "Cannot update these configs at default cluster level, broker id must be specified: \
         [listeners]",
    );
    check((4, "9"), long("1"), "Unexpected broker id, expected 0, but received 9");
    check((4, "x"), long("1"), "Node id must be an integer, but it is: x");
    check(
        (4, ""),
        long("x"),
        "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
    );
}

#[test]
fn groups_and_client_metrics() {
    let mut world = World::of(1);
    let timeout = |value| ("consumer.session.timeout.ms", SET, Some(value));
    assert_eq!(one(&mut world, (32, "g"), timeout("46000")), OK);
    assert_eq!(world.image().configs.group("g")["consumer.session.timeout.ms"], "46000");
    let (config, request) = (ErrorCode::InvalidConfig, ErrorCode::InvalidRequest);
    let low = "consumer.session.timeout.ms must be greater than or equal to \
               group.consumer.min.session.timeout.ms";
    assert_eq!(one(&mut world, (32, "g"), timeout("1")), refusal(config, low));
    let message = "Default group resources are not allowed.";
    assert_eq!(one(&mut world, (32, ""), timeout("46000")), refusal(request, message));

    let interval = |value| ("interval.ms", SET, Some(value));
    assert_eq!(one(&mut world, (16, "cm"), interval("1000")), OK);
    let resource = ConfigResource::client_metrics("cm");
    assert!(world.image().configs.contains(&resource));
    let message =
        "Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)";
    assert_eq!(one(&mut world, (16, "cm"), interval("1")), refusal(request, message));
    let message = "Subscription name can't be empty";
    assert_eq!(one(&mut world, (16, ""), interval("1000")), refusal(request, message));
    assert_eq!(one(&mut world, (8, "0"), ("a", SET, Some("DEBUG"))).0, request);
}

#[test]
fn the_old_request_replaces_everything() {
    use alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let mut world = World::of(1);
    world.topic("t", 1);
    one(&mut world, (2, "t"), ("retention.ms", SET, Some("5000")));
    let mut alter = |configs: &[(&str, &str)], validate_only| {
        let configs = configs.iter().map(|(name, value)| AlterableConfig {
            name: Str::copy_from(name),
            value: Some(Str::copy_from(value)),
            ..Default::default()
        });
        let resource = AlterConfigsResource {
            resource_type: ResourceType::Topic.code(),
            resource_name: "t".into(),
            configs: configs.collect(),
            ..Default::default()
        };
        let request =
            AlterConfigsRequest { resources: vec![resource], validate_only, ..Default::default() };
        let Reply::AlterConfigs(response) = world.run(Command::AlterConfigs(request)) else {
            panic!("the reply is of the command's kind")
        };
        let settings = (**world.image().configs.topic("t")).clone();
        (response.responses[0].error_code, settings.into_iter().collect::<Vec<_>>())
    };
    let kept = vec![("retention.ms".to_owned(), "5000".to_owned())];
    let replaced = vec![("segment.ms".to_owned(), "60000".to_owned())];
    assert_eq!(alter(&[("segment.ms", "60000")], true), (0, kept.clone()));
    assert_eq!(alter(&[("nope", "1")], false), (ErrorCode::InvalidConfig.code(), kept));
    assert_eq!(alter(&[("segment.ms", "60000")], false), (0, replaced));
    assert_eq!(alter(&[], false), (0, vec![]));
}
