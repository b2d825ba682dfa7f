//! A cluster of real processes, Ottla's and Apache Kafka's in any mixture, for the tasks that disturb
//! one: `chaos`, `mixed`, `conformance --nodes`.

pub(crate) mod admin;
pub(crate) mod disks;
pub(crate) mod kafka;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod replicas;
pub(crate) mod topics;
pub(crate) mod wire;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use disks::Disk;
use network::Network;
use node::{Node, Software};

/// A cluster answers within this after a start, or something is wrong.
const START_LIMIT: Duration = Duration::from_secs(90);
/// Sixteen bytes that mean nothing, as Kafka writes them.
const CLUSTER_ID: &str = "b3R0bGEtY2hhb3MtMDAwMQ";
/// What Kafka's nodes are formatted for.
const RELEASE: &str = "4.3";

/// What a node is to be.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) software: Software,
    pub(crate) is_broker: bool,
    pub(crate) is_controller: bool,
    pub(crate) has_two_directories: bool,
}

impl Seat {
    /// A node with one log directory.
    pub(crate) fn new(software: Software, is_broker: bool, is_controller: bool) -> Seat {
        Seat { software, is_broker, is_controller, has_two_directories: false }
    }
}

/// The nodes, from number 1 on, and what joins them.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) network: Network,
    /// One for each node, or none.
    pub(crate) disks: Vec<Disk>,
    /// Replicas that were sent to another log directory.
    pub(crate) shifted: usize,
}

impl Cluster {
    /// Writes everybody's settings; `more` win over what a cluster needs. On `own_disks` un-synced data
    /// can be lost, where those may be.
    pub(crate) fn prepare(
        seats: &[Seat],
        network: Network,
        folder: &Path,
        more: &[String],
        own_disks: bool,
    ) -> Result<Cluster, String> {
        let seat = |(index, seat): (usize, &Seat)| {
            let id = index as u16 + 1;
            let roles = (seat.is_broker, seat.is_controller);
            let mut node = Node::new(id, seat.software.clone(), roles, &network, folder);
            node.has_two_directories = seat.has_two_directories;
            node
        };
        let nodes: Vec<Node> = seats.iter().enumerate().map(seat).collect();
        let places: Vec<PathBuf> = nodes.iter().map(Node::disk).collect();
        let disks = if own_disks { disks::make(&places) } else { Vec::new() };
        let cluster = Cluster { nodes, network, disks, shifted: 0 };
        for node in &cluster.nodes {
            node.prepare(&cluster.settings(node, more), CLUSTER_ID, RELEASE)?;
        }
        Ok(cluster)
    }

    fn settings(&self, node: &Node, more: &[String]) -> Vec<(String, String)> {
        let controllers = self.nodes.iter().filter(|node| node.is_controller);
        let voter = |node: &Node| format!("{}@{}", node.id, self.network.controller(node.id));
        let voters: Vec<String> = controllers.map(voter).collect();
        let (client, controller) =
            (self.network.address(node.id), self.network.controller(node.id));
        let (roles, listeners) = match (node.is_broker, node.is_controller) {
            (true, true) => {
                ("broker,controller", format!("PLAINTEXT://{client},CONTROLLER://{controller}"))
            }
            (true, false) => ("broker", format!("PLAINTEXT://{client}")),
            (false, _) => ("controller", format!("CONTROLLER://{controller}")),
        };
        let brokers = self.nodes.iter().filter(|node| node.is_broker).count();
        let factor = brokers.min(3).to_string();
        let in_sync = brokers.min(2).to_string();
        let data: Vec<String> =
            node.data().iter().map(|directory| directory.display().to_string()).collect();
        let data = data.join(",");
        let id = node.id.to_string();
        let mut settings: Vec<(String, String)> = [
            ("node.id", id.as_str()),
            ("process.roles", roles),
            ("listeners", &listeners),
            ("controller.listener.names", "CONTROLLER"),
            ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"),
            ("controller.quorum.voters", &voters.join(",")),
            ("log.dirs", &data),
            ("offsets.topic.num.partitions", "3"),
            ("offsets.topic.replication.factor", &factor),
            ("transaction.state.log.replication.factor", &factor),
            ("transaction.state.log.min.isr", &in_sync),
            ("share.coordinator.state.topic.replication.factor", &factor),
            ("share.coordinator.state.topic.min.isr", &in_sync),
            ("default.replication.factor", &factor),
            ("min.insync.replicas", &in_sync),
            ("group.initial.rebalance.delay.ms", "0"),
            ("group.min.session.timeout.ms", "1000"),
        ]
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .to_vec();
        for (key, value) in more.iter().filter_map(|setting| setting.split_once('=')) {
            settings.retain(|(other, _)| other != key);
            settings.push((key.to_string(), value.to_string()));
        }
        settings
    }

    pub(crate) fn len(&self) -> u16 {
        self.nodes.len() as u16
    }

    pub(crate) fn node(&mut self, id: u16) -> &mut Node {
        &mut self.nodes[usize::from(id) - 1]
    }

    /// host:port of every broker, with commas.
    pub(crate) fn bootstrap(&self) -> String {
        let brokers = self.nodes.iter().filter(|node| node.is_broker);
        brokers.map(|node| node.address.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Starts all nodes and waits until every broker knows every other.
    pub(crate) fn start(&mut self) -> Result<Duration, String> {
        let start = Instant::now();
        for id in 1..=self.len() {
            self.spawn(id)?;
        }
        self.await_brokers(START_LIMIT)?;
        Ok(start.elapsed())
    }

    pub(crate) fn spawn(&mut self, id: u16) -> Result<(), String> {
        let Cluster { nodes, network, .. } = self;
        nodes[usize::from(id) - 1].spawn(network, CLUSTER_ID)
    }

    /// Waits until every broker serves and says that all are alive.
    pub(crate) fn await_brokers(&mut self, limit: Duration) -> Result<(), String> {
        let start = Instant::now();
        let all = self.broker_ids();
        loop {
            self.check()?;
            let mut missing = Vec::new();
            for node in self.of_brokers() {
                let mut known = admin::brokers(&node.address);
                if let Ok(known) = &mut known {
                    known.sort_unstable();
                }
                if known.as_ref() != Ok(&all) {
                    missing.push(format!("node {}: {known:?}", node.id));
                }
            }
            if missing.is_empty() {
                return Ok(());
            }
            if start.elapsed() > limit {
                let logs: Vec<String> =
                    self.nodes.iter().map(|n| format!("node {}:\n{}", n.id, n.last())).collect();
                return Err(format!(
                    "not all brokers are there after {limit:?}: {}\n{}",
                    missing.join("; "),
                    logs.join("\n")
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A node's machine loses its power, and what was not synced.
    pub(crate) fn lose_power(&mut self, id: u16) -> Result<(), String> {
        self.node(id).kill();
        self.disks[usize::from(id) - 1].lose_power()
    }

    fn of_brokers(&self) -> Vec<&Node> {
        self.nodes.iter().filter(|node| node.is_broker).collect()
    }

    /// Fails if a node ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        self.nodes.iter_mut().try_for_each(Node::check)
    }

    /// What any broker that answers says of these topics' partitions.
    pub(crate) fn partitions(
        &self,
        topics: Option<&[&str]>,
    ) -> Result<Vec<admin::PartitionState>, String> {
        let mut last = "no broker runs".to_string();
        for node in self.of_brokers().into_iter().filter(|node| node.is_running()) {
            match admin::partitions(&node.address, topics) {
                Ok(found) => return Ok(found),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The leader of the metadata quorum as a broker that answers sees it.
    pub(crate) fn controller(&self) -> Result<u16, String> {
        let mut last = "no broker runs".to_string();
        for node in self.of_brokers().into_iter().filter(|node| node.is_running()) {
            match admin::quorum(&node.address) {
                Ok((leader, _)) => return u16::try_from(leader).map_err(|error| error.to_string()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Waits until every partition has a leader and all its replicas in sync; how long it took.
    pub(crate) fn await_in_sync(&mut self, limit: Duration) -> Result<Duration, String> {
        let start = Instant::now();
        loop {
            self.check()?;
            let found = self.partitions(None);
            let behind = match &found {
                Ok(found) => found
                    .iter()
                    .filter(|p| p.leader < 0 || p.isr.len() < p.replicas.len())
                    .map(|p| format!("{}-{} {:?} of {:?}", p.topic, p.partition, p.isr, p.replicas))
                    .collect(),
                Err(error) => vec![error.clone()],
            };
            if behind.is_empty() {
                return Ok(start.elapsed());
            }
            if start.elapsed() > limit {
                return Err(format!(
                    "{} partitions are not in sync {limit:?} after all was healed: {}",
                    behind.len(),
                    behind[..behind.len().min(5)].join("; ")
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Creates a topic, trying again until the cluster takes it.
    pub(crate) fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        replicas: u16,
        settings: &[(&str, &str)],
    ) -> Result<(), String> {
        let brokers: Vec<String> =
            self.of_brokers().iter().map(|node| node.address.clone()).collect();
        let replicas = replicas.min(brokers.len() as u16) as i16;
        let start = Instant::now();
        loop {
            let address = &brokers[start.elapsed().as_millis() as usize % brokers.len()];
            match admin::create_topic(address, name, partitions, replicas, settings) {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > START_LIMIT => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
            self.check()?;
        }
    }

    /// Asks for a partition to be moved to `replicas`; says whether the cluster took it.
    pub(crate) fn reassign(&self, topic: &str, partition: i32, replicas: &[i32]) -> bool {
        let running = self.of_brokers().into_iter().filter(|node| node.is_running());
        let mut asked = running.map(|n| admin::reassign(&n.address, topic, partition, replicas));
        asked.any(|answer| answer.is_ok())
    }

    /// host:port of the brokers, in the order of their numbers.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.of_brokers().iter().map(|node| node.address.clone()).collect()
    }

    /// Numbers of the brokers.
    pub(crate) fn broker_ids(&self) -> Vec<i32> {
        self.of_brokers().iter().map(|node| i32::from(node.id)).collect()
    }

    /// Moves a node's replicas of a topic to its other log directory, those that are taken; the rest may
    /// be asked for again.
    pub(crate) fn shift(&mut self, id: u16, topic: &str, partitions: u32) {
        let Some(node) = self.nodes.iter().find(|node| node.id == id) else { return };
        let directories = node.data();
        let moved = (0..partitions).filter(|partition| {
            let folder = format!("{topic}-{partition}");
            let other = directories.iter().find(|data| !data.join(&folder).is_dir());
            // Who is not there, or has no such replica, moves none.
            other.is_some_and(|other| {
                let path = other.display().to_string();
                admin::alter_log_dir(&node.address, topic, *partition as i32, &path).is_ok()
            })
        });
        self.shifted += moved.count();
    }

    /// Where each node's files lie, directory by directory.
    pub(crate) fn data(&self) -> Vec<(u16, PathBuf)> {
        let directories =
            |node: &Node| node.data().into_iter().map(|data| (node.id, data)).collect::<Vec<_>>();
        self.nodes.iter().flat_map(directories).collect()
    }

    /// Stops all at once; says which of Ottla's had to be killed. Kafka's last ones wait for a quorum
    /// that is gone.
    pub(crate) fn stop(&mut self) -> Vec<String> {
        self.nodes.iter_mut().for_each(Node::ask_to_stop);
        let mut wrong = Vec::new();
        for node in &mut self.nodes {
            let ended = node.await_end();
            if node.is_ottla() {
                wrong.extend(ended.err());
            }
        }
        wrong
    }
}
