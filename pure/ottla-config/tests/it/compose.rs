//! Compose files from other images' tutorials must just work. Method: their variables, and the
//! configuration that comes out.

use ottla_config::parse::environment::{self, Environment};
use ottla_config::{Advertised, BrokerConfig, Layers, Remark, remarks};

fn read(variables: &[(&str, &str)]) -> Environment {
    environment::parse(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
}

fn built(variables: &[(&str, &str)]) -> BrokerConfig {
    let layers = Layers::new(read(variables).settings);
    let unknown = |remark: &Remark| matches!(remark, Remark::Unknown { .. });
    let strange: Vec<Remark> = remarks(&layers).into_iter().filter(unknown).collect();
    assert_eq!(strange, []);
    BrokerConfig::build(layers).unwrap()
}

fn advertised(config: &BrokerConfig, name: &str) -> String {
    let listener = config.listeners.iter().find(|listener| listener.name == name).unwrap();
    match &listener.advertised {
        Advertised::Auto => "auto".into(),
        Advertised::At { host, port } => format!("{host}:{port}"),
    }
}

#[test]
fn bitnami_with_zookeeper() {
    let variables = [
        ("KAFKA_CFG_ZOOKEEPER_CONNECT", "zookeeper:2181"),
        ("KAFKA_BROKER_ID", "7"),
        ("ALLOW_PLAINTEXT_LISTENER", "yes"),
        ("KAFKA_CFG_LISTENERS", "PLAINTEXT://:9092,EXTERNAL://:9094"),
        ("KAFKA_CFG_ADVERTISED_LISTENERS", "PLAINTEXT://kafka:9092,EXTERNAL://localhost:9094"),
        ("KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP", "PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT"),
        ("KAFKA_CFG_INTER_BROKER_LISTENER_NAME", "PLAINTEXT"),
        ("KAFKA_CFG_AUTO_CREATE_TOPICS_ENABLE", "true"),
        ("PATH", "/usr/bin"),
    ];
    let config = built(&variables);
    assert_eq!(config.node_id, 7);
    assert_eq!(advertised(&config, "PLAINTEXT"), "kafka:9092");
    assert_eq!(advertised(&config, "EXTERNAL"), "localhost:9094");
    let environment = read(&variables);
    assert_eq!(environment.ignored, ["ALLOW_PLAINTEXT_LISTENER"]);
    assert_eq!(environment.notes.len(), 1);
    assert!(environment.notes[0].contains("there is no ZooKeeper"));
}

#[test]
fn bitnami_with_kraft() {
    let config = built(&[
        ("KAFKA_CFG_NODE_ID", "0"),
        ("KAFKA_CFG_PROCESS_ROLES", "controller,broker"),
        ("KAFKA_CFG_LISTENERS", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"),
        ("KAFKA_CFG_CONTROLLER_QUORUM_VOTERS", "0@kafka:9093"),
        ("KAFKA_CFG_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_KRAFT_CLUSTER_ID", "abcdefghijklmnopqrstuv"),
    ]);
    assert_eq!(config.node_id, 0);
    let controllers: Vec<bool> = config.listeners.iter().map(|l| l.is_controller).collect();
    assert_eq!(controllers, [false, true]);
    assert_eq!(advertised(&config, "PLAINTEXT"), "auto");
}

#[test]
fn apache_kafka_image() {
    let variables = [
        ("KAFKA_NODE_ID", "1"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_LISTENERS", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
        ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://localhost:9092"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
        ("KAFKA_NUM_PARTITIONS", "3"),
        ("KAFKA_HEAP_OPTS", "-Xmx512m"),
        ("KAFKA_JMX_PORT", "9999"),
        ("KAFKA_LOG4J_ROOT_LOGLEVEL", "WARN"),
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
    ];
    let config = built(&variables);
    assert_eq!((config.node_id, config.topic.num_partitions), (1, 3));
    let environment = read(&variables);
    assert_eq!(config.ottla.cluster_id.as_deref(), Some("4L6g3nShT-eMCtK--X86sw"));
    assert_eq!(
        environment.ignored,
        ["KAFKA_HEAP_OPTS", "KAFKA_JMX_PORT", "KAFKA_LOG4J_ROOT_LOGLEVEL"]
    );
    let note = environment.ignored_note().unwrap();
    assert!(note.contains("KAFKA_HEAP_OPTS, KAFKA_JMX_PORT"), "{note}");
}

#[test]
fn underscores_and_dashes_of_names() {
    let environment = read(&[("KAFKA_A__B_C___D", "x")]);
    assert_eq!(environment.settings[0].key, "a_b.c-d");
}

#[test]
fn the_cfg_name_wins() {
    for pair in [
        [("KAFKA_CFG_NUM_PARTITIONS", "4"), ("KAFKA_NUM_PARTITIONS", "5")],
        [("KAFKA_NUM_PARTITIONS", "5"), ("KAFKA_CFG_NUM_PARTITIONS", "4")],
    ] {
        assert_eq!(built(&pair).topic.num_partitions, 4);
    }
}

#[test]
fn a_file_holds_the_value() {
    let mut environment = read(&[
        ("KAFKA_CFG_NUM_PARTITIONS_FILE", "/run/secrets/partitions"),
        ("KAFKA_SASL_OAUTHBEARER_ASSERTION_FILE", "/run/assertion"),
    ]);
    assert_eq!(environment.settings.len(), 1, "a key that ends with .file is a key");
    let file = environment.files[0].clone();
    assert_eq!(file.path, "/run/secrets/partitions");
    environment.add_file(&file, "6\n");
    assert_eq!(
        BrokerConfig::build(Layers::new(environment.settings)).unwrap().topic.num_partitions,
        6
    );
}

#[test]
fn kubernetes_service_links_are_passed_over() {
    let environment = read(&[
        ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
        ("KAFKA_SERVICE_HOST", "10.0.0.1"),
        ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
        ("OTTLA_FLUSH", "none"),
        ("OTTLA_LOG", "debug"),
    ]);
    let keys: Vec<&str> = environment.settings.iter().map(|setting| setting.key.as_str()).collect();
    assert_eq!(keys, ["ottla.flush"]);
}
