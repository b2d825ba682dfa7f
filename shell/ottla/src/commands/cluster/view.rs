//! A cluster as people want to see it: its nodes with what they do, its partitions counted by state.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_client::Admin;
use ottla_client::admin::{BrokerListing, ClusterDescription, Quorum};
use ottla_client::cluster::{Cluster, Partition};
use ottla_env::Env;
use ottla_env::os::OsEnv;
use serde_json::{Value, json};

use super::Outcome;

/// How long the quorum may take to say who leads it.
const QUORUM_MAX: Duration = Duration::from_secs(5);

/// A node of a cluster.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) id: i32,
    pub(super) address: Option<String>,
    pub(super) rack: Option<String>,
    /// Nothing for a node that is only a controller.
    pub(super) is_serving: Option<bool>,
    pub(super) is_voter: bool,
    pub(super) is_quorum_leader: bool,
    pub(super) leaders: usize,
    pub(super) replicas: usize,
    /// Metadata records that it has not read yet; nothing where it is not known.
    pub(super) metadata_lag: Option<i64>,
}

/// Partitions by what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    pub(super) total: usize,
    pub(super) without_leader: Vec<String>,
    pub(super) under_replicated: Vec<String>,
    /// Led by another than the first of their replicas.
    pub(super) not_preferred: usize,
}

/// All of it.
#[derive(Debug)]
pub(super) struct View {
    pub(super) cluster_id: String,
    pub(super) quorum: Option<Quorum>,
    pub(super) nodes: Vec<Node>,
    pub(super) partitions: Partitions,
}

/// Asks the cluster.
pub(super) async fn look(admin: &Admin<OsEnv>) -> Outcome<View> {
    let description = admin.describe_brokers().await?;
    let topics = admin.list_topics().await?;
    // A quorum without a leader is something to be shown, not a failure to show anything.
    let quorum = admin.client().env().timeout(QUORUM_MAX, admin.describe_quorum()).await;
    Ok(view(&description, &topics, quorum.ok().and_then(Result::ok)))
}

fn view(description: &ClusterDescription, topics: &Cluster, quorum: Option<Quorum>) -> View {
    let mut nodes: BTreeMap<i32, Node> = BTreeMap::new();
    for broker in &description.brokers {
        nodes.insert(broker.id, of_broker(broker));
    }
    if let Some(quorum) = &quorum {
        add_quorum(&mut nodes, quorum);
    }
    let mut partitions = Partitions::default();
    for topic in topics.topics.values() {
        for partition in &topic.partitions {
            let name = format!("{}-{}", topic.name, partition.index);
            count(&mut partitions, name, partition);
            for replica in &partition.replicas {
                let node = nodes.entry(*replica).or_insert_with(|| unregistered(*replica));
                node.replicas += 1;
            }
            if let Some(leader) = nodes.get_mut(&partition.leader) {
                leader.leaders += 1;
            }
        }
    }
    View {
        cluster_id: description.cluster_id.to_string(),
        quorum,
        nodes: nodes.into_values().collect(),
        partitions,
    }
}

fn of_broker(broker: &BrokerListing) -> Node {
    let address = match broker.host.contains(':') {
        true => format!("[{}]:{}", broker.host, broker.port),
        false => format!("{}:{}", broker.host, broker.port),
    };
    Node {
        id: broker.id,
        address: Some(address),
        rack: broker.rack.as_ref().map(ToString::to_string),
        is_serving: Some(!broker.fenced),
        ..Node::default()
    }
}

/// A node that is in the list of a partition's replicas, and that nobody knows.
fn unregistered(id: i32) -> Node {
    Node { id, is_serving: Some(false), ..Node::default() }
}

fn add_quorum(nodes: &mut BTreeMap<i32, Node>, quorum: &Quorum) {
    let lead = quorum.voters.iter().find(|voter| voter.id == quorum.leader_id);
    let log_end = lead.map(|leader| leader.log_end_offset).filter(|offset| *offset >= 0);
    let replicas = quorum.voters.iter().map(|voter| (true, voter));
    let replicas = replicas.chain(quorum.observers.iter().map(|observer| (false, observer)));
    for (is_voter, replica) in replicas {
        // An observer that is no broker is a controller that has not joined the voters.
        let node = nodes.entry(replica.id).or_insert_with(|| {
            let addresses = quorum.addresses.get(&replica.id);
            let address = addresses.and_then(|all| all.first().cloned());
            Node { id: replica.id, address, ..Node::default() }
        });
        node.is_voter = is_voter;
        node.is_quorum_leader = replica.id == quorum.leader_id;
        let known = Some(replica.log_end_offset).filter(|offset| *offset >= 0);
        node.metadata_lag = log_end.zip(known).map(|(end, own)| (end - own).max(0));
    }
}

fn count(partitions: &mut Partitions, name: String, partition: &Partition) {
    partitions.total += 1;
    if partition.leader < 0 {
        partitions.without_leader.push(name);
    } else {
        if partition.isr.len() < partition.replicas.len() {
            partitions.under_replicated.push(name);
        }
        if partition.replicas.first() != Some(&partition.leader) {
            partitions.not_preferred += 1;
        }
    }
}

impl Node {
    /// "broker", "voter", "broker,voter"; the leader of the quorum is marked.
    pub(super) fn role(&self) -> String {
        let mut words = Vec::new();
        if self.is_serving.is_some() {
            words.push("broker");
        }
        if self.is_voter {
            words.push(if self.is_quorum_leader { "voter*" } else { "voter" });
        }
        if words.is_empty() { "controller".to_owned() } else { words.join(",") }
    }

    pub(super) fn state(&self) -> &'static str {
        match self.is_serving {
            Some(true) => "up",
            Some(false) => "down",
            None => "-",
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "address": self.address,
            "rack": self.rack,
            "broker": self.is_serving.is_some(),
            "up": self.is_serving,
            "voter": self.is_voter,
            "quorum_leader": self.is_quorum_leader,
            "leaders": self.leaders,
            "replicas": self.replicas,
            "metadata_lag": self.metadata_lag,
        })
    }
}
