//! What stops a start, what is only said, and how both read.

use ottla_config::explain::explain;
use ottla_config::parse::properties;
use ottla_config::{Advertised, BrokerConfig, Layers, SecurityProtocol, remarks};

fn layers(text: &str) -> Layers {
    Layers::new(properties::parse("server.properties", text).unwrap())
}

fn errors(text: &str) -> Vec<String> {
    let errors = BrokerConfig::build(layers(text)).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

fn built(text: &str) -> BrokerConfig {
    BrokerConfig::build(layers(text)).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn all_errors_are_told_with_file_line_key_and_what_was_expected() {
    let text = "num.partitions=many\nlog.segment.bytes=5\nlog.cleanup.policy=shred\n";
    assert_eq!(
        errors(text),
        [
            "server.properties:3: Invalid value shred for configuration log.cleanup.policy: String \
             must be one of: compact, delete (log.cleanup.policy takes LIST [compact, delete])",
            "server.properties:2: Invalid value 5 for configuration log.segment.bytes: Value must \
             be at least 1048576 (log.segment.bytes takes INT [1048576,...])",
            "server.properties:1: Invalid value many for configuration num.partitions: Not a \
             number of type INT (num.partitions takes INT [1,...])",
        ]
    );
}

#[test]
fn a_secret_is_not_told() {
    let found = errors(
        "listener.name.x.sasl.login.refresh.buffer.seconds=x\nssl.key.password=topsecret\nnum.partitions=0",
    );
    assert!(!found.join("\n").contains("topsecret"), "{found:?}");
}

#[test]
fn remarks_name_the_nearest_key_and_the_reason() {
    let text = "num.partitons=3\nzookeeper.connect=localhost:2181\nlog.cleaner.threads=2\n\
                inter.broker.protocol.version=3.5\nquite.something.else=1\nnum.partitions=2\n";
    let found: Vec<String> = remarks(&layers(text)).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "server.properties:4: inter.broker.protocol.version has no effect: removed in Kafka 4.0",
            "server.properties:3: log.cleaner.threads has no effect: compaction is not served by this version: a compacted topic keeps every record",
            "server.properties:1: unknown configuration num.partitons; did you mean num.partitions?",
            "server.properties:5: unknown configuration quite.something.else",
            "server.properties:2: zookeeper.connect has no effect: there is no ZooKeeper: Ottla \
             keeps the cluster's metadata itself",
        ]
    );
}

#[test]
fn listeners_are_parsed() {
    let config = built(
        "listeners=PLAINTEXT://[::1]:9092,internal://0.0.0.0:19092\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT\n\
         advertised.listeners=INTERNAL://kafka-1:19092\ninter.broker.listener.name=INTERNAL\n",
    );
    let [plain, internal] = config.listeners.as_slice() else { panic!("two listeners") };
    assert_eq!((plain.host.as_str(), plain.port), ("::1", 9092));
    assert_eq!(plain.protocol, SecurityProtocol::Plaintext);
    assert_eq!(plain.advertised, Advertised::Auto);
    assert_eq!(internal.advertised, Advertised::At { host: "kafka-1".into(), port: 19_092 });
    assert_eq!(config.inter_broker_listener(), Some(internal));
}

#[test]
fn bad_listeners_are_refused() {
    let one = |text: &str| {
        let found = errors(text);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    let expectations = [
        (
            "listeners=PLAINTEXT://:9092,PLAINTEXT://:9093",
            "Each listener must have a different name",
        ),
        ("listeners=PLAINTEXT://:9092,SSL://:9092", "Each listener must have a different port"),
        ("listeners=localhost:9092", "Unable to parse localhost:9092 to a broker endpoint"),
        ("listeners=PLAINTEXT://localhost:99999", "Unable to parse"),
        ("listeners=EXTERNAL://:9092", "No security protocol defined for listener EXTERNAL"),
        ("listeners=", "at least one listener is needed"),
        (
            "advertised.listeners=PLAINTEXT://0.0.0.0:9092",
            "cannot use the nonroutable meta-address of PLAINTEXT://0.0.0.0:9092",
        ),
        ("advertised.listeners=PLAINTEXT://[::]:9092", "cannot use the nonroutable meta-address"),
        ("advertised.listeners=OTHER://kafka:9092", "has no listener of that name"),
        ("listener.security.protocol.map=PLAINTEXT:ROT13", "is not NAME:PROTOCOL"),
        ("inter.broker.listener.name=NOPE", "NOPE is not one of the listeners"),
        ("listeners=SASL_PLAINTEXT://:9092", "which this version does not serve"),
        ("controller.listener.names=PLAINTEXT", "none to clients"),
    ];
    for (text, expected) in expectations {
        let found = if expected.starts_with("is not") {
            errors(text)[0].clone()
        } else if expected.contains("different port") {
            errors(text).join("; ")
        } else {
            one(text)
        };
        assert!(found.contains(expected), "{text}: {found}");
    }
}

#[test]
fn what_is_not_served_stops_a_start() {
    let expectations = [
        (
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "enforces no ACLs",
        ),
        ("log.dirs=/a,/b,/a", "/a is named twice"),
        ("node.id=1\nbroker.id=2", "must be the same as node.id"),
        ("group.min.session.timeout.ms=9\ngroup.max.session.timeout.ms=8", "must not be above"),
        ("broker.session.timeout.ms=5", "must not be above broker.session.timeout.ms"),
        ("replica.lag.time.max.ms=100", "must not be above replica.lag.time.max.ms"),
        ("replica.selector.class=com.example.Nearest", "RackAwareReplicaSelector"),
    ];
    for (text, expected) in expectations {
        let found = errors(text).join("\n");
        assert!(found.contains(expected), "{text}: {found}");
    }
}

#[test]
fn older_names_are_read() {
    let config = built("broker.id=4\nlog.dir=/data\n");
    assert_eq!((config.node_id, config.data_dir.as_str()), (4, "/data"));
    assert_eq!(built("log.dirs=/x\nlog.dir=/data\n").data_dir, "/x");
    let several = built("log.dirs=/a,/b,/c\n");
    assert_eq!((&*several.data_dir, several.is_data_dir_apart), ("/a", false));
    assert_eq!(several.more_data_dirs, ["/b", "/c"]);
    let chosen = built("log.dirs=/a,/b\nmetadata.log.dir=/b\n");
    assert_eq!((&*chosen.data_dir, chosen.is_data_dir_apart), ("/b", false));
    assert_eq!(chosen.more_data_dirs, ["/a"]);
    let apart = built("log.dirs=/a\nmetadata.log.dir=/m\n");
    assert_eq!((&*apart.data_dir, apart.is_data_dir_apart), ("/m", true));
    assert_eq!(apart.more_data_dirs, ["/a"]);
}

#[test]
fn a_key_is_explained() {
    let layers =
        layers("log.retention.hours=5\nnum.partitions=2\nnum.partitions=3\nssl.key.password=x");
    let text = explain("num.partitions", &layers).unwrap().to_string();
    for expected in [
        "value        3",
        "source       server.properties:3 (num.partitions)",
        "overridden   num.partitions=2 (server.properties:2)",
        "default      1",
        "type         INT",
        "valid        [1,...]",
        "update       read-only",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let retention = explain("retention.ms", &layers).unwrap();
    assert_eq!(retention.value.as_deref(), Some("18000000"));
    assert_eq!(retention.source, "server.properties:1 (log.retention.hours)");
    let password = explain("ssl.key.password", &layers).unwrap().to_string();
    assert!(password.contains("[hidden]"));
    let unknown = explain("num.partitons", &layers).unwrap_err();
    assert_eq!(unknown, "unknown configuration num.partitons; did you mean num.partitions?");
}
