//! UpdateFeatures: Kafka's `FeatureControlManager`, its refusals in its words.

use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{ConfigRecord, UpdateFeaturesRequest};

use super::*;

const UPGRADE: i8 = 1;
const SAFE: i8 = 2;
const UNSAFE: i8 = 3;

fn update(world: &mut World, updates: &[(&'static str, i16, i8)]) -> (ErrorCode, String) {
    let keys = updates.iter().map(|(feature, level, kind)| FeatureUpdateKey {
        feature: (*feature).into(),
        max_version_level: *level,
        upgrade_type: *kind,
        ..Default::default()
    });
    let request = UpdateFeaturesRequest { feature_updates: keys.collect(), ..Default::default() };
    let Reply::UpdateFeatures(response) =
        world.run(Command::UpdateFeatures { request, version: 2 })
    else {
        panic!()
    };
    assert!(response.results.is_empty(), "only old clients look there");
    let message = response.error_message.map_or(String::new(), |message| message.to_string());
    let prefix = "The update failed for all features since the following feature had an error: ";
    let message = message.strip_prefix(prefix).map(str::to_owned).unwrap_or(message);
    (ErrorCode::from_code(response.error_code).unwrap(), message)
}

#[test]
fn each_refusal() {
    let mut world = World::cluster(2);
    let length = world.log.len();
    let mut check = |name, level, kind, message: &str| {
        let expected = (ErrorCode::InvalidUpdateVersion, message.to_owned());
        assert_eq!(update(&mut world, &[(name, level, kind)]), expected);
    };
    check(
        "group.version",
        0,
        7,
        "Invalid update version 0 for feature group.version. The controller does not support the \
         given upgrade type.",
    );
    check(
        "group.version",
        -1,
        SAFE,
        "Invalid update version -1 for feature group.version. A feature version cannot be less than \
         0.",
    );
    check(
        "group.version",
        2,
        UPGRADE,
        "Invalid update version 2 for feature group.version. Local controller 0 only supports \
         versions 0-1",
    );
    check(
        "no.version",
        1,
        UPGRADE,
        "Invalid update version 1 for feature no.version. Local controller 0 does not support this \
         feature.",
    );
    check(
        "group.version",
        0,
        UPGRADE,
        "Invalid update version 0 for feature group.version. Can't downgrade the version of this \
         feature without setting the upgrade type to either safe or unsafe downgrade.",
    );
    check(
        "eligible.leader.replicas.version",
        1,
        SAFE,
        "Invalid update version 1 for feature eligible.leader.replicas.version. Can't downgrade to \
         a newer version.",
    );
    check(
        "metadata.version",
        31,
        SAFE,
        "Unsupported metadata.version downgrade from 33 to 31. Refusing to perform the requested \
         downgrade because it might delete metadata information.",
    );
    check(
        "metadata.version",
        31,
        UNSAFE,
        "Unsupported metadata.version downgrade from 33 to 31. Unsafe metadata downgrade is not \
         supported in this version.",
    );
    assert_eq!(world.log.len(), length);
}

#[test]
fn everybody_must_be_able_to() {
    let mut world = World::cluster(1);
    world.replay(&super::cluster::feature_level("metadata.version", 30));
    let mut old = registration(1);
    old.features[0].max_supported_version = 30;
    world.run(Command::RegisterBroker { request: old, version: 4, unfence: false });
    let invalid = ErrorCode::InvalidUpdateVersion;
    assert_eq!(
        update(&mut world, &[("metadata.version", 33, UPGRADE)]),
        (
            invalid,
            "Invalid update version 33 for feature metadata.version. Broker 1 only supports versions \
             7-30"
            .into()
        )
    );
    world.run(Command::UnregisterBroker(UnregisterBrokerRequest {
        broker_id: 1,
        ..Default::default()
    }));
    world.soft.voters = vec![0, 2];
    let (code, message) = update(&mut world, &[("metadata.version", 33, UPGRADE)]);
    assert_eq!(code, invalid);
    assert!(message.ends_with("controller 2 has not registered, and may not support this feature"));
    let unaware = ControllerRegistrationRequest { controller_id: 2, ..Default::default() };
    world.run(Command::RegisterController(unaware));
    let (_, message) = update(&mut world, &[("metadata.version", 33, UPGRADE)]);
    assert!(message.ends_with("Controller 2 does not support this feature."), "{message}");
    world.soft.voters = vec![0];
    world.run(Command::UnregisterController(UnregisterControllerRequest {
        controller_id: 2,
        ..Default::default()
    }));
}

#[test]
fn levels_rise_and_fall_together_or_not_at_all() {
    let mut world = World::cluster(1);
    let none = (ErrorCode::None, String::new());
    assert_eq!(update(&mut world, &[("group.version", 0, SAFE)]), none);
    assert_eq!(world.image().features.level("group.version"), 0);
    let both = [("group.version", 1, UPGRADE), ("metadata.version", 12, SAFE)];
    assert_eq!(update(&mut world, &both).0, ErrorCode::InvalidUpdateVersion);
    assert_eq!(world.image().features.level("group.version"), 0);
    // Nothing that records say changed from 30 to 31.
    world.replay(&super::cluster::feature_level("metadata.version", 31));
    assert_eq!(update(&mut world, &[("metadata.version", 30, SAFE)]), none);
    assert_eq!(update(&mut world, &[("metadata.version", 33, UPGRADE)]), none);
    let length = world.log.len();
    let key = FeatureUpdateKey {
        feature: "group.version".into(),
        max_version_level: 1,
        ..Default::default()
    };
    let request = UpdateFeaturesRequest {
        feature_updates: vec![key],
        validate_only: true,
        ..Default::default()
    };
    world.run(Command::UpdateFeatures { request, version: 2 });
    assert_eq!(world.log.len(), length, "only validated");
}

/// KIP-966: min.insync.replicas is the cluster's from then on, and who was eligible by another value
/// is not eligible by this one.
#[test]
fn eligible_leader_replicas_are_turned_on() {
    let mut world = World::cluster(3);
    let own = |value: Option<&'static str>, name: &'static str| ConfigRecord {
        resource_type: 4,
        resource_name: name.into(),
        name: "min.insync.replicas".into(),
        value: value.map(Into::into),
        ..Default::default()
    };
    world.replay(&own(Some("2"), "1").into());
    let feature = "eligible.leader.replicas.version";
    let (code, _) = update(&mut world, &[(feature, 1, UPGRADE)]);
    assert_eq!(code, ErrorCode::None);
    assert_eq!(world.image().features.level(feature), 1);
    assert_eq!(world.image().configs.all_brokers()["min.insync.replicas"], "1");
    assert!(world.image().configs.broker(1).is_empty());

    world.topic_with("t", &[&[0, 1, 2]], &[("min.insync.replicas", "2")]);
    world.lose(&[1]);
    world.lose(&[2]);
    assert_eq!(world.partition("t", 0).eligible_leader_replicas, [2]);
    let alter = |resource_type, name: &'static str, value: Option<&'static str>| {
        let config = ottla_protocol::messages::incremental_alter_configs_request::AlterableConfig {
            name: "min.insync.replicas".into(),
            config_operation: i8::from(value.is_none()),
            value: value.map(Into::into),
            ..Default::default()
        };
        let resource =
            ottla_protocol::messages::incremental_alter_configs_request::AlterConfigsResource {
                resource_type,
                resource_name: name.into(),
                configs: vec![config],
                ..Default::default()
            };
        let request =
            IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        Command::IncrementalAlterConfigs(request)
    };
    let outcome = |reply| match reply {
        Reply::IncrementalAlterConfigs(response) => {
            response.responses[0].error_message.as_ref().map(ToString::to_string)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        outcome(world.run(alter(4, "0", Some("2")))).unwrap(),
        "Broker-level min.insync.replicas cannot be altered while ELR is enabled."
    );
    assert_eq!(
        outcome(world.run(alter(4, "", None))).unwrap(),
        "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
    );
    assert_eq!(outcome(world.run(alter(2, "t", Some("1")))), None);
    assert_eq!(world.partition("t", 0).eligible_leader_replicas, [0; 0]);
}
