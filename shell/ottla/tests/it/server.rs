//! `ottla server`: starts, says where it is, serves, and stops as asked; refuses to start with a
//! reason.

use std::net::TcpListener;
use std::process::Command;

use crate::node::{Folder, Node, finish, ottla};

fn on_a_free_port(folder: &Folder) -> Command {
    let mut command = ottla(folder);
    command.args(["server", "--listen", "127.0.0.1:0", "--data", "data"]);
    command
}

#[test]
fn a_node_starts_serves_and_stops_at_sigterm() {
    let folder = Folder::new();
    let node = Node::start(&mut on_a_free_port(&folder));
    assert!(node.banner.starts_with(&format!("Ottla {} is ready in ", env!("CARGO_PKG_VERSION"))));
    assert!(node.banner.contains("\n  data       data\n"), "{}", node.banner);
    assert_eq!(node.api_versions()[4..], [0, 0, 0, 7]);
    node.signal("TERM");
    let ended = node.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.err.contains("SIGTERM, stopping") && ended.err.contains("stopped\n"),
        "{ended:?}"
    );
    assert!(!ended.err.contains('\u{1b}'), "colours in a pipe: {ended:?}");
}

#[test]
fn no_word_means_server_and_ctrl_c_stops_it() {
    let folder = Folder::new();
    let mut command = ottla(&folder);
    command.args(["--listen", "127.0.0.1:0", "--set", "ottla.cluster.id=MkU3OEVBNTcwNTJENDM2Qk"]);
    let node = Node::start(&mut command);
    assert!(node.banner.contains("cluster    MkU3OEVBNTcwNTJENDM2Qk"), "{}", node.banner);
    node.signal("INT");
    assert_eq!(node.wait().code, Some(0));
}

#[test]
fn a_port_in_use_is_named() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = finish(ottla(&folder).args(["--listen", &address, "--data", "data"]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("cannot start") && ended.err.contains(&address), "{ended:?}");
    assert!(ended.err.contains("listeners"), "what to do is missing: {ended:?}");
}

#[test]
fn bad_settings_are_all_named() {
    let folder = Folder::new();
    let mut command = on_a_free_port(&folder);
    let ended = finish(command.args(["--set", "num.partitions=0", "--set", "log.segment.bytes=x"]));
    assert_eq!(ended.code, Some(1));
    for expected in ["flag --set num.partitions: ", "flag --set log.segment.bytes: "] {
        assert!(ended.err.contains(expected), "{ended:?}");
    }
}

#[test]
fn a_tutorials_environment_just_works() {
    let folder = Folder::new();
    let mut command = ottla(&folder);
    command
        .env("KAFKA_CFG_ZOOKEEPER_CONNECT", "zookeeper:2181")
        .env("KAFKA_CFG_LISTENERS", "PLAINTEXT://127.0.0.1:0")
        .env("KAFKA_CFG_ADVERTISED_LISTENERS", "PLAINTEXT://localhost:9092")
        .env("ALLOW_PLAINTEXT_LISTENER", "yes")
        .env("KAFKA_HEAP_OPTS", "-Xmx1g");
    let node = Node::start(&mut command);
    node.signal("TERM");
    let ended = node.wait();
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains("there is no ZooKeeper"), "{ended:?}");
    assert!(ended.err.contains("ALLOW_PLAINTEXT_LISTENER, KAFKA_HEAP_OPTS"), "{ended:?}");
    assert!(!ended.err.contains("WARN") && !ended.err.contains("ERROR"), "{ended:?}");
}

#[test]
fn ctrl_c_while_a_client_is_connected_still_ends() {
    let folder = Folder::new();
    let node = Node::start(&mut on_a_free_port(&folder));
    let idle = std::net::TcpStream::connect(node.address).unwrap();
    node.api_versions();
    node.signal("INT");
    let ended = node.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    drop(idle);
}
