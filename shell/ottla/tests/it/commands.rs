//! `ottla topic`, `produce`, `consume`, `group` against a node: what they print, how they end.

use std::io::Write;
use std::process::Stdio;

use crate::node::{Ended, Folder, Node, finish, ottla};

/// A node and the command line that talks to it.
pub(crate) struct World {
    folder: Folder,
    node: Node,
}

impl World {
    pub(crate) fn new() -> World {
        let folder = Folder::new();
        let mut command = ottla(&folder);
        command.args(["server", "--listen", "127.0.0.1:0", "--data", "data"]);
        let node = Node::start(&mut command);
        World { folder, node }
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        let address = self.node.address.to_string();
        finish(ottla(&self.folder).args(words).args(["-b", &address, "--timeout", "10"]))
    }

    /// What a command prints; it must end well.
    pub(crate) fn out(&self, words: &[&str]) -> String {
        let ended = self.run(words);
        assert_eq!(ended.code, Some(0), "{words:?}: {ended:?}");
        ended.out
    }

    /// The same with standard input; the command ends when that does.
    fn feed(&self, words: &[&str], input: &str) -> Option<i32> {
        let address = self.node.address.to_string();
        let mut command = ottla(&self.folder);
        command.args(words).args(["-b", &address, "--timeout", "10"]).stdin(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait().unwrap().code()
    }
}

#[test]
fn topics_come_change_and_go() {
    let world = World::new();
    let create = ["topic", "create", "t", "-p", "2", "-c", "retention.ms=5000"];
    assert_eq!(world.out(&create), "t created\n");
    assert_eq!(world.run(&create).code, Some(1));
    assert_eq!(world.out(&[&create[..], &["--if-not-exists"]].concat()), "t exists\n");
    assert_eq!(world.out(&["topic", "list"]), "NAME  PARTITIONS  REPLICAS\nt     2           1\n");
    let alter =
        ["topic", "alter", "t", "-p", "3", "-c", "segment.ms=70000", "--unset", "retention.ms"];
    assert_eq!(world.out(&alter), "t changed\n");
    let described = world.out(&["topic", "describe", "t", "-o", "jsonl"]);
    assert!(described.contains(r#""configs":{"segment.ms":"#), "{described}");
    assert!(described.contains(r#""partition":2"#), "{described}");
    assert_eq!(world.out(&["topic", "delete", "t", "--dry-run"]), "t would be deleted\n");
    assert_eq!(world.out(&["topic", "delete", "t"]), "t deleted\n");
    assert_eq!(world.run(&["topic", "describe", "t"]).code, Some(5));
    assert_eq!(world.run(&["topic", "delete", "t"]).code, Some(5));
    assert_eq!(world.out(&["topic", "delete", "t", "--if-exists"]), "t is not there\n");
}

#[test]
fn records_go_in_and_come_out() {
    let world = World::new();
    world.out(&["topic", "create", "t", "u"]);
    let produce = ["produce", "t", "-K", "=", "-H", "h=1", "-z", "zstd"];
    assert_eq!(world.feed(&produce, "a=1\nb=2\r\nc=3"), Some(0));
    let lines = world.out(&["consume", "t", "--exit", "-f", "%p@%o %k=%v %h\\n"]);
    assert_eq!(lines, "0@0 a=1 h=1\n0@1 b=2 h=1\n0@2 c=3 h=1\n");
    assert_eq!(world.out(&["consume", "t", "--exit", "--from", "-1"]), "3\n");
    assert_eq!(world.out(&["consume", "t", "--exit", "--from", "1", "-n", "1"]), "2\n");
    assert_eq!(world.out(&["consume", "t", "--exit", "--from", "@-1h", "-n", "1"]), "1\n");
    // What consume writes, produce reads.
    let json = world.out(&["consume", "t", "--exit", "-o", "jsonl"]);
    assert_eq!(world.feed(&["produce", "u", "-i", "jsonl"], &json), Some(0));
    let copied = world.out(&["consume", "u", "--exit", "-f", "%k=%v %h\\n"]);
    assert_eq!(copied, "a=1 h=1\nb=2 h=1\nc=3 h=1\n");
    // A line without the separator: what came before it is sent, and the line is named.
    assert_eq!(world.feed(&produce, "d=4\ne\n"), Some(2));
    assert_eq!(world.out(&["consume", "t", "--exit", "--from", "-1"]), "4\n");
}

#[test]
fn groups_remember_and_can_be_moved() {
    let world = World::new();
    world.out(&["topic", "create", "t"]);
    assert_eq!(world.feed(&["produce", "t"], "1\n2\n3\n"), Some(0));
    assert_eq!(world.out(&["consume", "t", "-g", "g", "-n", "2"]), "1\n2\n");
    let described = world.out(&["group", "describe", "g", "-o", "jsonl"]);
    assert!(described.contains(r#""committed":2,"end_offset":3,"lag":1"#), "{described}");
    assert_eq!(world.out(&["consume", "t", "-g", "g", "--exit"]), "3\n");
    world.out(&["group", "seek", "g", "--to", "-1"]);
    assert_eq!(world.out(&["consume", "t", "-g", "g", "--exit"]), "3\n");
    assert!(world.out(&["group", "list"]).contains("\ng "));
    assert_eq!(world.out(&["group", "delete", "g"]), "g deleted\n");
    assert_eq!(world.run(&["group", "describe", "g"]).code, Some(5));
}

#[test]
fn each_kind_of_failure_has_its_number() {
    let folder = Folder::new();
    let mut nobody = ottla(&folder);
    nobody.args(["topic", "list", "-b", "127.0.0.1:1"]);
    let ended = finish(&mut nobody);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("cannot connect to 127.0.0.1:1"), "{ended:?}");
    let mut wrong = ottla(&folder);
    assert_eq!(finish(wrong.args(["consume", "t", "--from", "nowhere"])).code, Some(2));
}
