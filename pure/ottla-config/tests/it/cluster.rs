//! Several nodes: roles, voters, controller listeners, and what is refused of them.

use ottla_config::parse::environment;
use ottla_config::parse::properties;
use ottla_config::{Advertised, BrokerConfig, Layers, Listener, Remark, Voter, remarks};

const VOTERS: &str = "controller.quorum.voters=1@a:9093,2@b:9093,3@c:9093\n";
const LISTENERS: &str = "controller.listener.names=CONTROLLER\n\
                         listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n";

fn build(text: &str) -> Result<BrokerConfig, Vec<String>> {
    let layers = Layers::new(properties::parse("server.properties", text).unwrap());
    BrokerConfig::build(layers).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn built(text: &str) -> BrokerConfig {
    build(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
}

/// The configuration that a container's variables make, without a word about a key nobody knows.
fn of_container(variables: &[(&str, &str)]) -> BrokerConfig {
    let read = environment::parse(
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let layers = Layers::new(read.settings);
    let strange: Vec<Remark> = remarks(&layers)
        .into_iter()
        .filter(|remark| matches!(remark, Remark::Unknown { .. } | Remark::NoEffect { .. }))
        .collect();
    assert_eq!(strange, []);
    BrokerConfig::build(layers).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn told(listener: &Listener) -> String {
    match &listener.advertised {
        Advertised::Auto => "auto".to_owned(),
        Advertised::At { host, port } => format!("{host}:{port}"),
    }
}

fn all_told(config: &BrokerConfig) -> Vec<String> {
    config.listeners.iter().map(told).collect()
}

#[test]
fn a_voter_knows_the_others_and_how_they_reach_it() {
    let config = built(&format!("node.id=2\n{VOTERS}{LISTENERS}"));
    let voter = |id, host: &str| Voter { id, host: host.to_owned(), port: 9093 };
    assert_eq!(config.quorum.voters, [voter(1, "a"), voter(2, "b"), voter(3, "c")]);
    assert!(config.has_peers() && config.is_broker() && config.is_controller());
    // Listening on every interface, it tells the host that the voters' list names.
    assert_eq!(all_told(&config), ["b:9092", "b:9093"]);
}

#[test]
fn an_internal_topic_waits_for_its_brokers_only_in_a_cluster() {
    let lone = BrokerConfig::defaults();
    assert_eq!((lone.clamp_replicas(3, 1), lone.clamp_replicas(3, 2)), (1, 2));
    let member = built(&format!("node.id=2\n{VOTERS}{LISTENERS}"));
    assert_eq!(member.clamp_replicas(3, 1), 3);
}

#[test]
fn roles_may_stand_apart() {
    let controller = built(&format!(
        "process.roles=controller\nnode.id=1\n{VOTERS}controller.listener.names=C\n\
         listeners=C://a:9093\ninter.broker.listener.name=PLAINTEXT\n"
    ));
    assert!(controller.is_controller() && !controller.is_broker());
    assert_eq!(all_told(&controller), ["a:9093"]);
    let broker = built(&format!(
        "process.roles=broker\nnode.id=4\n{VOTERS}controller.listener.names=C\n\
         listeners=PLAINTEXT://h:9092\n"
    ));
    assert!(broker.is_broker() && !broker.is_controller() && broker.has_peers());
    let by_servers = "process.roles=broker\nnode.id=4\n\
                      controller.quorum.bootstrap.servers=a:9093,[::1]:9093\n";
    let servers = built(by_servers).quorum.bootstrap_servers;
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["a:9093", "[::1]:9093"]);
}

#[test]
fn a_server_that_is_this_node_is_no_peer() {
    // The first lines of the server.properties that Apache Kafka comes with.
    let own = built(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.bootstrap.servers=localhost:9093\n\
         listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
         advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
         controller.listener.names=CONTROLLER\n",
    );
    assert!(!own.has_peers() && own.founds_quorum());
    let other = format!("controller.quorum.bootstrap.servers=localhost:9095\n{LISTENERS}");
    assert!(built(&other).has_peers() && !built(&other).founds_quorum());
    assert!(BrokerConfig::defaults().founds_quorum());
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    let cases = [
        ("controller.quorum.voters=1@a:9093,b:9093", "b:9093 is not id@host:port, for example"),
        ("controller.quorum.voters=1@0.0.0.0:9093", "names every interface of a machine"),
        ("controller.quorum.voters=1@a:0", "1@a:0 is not id@host:port"),
        ("controller.quorum.bootstrap.servers=a", "a is not host:port"),
        (
            "controller.quorum.voters=1@a:9093,1@b:9093",
            "1@a:9093 and 1@b:9093 have the same id, 1; each voter needs its own",
        ),
        ("controller.quorum.voters=1@a:9093,2@a:9093", "have the same address"),
        ("node.id=4\ncontroller.quorum.voters=1@a:9093", "add 4@host:port on every node"),
        (
            "process.roles=broker\ncontroller.quorum.voters=1@a:9093",
            "is among the voters 1@a:9093, but has not the controller role",
        ),
        ("controller.quorum.voters=1@a:9093,2@b:9093", "set controller.listener.names=CONTROLLER"),
        ("controller.quorum.bootstrap.servers=a:9093", "set controller.listener.names=CONTROLLER"),
        ("process.roles=broker", "set controller.quorum.bootstrap.servers=host:port"),
        ("process.roles=", "a node is a broker, a controller or both"),
        ("controller.listener.names=CONTROLLER", "add CONTROLLER://:9093 to listeners"),
        ("process.roles=controller", "PLAINTEXT is for clients"),
        (
            "process.roles=broker\ncontroller.quorum.bootstrap.servers=a:9093\n\
             controller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://:9092,CONTROLLER://:9093",
            "CONTROLLER is among the listeners, but this node has not the controller role",
        ),
        (
            "controller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=CONTROLLER",
            "CONTROLLER belongs to the controller",
        ),
    ];
    for (text, expected) in cases {
        let found = build(text).expect_err(text).join("\n");
        assert!(found.contains(expected), "{text}: {found}");
    }
}

#[test]
fn an_error_says_where_it_was_written() {
    let found = build("node.id=4\n\ncontroller.quorum.voters=1@a:9093\n").unwrap_err();
    assert!(found[0].starts_with("server.properties:3: controller.quorum.voters: "), "{found:?}");
    let found = build("\ncontroller.quorum.voters=a:9093\n").unwrap_err();
    assert!(found[0].starts_with("server.properties:2: "), "{found:?}");
}

#[test]
fn three_nodes_of_a_bitnami_compose_file() {
    for (id, name) in [("0", "kafka-0"), ("1", "kafka-1"), ("2", "kafka-2")] {
        let voters = "0@kafka-0:9093,1@kafka-1:9093,2@kafka-2:9093";
        let config = of_container(&[
            ("KAFKA_CFG_NODE_ID", id),
            ("KAFKA_CFG_PROCESS_ROLES", "controller,broker"),
            ("KAFKA_CFG_CONTROLLER_QUORUM_VOTERS", voters),
            ("KAFKA_KRAFT_CLUSTER_ID", "abcdefghijklmnopqrstuv"),
            ("KAFKA_CFG_LISTENERS", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            ("KAFKA_CFG_ADVERTISED_LISTENERS", "PLAINTEXT://:9092"),
            (
                "KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP",
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            ),
            ("KAFKA_CFG_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
            ("KAFKA_CFG_INTER_BROKER_LISTENER_NAME", "PLAINTEXT"),
            ("KAFKA_CFG_OFFSETS_TOPIC_REPLICATION_FACTOR", "3"),
            ("KAFKA_CFG_UNCLEAN_LEADER_ELECTION_ENABLE", "false"),
            ("KAFKA_CFG_REPLICA_LAG_TIME_MAX_MS", "10000"),
            ("KAFKA_CFG_BROKER_RACK", "a"),
            ("ALLOW_PLAINTEXT_LISTENER", "yes"),
        ]);
        assert_eq!(config.node_id.to_string(), id);
        assert_eq!(config.ottla.cluster_id.as_deref(), Some("abcdefghijklmnopqrstuv"));
        assert_eq!(all_told(&config), [format!("{name}:9092"), format!("{name}:9093")]);
        assert_eq!(config.replication.replica_lag_time_max_ms, 10_000);
    }
}

/// The nodes of Apache Kafka's own compose examples, with combined and with isolated roles.
#[test]
fn three_nodes_of_an_apache_kafka_compose_file() {
    let map = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT";
    let shared = [
        ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", map),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "PLAINTEXT"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
    ];
    let node =
        |own: &[(&'static str, &'static str)]| of_container(&[shared.as_slice(), own].concat());
    let combined = node(&[
        ("KAFKA_NODE_ID", "2"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093"),
        ("KAFKA_LISTENERS", "PLAINTEXT://:19092,CONTROLLER://:9093,PLAINTEXT_HOST://:9092"),
        (
            "KAFKA_ADVERTISED_LISTENERS",
            "PLAINTEXT://kafka-2:19092,PLAINTEXT_HOST://localhost:39092",
        ),
    ]);
    assert_eq!(all_told(&combined), ["kafka-2:19092", "kafka-2:9093", "localhost:39092"]);
    assert_eq!(combined.inter_broker_listener().unwrap().name, "PLAINTEXT");
    let voters = ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@controller-1:9093,2@controller-2:9093");
    let controller = node(&[
        ("KAFKA_NODE_ID", "1"),
        ("KAFKA_PROCESS_ROLES", "controller"),
        ("KAFKA_LISTENERS", "CONTROLLER://:9093"),
        voters,
    ]);
    assert_eq!(all_told(&controller), ["controller-1:9093"]);
    let broker = node(&[
        ("KAFKA_NODE_ID", "4"),
        ("KAFKA_PROCESS_ROLES", "broker"),
        ("KAFKA_LISTENERS", "PLAINTEXT://:19092,PLAINTEXT_HOST://:9092"),
        (
            "KAFKA_ADVERTISED_LISTENERS",
            "PLAINTEXT://kafka-4:19092,PLAINTEXT_HOST://localhost:29092",
        ),
        voters,
    ]);
    assert_eq!(all_told(&broker), ["kafka-4:19092", "localhost:29092"]);
    assert!(broker.has_peers() && !broker.is_controller());
}
