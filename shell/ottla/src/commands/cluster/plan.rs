//! Which replicas should move: the cluster as it is, seen through its own answers, and what the
//! balancer (`ottla_metadata::balance`) makes of it. Moves nothing.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::admin::{BrokerListing, Reassignment};
use ottla_client::cluster::Cluster;
use ottla_client::{Admin, TopicPartition};
use ottla_env::os::OsEnv;
use ottla_metadata::balance::{self, BrokerView};
use ottla_metadata::image::PartitionId;
use serde_json::{Value, json};

use super::{Outcome, table};

/// A partition that should have other replicas, or the same in another order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) partition: TopicPartition,
    pub(super) from: Vec<i32>,
    pub(super) to: Vec<i32>,
    /// Replicas that have to be copied.
    pub(super) copies: usize,
}

/// What should move so that `leaving` carry nothing and the others the same; no more than `copies_max`
/// copies, what is left is proposed the next time.
pub(super) async fn propose(
    admin: &Admin<OsEnv>,
    leaving: &BTreeSet<i32>,
    copies_max: usize,
) -> Outcome<Vec<Move>> {
    let brokers = admin.describe_brokers().await?.brokers;
    let topics = admin.list_topics().await?;
    let moving = admin.list_reassignments().await?;
    Ok(moves(&brokers, &topics, &moving, leaving, copies_max))
}

fn moves(
    brokers: &[BrokerListing],
    topics: &Cluster,
    moving: &BTreeMap<TopicPartition, Reassignment>,
    leaving: &BTreeSet<i32>,
    copies_max: usize,
) -> Vec<Move> {
    let mut view = balance::View::default();
    for broker in brokers {
        let is_leaving = leaving.contains(&broker.id);
        let takes_replicas = !broker.fenced && !is_leaving;
        let rack = broker.rack.clone();
        view.brokers.insert(broker.id, BrokerView { rack, takes_replicas, is_leaving });
    }
    let mut names = BTreeMap::new();
    for topic in topics.topics.values() {
        for partition in &topic.partitions {
            let id = PartitionId { topic_id: topic.id, partition: partition.index };
            let named = TopicPartition::new(topic.name.clone(), partition.index);
            // As it will be once the moves under way have ended.
            let removing = moving.get(&named).map(|moving| moving.removing.as_slice());
            let stays = |id: &&i32| !removing.is_some_and(|removing| removing.contains(id));
            view.partitions.insert(id, partition.replicas.iter().filter(stays).copied().collect());
            names.insert(id, named);
        }
    }
    let proposed = balance::propose(&view, copies_max);
    let moves = proposed.into_iter().map(|proposed| Move {
        partition: names[&proposed.partition].clone(),
        from: view.partitions[&proposed.partition].clone(),
        to: proposed.replicas,
        copies: proposed.copies,
    });
    moves.collect()
}

pub(super) fn text(moves: &[Move]) -> String {
    let mut table = table::table(&["PARTITION", "FROM", "TO", "COPIES"]);
    for proposed in moves {
        table.add_row([
            proposed.partition.to_string(),
            numbers(&proposed.from),
            numbers(&proposed.to),
            proposed.copies.to_string(),
        ]);
    }
    table::text(&table)
}

pub(super) fn json(proposed: &Move) -> Value {
    json!({
        "topic": &*proposed.partition.topic,
        "partition": proposed.partition.partition,
        "from": proposed.from,
        "to": proposed.to,
        "copies": proposed.copies,
    })
}

fn numbers(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use ottla_client::cluster::{Partition, Topic};
    use ottla_protocol::{Str, Uuid};

    use super::*;

    fn broker(id: i32) -> BrokerListing {
        let host = Str::from_static("h");
        BrokerListing { id, host, port: 9092, rack: None, fenced: false }
    }

    fn cluster(replicas: &[&[i32]]) -> Cluster {
        let partition = |(index, replicas): (i32, &&[i32])| Partition {
            index,
            leader: replicas[0],
            leader_epoch: 0,
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            offline: Vec::new(),
            error_code: 0,
        };
        let name = Str::from_static("t");
        let topic = Topic {
            name: name.clone(),
            id: Uuid([1; 16]),
            is_internal: false,
            error_code: 0,
            partitions: (0..).zip(replicas).map(partition).collect(),
        };
        Cluster { topics: BTreeMap::from([(name, topic)]), ..Cluster::default() }
    }

    #[test]
    fn a_node_that_leaves_gives_everything_away() {
        let topics = cluster(&[&[3, 1], &[1, 2], &[2, 3]]);
        let brokers = [broker(1), broker(2), broker(3)];
        let found = moves(&brokers, &topics, &BTreeMap::new(), &BTreeSet::from([3]), usize::MAX);
        for id in [0, 2] {
            let of = |found: &&Move| found.partition == TopicPartition::new(Str::from("t"), id);
            let proposed = found.iter().find(of).unwrap();
            assert!(!proposed.to.contains(&3) && proposed.to.len() == 2, "{proposed:?}");
        }
    }

    #[test]
    fn a_new_node_gets_its_share_and_a_balanced_cluster_stays() {
        let topics = cluster(&[&[1, 2], &[2, 1], &[1, 2]]);
        let two = [broker(1), broker(2)];
        let nobody = BTreeSet::new();
        let none = moves(&two, &topics, &BTreeMap::new(), &nobody, usize::MAX);
        assert_eq!(none.iter().map(|found| found.copies).sum::<usize>(), 0, "{none:?}");
        let three = [broker(1), broker(2), broker(3)];
        let found = moves(&three, &topics, &BTreeMap::new(), &nobody, usize::MAX);
        assert_eq!(found.iter().map(|found| found.copies).sum::<usize>(), 2, "{found:?}");
    }
}
