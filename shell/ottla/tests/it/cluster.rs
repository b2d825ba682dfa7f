//! `ottla cluster`: three real processes on this machine, started, looked at, robbed of a node, stopped.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use ottla_client::{ClientOptions, Connection};
use ottla_protocol::Str;
use ottla_protocol::messages::UpdateFeaturesRequest;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;

use crate::node::{Ended, Folder, Node, finish, ottla};

/// Longest wait for anything a cluster does.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A running `ottla cluster start`.
struct Cluster<'a> {
    folder: &'a Folder,
    child: Child,
    out: BufReader<ChildStdout>,
    bootstrap: String,
    banner: String,
}

impl<'a> Cluster<'a> {
    fn start(folder: &'a Folder, words: &[&str]) -> Self {
        let mut command = ottla(folder);
        command.args(["cluster", "start", "--dir", "c"]).args(words);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("Ctrl-C stops") {
            if out.read_line(&mut banner).unwrap() == 0 {
                let mut err = String::new();
                child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("the cluster did not start: {banner}{err}");
            }
        }
        let line = banner.lines().find(|line| line.starts_with("  bootstrap")).unwrap();
        let bootstrap = line.split_whitespace().last().unwrap().to_owned();
        Cluster { folder, child, out, bootstrap, banner }
    }

    /// The processes of the nodes, in the order of their ids.
    fn processes(&self) -> Vec<String> {
        let rows = self.banner.lines().filter(|line| line.contains("127.0.0.1:"));
        let rows = rows.filter(|line| line.contains(".properties"));
        rows.map(|line| line.split_whitespace().nth(2).unwrap().to_owned()).collect()
    }

    fn run(&self, words: &[&str]) -> Ended {
        finish(ottla(self.folder).args(words).args(["-b", &self.bootstrap, "--timeout", "30"]))
    }

    fn out(&self, words: &[&str]) -> String {
        let ended = self.run(words);
        assert_eq!(ended.code, Some(0), "{words:?}: {ended:?}");
        ended.out
    }

    /// Runs a command until what it prints has `expected` in it.
    fn until(&self, words: &[&str], expected: &str) -> String {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let ended = self.run(words);
            if ended.out.contains(expected) {
                return ended.out;
            }
            assert!(Instant::now() < deadline, "{words:?} never said {expected}: {ended:?}");
        }
    }

    fn produce(&self, topic: &str, lines: &str) {
        let mut command = ottla(self.folder);
        command.args(["produce", topic, "-b", &self.bootstrap, "--timeout", "30"]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    }

    /// Asks it to stop, as Ctrl-C does, and waits for its end.
    fn stop(mut self) -> Option<i32> {
        signal("INT", &self.child.id().to_string());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Cluster<'_> {
    /// The nodes end with it.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), process]).status().unwrap().success());
}

fn is_alive(process: &str) -> bool {
    let quiet = Command::new("kill").args(["-0", process]).stderr(Stdio::null()).status();
    quiet.unwrap().success()
}

#[test]
fn a_cluster_survives_a_node_and_starts_again() {
    let folder = Folder::new();
    let cluster = Cluster::start(&folder, &["--nodes", "3", "--port", "0"]);
    assert_eq!(cluster.bootstrap.split(',').count(), 3);
    assert_eq!(cluster.out(&["cluster", "health"]), "healthy\n");
    cluster.out(&["topic", "create", "t", "-p", "6"]);
    cluster.produce("t", "1\n2\n3\n");
    let status = cluster.out(&["cluster", "status", "-o", "jsonl"]);
    assert!(status.contains(r#""without_leader":[]"#) && status.contains(r#""voter":true"#));
    let processes = cluster.processes();
    signal("KILL", &processes[0]);
    cluster.produce("t", "4\n5\n");
    cluster.until(&["cluster", "status"], "down");
    assert_eq!(cluster.run(&["cluster", "health"]).code, Some(1));
    let mut lines: Vec<String> =
        cluster.out(&["consume", "t", "-g", "g", "-n", "5"]).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["1", "2", "3", "4", "5"]);
    assert_eq!(cluster.stop(), Some(0));
    assert!(!processes.iter().any(|process| is_alive(process)), "a node outlived its cluster");

    let again = Cluster::start(&folder, &[]);
    again.until(&["cluster", "health"], "healthy");
    let read = again.out(&["consume", "t", "--exit"]);
    assert_eq!(read.lines().count(), 5, "{read}");
    let offsets = again.out(&["group", "describe", "g", "-o", "jsonl"]);
    assert!(offsets.contains(r#""lag":0"#), "{offsets}");
    assert_eq!(again.stop(), Some(0));
}

#[test]
fn a_folder_says_how_many_nodes_it_has() {
    let folder = Folder::new();
    let cluster = Cluster::start(&folder, &["--nodes", "1", "--port", "0"]);
    assert_eq!(cluster.stop(), Some(0));
    let ended = finish(ottla(&folder).args(["cluster", "start", "--dir", "c", "--nodes", "3"]));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("holds a cluster of 1 nodes"), "{ended:?}");
}

#[test]
fn a_node_joins_takes_its_share_and_leaves() {
    let folder = Folder::new();
    let cluster = Cluster::start(&folder, &["--nodes", "3", "--port", "0"]);
    cluster.out(&["topic", "create", "t", "-p", "8"]);
    cluster.produce("t", "1\n2\n3\n");
    let member = cluster.bootstrap.split(',').next().unwrap();
    let mut join = ottla(&folder);
    let node = Node::start(join.args(["server", "--join", member, "--data", "four"]));
    cluster.until(&["cluster", "status", "-o", "jsonl"], r#""id":4"#);
    let planned = cluster.out(&["cluster", "rebalance", "--dry-run"]);
    assert!(planned.contains("t-"), "{planned}");
    cluster.out(&["cluster", "rebalance"]);
    assert_eq!(cluster.out(&["cluster", "rebalance", "--dry-run"]), "nothing to move\n");
    let described = cluster.out(&["topic", "describe", "t", "-o", "jsonl"]);
    assert!(described.contains(r#""leader":4"#), "{described}");

    // The next start needs no flag.
    node.signal("TERM");
    assert_eq!(node.wait().code, Some(0));
    let node = Node::start(ottla(&folder).args(["server", "--data", "four"]));
    cluster.until(&["cluster", "health"], "healthy");

    let left = cluster.out(&["cluster", "decommission", "4"]);
    assert!(left.contains("holds nothing any more"), "{left}");
    node.signal("TERM");
    assert_eq!(node.wait().code, Some(0));
    cluster.until(&["cluster", "decommission", "4"], "node 4 has left");
    assert_eq!(cluster.run(&["cluster", "decommission", "4"]).code, Some(5));
    assert_eq!(cluster.out(&["cluster", "health"]), "healthy\n");
    assert_eq!(cluster.out(&["consume", "t", "--exit"]).lines().count(), 3);
    assert_eq!(cluster.stop(), Some(0));
}

/// Goal: nodes that join at once get an id and a port each. Method: four processes, started together.
#[test]
fn nodes_that_join_at_once_are_different_nodes() {
    let folder = Folder::new();
    let cluster = Cluster::start(&folder, &["--nodes", "1", "--port", "0"]);
    let member = cluster.bootstrap.split(',').next().unwrap();
    let names = ["n2", "n3", "n4", "n5"];
    let nodes: Vec<Node> = std::thread::scope(|scope| {
        let start = |name| {
            let folder = &folder;
            scope.spawn(move || {
                Node::start(ottla(folder).args(["server", "--join", member, "--data", name]))
            })
        };
        names.map(start).into_iter().map(|starting| starting.join().unwrap()).collect()
    });
    let status = cluster.out(&["cluster", "status", "-o", "jsonl"]);
    for id in 1..=5 {
        assert!(status.contains(&format!(r#""id":{id},"#)), "{id}: {status}");
    }
    let addresses: std::collections::BTreeSet<_> = nodes.iter().map(|node| node.address).collect();
    assert_eq!(addresses.len(), names.len());
    for name in names {
        let left = |file| folder.path().join(name).join(file).exists();
        assert!(left("joined.properties") && !left("joining.properties"), "{name}");
    }
    assert_eq!(cluster.out(&["cluster", "health"]), "healthy\n");
}

/// Has the quorum keep its voters in the metadata log, as `kafka-features.sh upgrade` does.
fn raise_kraft_version(bootstrap: &str) {
    let address = bootstrap.split(',').next().unwrap().to_owned();
    let raised = ottla_env::os::run(Some(1), |env| async move {
        let options = ClientOptions::new(&address);
        let connection = Connection::open(&env, &address, &options).await.unwrap();
        let feature = FeatureUpdateKey {
            feature: Str::from_static("kraft.version"),
            max_version_level: 1,
            upgrade_type: 1,
            ..FeatureUpdateKey::default()
        };
        let request = UpdateFeaturesRequest {
            timeout_ms: 30_000,
            feature_updates: vec![feature],
            ..UpdateFeaturesRequest::default()
        };
        connection.call(&request, WAIT_MAX).await.unwrap()
    });
    let response = raised.unwrap();
    assert_eq!(response.error_code, 0, "{response:?}");
}

/// Goal: a node that leaves votes no more, so that the others need no majority with it; where the quorum cannot
/// change its voters, that is said, and nothing is forgotten that a second try needs.
#[test]
fn a_voter_leaves() {
    let folder = Folder::new();
    let cluster = Cluster::start(&folder, &["--nodes", "3", "--port", "0"]);
    cluster.out(&["topic", "create", "t", "-p", "6", "-r", "1"]);
    cluster.produce("t", "1\n2\n3\n");
    let refused = cluster.run(&["cluster", "decommission", "3"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("kraft.version is 0"), "{refused:?}");

    raise_kraft_version(&cluster.bootstrap);
    let left = cluster.run(&["cluster", "decommission", "3"]);
    assert_eq!(left.code, Some(0), "{left:?}");
    assert!(left.err.contains("votes in the metadata quorum no more"), "{left:?}");
    assert!(left.out.contains("holds nothing any more"), "{left:?}");
    let status = cluster.until(&["cluster", "status", "-o", "jsonl"], r#""voter":false"#);
    assert_eq!(status.matches(r#""voter":true"#).count(), 2, "{status}");

    signal("KILL", &cluster.processes()[2]);
    cluster.until(&["cluster", "decommission", "3"], "node 3 has left");
    cluster.until(&["cluster", "health"], "healthy");
    assert_eq!(cluster.out(&["consume", "t", "--exit"]).lines().count(), 3);
    assert_eq!(cluster.stop(), Some(0));
}
