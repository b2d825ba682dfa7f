use ottla_config::{Layers, Setting};
use ottla_protocol::Uuid;
use ottla_raft::{NodeId, ReplicaKey};

use super::super::voters;
use super::*;

fn config(settings: &[(&str, &str)]) -> BrokerConfig {
    let usual = [("controller.listener.names", "CONTROLLER"), ("node.id", "4")];
    let all = usual.iter().chain(settings);
    let flags: Vec<Setting> = all.map(|(key, value)| Setting::flag(*key, *value)).collect();
    BrokerConfig::build(Layers::new(flags)).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn bound() -> Vec<(String, SocketAddr)> {
    vec![("CONTROLLER".to_owned(), ([0, 0, 0, 0], 9093).into())]
}

fn founder(config: &BrokerConfig) -> Option<String> {
    let me = ReplicaKey::new(NodeId(4), Uuid::ONE);
    let set = voters::founder(config, me, &own(config, &bound()))?;
    set.endpoint(NodeId(4), "CONTROLLER").map(host_and_port)
}

/// Goal: an address that only this machine understands never gets into the set of voters (lesson: a wildcard put
/// 127.0.0.1 there). Without one that others can use the quorum is this node's alone.
#[test]
fn a_wildcard_is_no_address_of_a_voter() {
    let listeners = ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093");
    assert_eq!(founder(&config(&[listeners])), None);
    let told = ("advertised.listeners", "PLAINTEXT://k4:9092,CONTROLLER://k4:9093");
    assert_eq!(founder(&config(&[listeners, told])).as_deref(), Some("k4:9093"));
    let named = ("listeners", "PLAINTEXT://:9092,CONTROLLER://k4:9093");
    assert_eq!(founder(&config(&[named])).as_deref(), Some("k4:9093"));
}

/// Goal: a node whose listener is bound to every interface is known by the address that the list of voters has.
#[test]
fn the_list_of_voters_knows_the_own_address_best() {
    let config = config(&[
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.quorum.voters", "4@k4:9093,5@k5:9093"),
    ]);
    assert_eq!(host_and_port(&own(&config, &bound())["CONTROLLER"]), "k4:9093");
    assert_eq!(founder(&config), None, "its voters are named");
    assert_eq!(voters::configured(&config, &own(&config, &bound())).len(), 2);
}
