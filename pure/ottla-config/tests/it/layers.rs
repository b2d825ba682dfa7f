//! Who wins, and what DescribeConfigs says about it. The synonyms are those a running Apache Kafka
//! answered with.

use ottla_config::resolve::{self, Overrides, Resolved};
use ottla_config::{BrokerConfig, CleanupPolicy, ConfigSource, Layers, Origin, Setting};

fn setting(key: &str, value: &str, origin: Origin) -> Setting {
    Setting { key: key.into(), value: value.into(), origin }
}

fn file(key: &str, value: &str, line: usize) -> Setting {
    setting(key, value, Origin::File { path: "server.properties".into(), line })
}

fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn line(resolved: &Resolved) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or("null".into());
    let synonyms: Vec<String> = resolved
        .synonyms
        .iter()
        .map(|s| format!("{}={} {:?}", s.name, value(&s.value), s.source))
        .collect();
    format!("{} {:?} [{}]", value(&resolved.value), resolved.source, synonyms.join(", "))
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let environment = Origin::Environment { variable: "KAFKA_NUM_PARTITIONS".into() };
    let all = [
        Setting::flag("num.partitions", "3"),
        setting("num.partitions", "2", environment),
        file("num.partitions", "0", 1),
        file("num.partitions", "1", 2),
    ];
    for first in 0..3 {
        let config = BrokerConfig::build(Layers::new(all[first..].to_vec()));
        let expected = i32::try_from(3 - first).unwrap();
        assert_eq!(config.unwrap().topic.num_partitions, expected);
    }
}

#[test]
fn sources_and_synonyms_of_broker_keys() {
    let layers =
        Layers::new([file("log.cleaner.threads", "4", 1), file("log.retention.hours", "100", 2)])
            .with_dynamic(
                overrides(&[("log.cleaner.threads", "1")]),
                overrides(&[("log.cleaner.threads", "2")]),
            );
    let shown = |name| line(&resolve::broker_key(&layers, name));
    assert_eq!(
        shown("log.cleaner.threads"),
        "1 DynamicBroker [log.cleaner.threads=1 DynamicBroker, \
         log.cleaner.threads=2 DynamicDefaultBroker, log.cleaner.threads=4 StaticBroker, \
         log.cleaner.threads=1 Default]"
    );
    assert_eq!(shown("log.retention.ms"), "null Default []");
    assert_eq!(
        shown("log.retention.hours"),
        "100 StaticBroker [log.retention.hours=100 StaticBroker, log.retention.hours=168 Default]"
    );
    let default = resolve::cluster_default_keys(&layers);
    assert_eq!(default.len(), 1);
    assert_eq!(
        line(&default[0]),
        "2 DynamicDefaultBroker [log.cleaner.threads=2 DynamicDefaultBroker]"
    );
}

#[test]
fn sources_and_synonyms_of_topic_keys() {
    let layers = Layers::new([file("log.retention.hours", "100", 1)])
        .with_dynamic(overrides(&[]), overrides(&[("log.retention.bytes", "123456")]));
    let own = overrides(&[("segment.ms", "1000000")]);
    let shown = |name| line(&resolve::topic_key(&layers, &own, name).unwrap());
    assert_eq!(shown("segment.ms"), "1000000 Topic [segment.ms=1000000 Topic]");
    assert_eq!(shown("retention.ms"), "360000000 Default []");
    assert_eq!(shown("flush.ms"), "9223372036854775807 Default []");
    assert_eq!(shown("remote.storage.enable"), "false Default []");
    assert_eq!(
        shown("retention.bytes"),
        "123456 DynamicDefaultBroker [log.retention.bytes=123456 DynamicDefaultBroker, \
         log.retention.bytes=-1 Default]"
    );
    assert_eq!(resolve::topic_key(&layers, &own, "nope"), None);
}

#[test]
fn sources_and_synonyms_of_group_keys() {
    let own = overrides(&[]);
    let shown = |name| line(&resolve::group_key(&Layers::default(), &own, name).unwrap());
    assert_eq!(
        shown("consumer.session.timeout.ms"),
        "45000 Default [group.consumer.session.timeout.ms=45000 Default]"
    );
    assert_eq!(
        shown("share.auto.offset.reset"),
        "latest Default [share.auto.offset.reset=latest Default]"
    );
}

#[test]
fn secrets_and_strangers_are_not_shown() {
    let layers = Layers::new([file("ssl.key.password", "secret", 1), file("my.own.key", "x", 2)]);
    let all = resolve::broker_keys(&layers);
    let found = |name: &str| all.iter().find(|resolved| resolved.name == name).unwrap();
    assert_eq!(
        line(found("ssl.key.password")),
        "null StaticBroker [ssl.key.password=null StaticBroker]"
    );
    let stranger = found("my.own.key");
    assert!(stranger.sensitive && stranger.value.is_none() && stranger.read_only);
    assert!(!all.iter().any(|resolved| resolved.name == "server.max.startup.time.ms"), "internal");
}

#[test]
fn topics_and_groups_draw_from_the_broker() {
    let layers = Layers::new([
        file("log.retention.hours", "1", 1),
        file("log.roll.hours", "2", 2),
        file("log.cleanup.policy", "compact,delete", 3),
        file("log.retention.bytes", "-1", 4),
    ]);
    let config = BrokerConfig::build(layers).unwrap();
    assert_eq!(config.topic_defaults.retention_ms, 3_600_000);
    assert_eq!(config.topic_defaults.segment_ms, 7_200_000);
    assert_eq!(config.topic_defaults.cleanup_policy, CleanupPolicy { delete: true, compact: true });
    let own = config.topic_config(&overrides(&[("retention.ms", "-1")]));
    assert_eq!((own.retention_ms, own.segment_ms), (-1, 7_200_000));
    let changed = config.with_dynamic(overrides(&[]), overrides(&[("log.retention.ms", "9")]));
    assert_eq!(changed.unwrap().topic_defaults.retention_ms, 9);
    let group = config.group_config(&overrides(&[("consumer.session.timeout.ms", "50000")]));
    assert_eq!(group.consumer_session_timeout_ms, 50_000);
    let outside = config.group_config(&overrides(&[("consumer.session.timeout.ms", "99999999")]));
    assert_eq!(outside.consumer_session_timeout_ms, 60_000);
}

#[test]
fn negative_hours_keep_for_ever() {
    let config = BrokerConfig::build(Layers::new([file("log.retention.hours", "-1", 1)])).unwrap();
    assert_eq!(config.topic_defaults.retention_ms, -1);
}

#[test]
fn the_rebalance_delay_and_internal_topics_fit_one_node() {
    let config = BrokerConfig::defaults();
    assert_eq!(config.initial_rebalance_delay_ms(1), 0);
    assert_eq!(config.initial_rebalance_delay_ms(2), 3000);
    let set = Layers::new([file("group.initial.rebalance.delay.ms", "500", 1)]);
    assert_eq!(BrokerConfig::build(set).unwrap().initial_rebalance_delay_ms(1), 500);
    assert_eq!(config.clamp_replicas(3, 1), 1);
    assert_eq!(config.clamp_replicas(3, 5), 3);
    assert_eq!(config.source_of("num.partitions"), ConfigSource::Default);
}
