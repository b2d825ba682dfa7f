//! What a node makes of its folder: one node at a time, one cluster for ever, and clear words where
//! it cannot be used.

use std::process::Command;

use crate::node::{Folder, Node, finish, ottla};

fn on_a_free_port(folder: &Folder) -> Command {
    let mut command = ottla(folder);
    command.args(["server", "--listen", "127.0.0.1:0", "--data", "data"]);
    command
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = Folder::new();
    folder.file("plain-file", "");
    let mut command = ottla(&folder);
    let ended = finish(command.args(["--listen", "127.0.0.1:0", "--data", "plain-file/data"]));
    assert_eq!(ended.code, Some(1));
    let from = "the data directory is plain-file/data, from flag --data";
    assert!(ended.err.contains(from), "{ended:?}");
}

#[test]
fn a_folder_serves_one_node_at_a_time_and_the_next_after_it() {
    let folder = Folder::new();
    let first = Node::start(&mut on_a_free_port(&folder));
    let second = finish(&mut on_a_free_port(&folder));
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("in use by another process"), "{second:?}");
    first.signal("TERM");
    assert_eq!(first.wait().code, Some(0));
    drop(Node::start(&mut on_a_free_port(&folder)));
}

#[test]
fn a_folder_of_another_cluster_is_refused() {
    let folder = Folder::new();
    let first = Node::start(&mut on_a_free_port(&folder));
    first.signal("TERM");
    assert_eq!(first.wait().code, Some(0));
    let mut other = on_a_free_port(&folder);
    let refused = finish(other.args(["--set", "ottla.cluster.id=MkU3OEVBNTcwNTJENDM2Qk"]));
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("cluster"), "{refused:?}");
}

#[test]
fn a_killed_node_starts_again_on_its_folder() {
    let folder = Folder::new();
    let first = Node::start(&mut on_a_free_port(&folder));
    let cluster = first.cluster();
    first.signal("KILL");
    assert_eq!(first.wait().code, None);
    let second = Node::start(&mut on_a_free_port(&folder));
    assert_eq!(second.cluster(), cluster);
    assert_eq!(second.api_versions()[4..], [0, 0, 0, 7]);
}
