//! What is known of the cluster: brokers, topics, leaders. A value; asking is the client's.

use std::collections::BTreeMap;

use ottla_protocol::messages::MetadataResponse;
use ottla_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::{Str, Uuid};

/// A broker as clients reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    pub id: i32,
    pub host: Str,
    pub port: i32,
    pub rack: Option<Str>,
}

impl Broker {
    /// "host:port", with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A partition and who leads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    pub index: i32,
    /// -1 while there is none.
    pub leader: i32,
    pub leader_epoch: i32,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    pub offline: Vec<i32>,
    pub error_code: i16,
}

/// A topic and its partitions in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub name: Str,
    pub id: Uuid,
    pub is_internal: bool,
    /// 0, or why it is not there.
    pub error_code: i16,
    pub partitions: Vec<Partition>,
}

/// The cluster as last heard of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cluster {
    pub cluster_id: Option<Str>,
    pub controller_id: i32,
    pub brokers: BTreeMap<i32, Broker>,
    pub topics: BTreeMap<Str, Topic>,
}

impl Cluster {
    /// Takes in an answer: brokers anew, the topics in it replaced, all others kept. Where a partition is
    /// known in a later leader epoch, that stays: the broker that answered has not heard of it yet, and
    /// may take itself for the leader (KIP-320).
    pub(crate) fn update(&mut self, response: MetadataResponse) {
        self.cluster_id = response.cluster_id;
        self.controller_id = response.controller_id;
        let brokers = response.brokers.into_iter().map(|broker| {
            let known = Broker {
                id: broker.node_id,
                host: broker.host,
                port: broker.port,
                rack: broker.rack,
            };
            (known.id, known)
        });
        self.brokers = brokers.collect();
        for topic in response.topics {
            if let Some(mut topic) = Topic::from_response(topic) {
                if let Some(known) = self.topics.remove(&topic.name) {
                    topic.keep_later(known);
                }
                self.topics.insert(topic.name.clone(), topic);
            }
        }
    }

    /// A topic that exists.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name).filter(|topic| topic.error_code == 0)
    }

    /// The leader of a partition and its epoch.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<(i32, i32)> {
        let topic = self.topic(topic)?;
        let found = topic.partition(partition)?;
        (found.leader >= 0).then_some((found.leader, found.leader_epoch))
    }
}

impl Topic {
    /// A partition by its number.
    pub fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.index == index)
    }

    /// Takes over what `known` has of later leader epochs, if it is the same topic.
    fn keep_later(&mut self, known: Topic) {
        if known.id != self.id || self.error_code != 0 {
            return;
        }
        for partition in known.partitions {
            let told = self.partitions.iter_mut().find(|told| told.index == partition.index);
            if let Some(told) = told
                && told.leader_epoch < partition.leader_epoch
            {
                *told = partition;
            }
        }
    }

    fn from_response(topic: MetadataResponseTopic) -> Option<Topic> {
        let mut partitions: Vec<Partition> =
            topic.partitions.into_iter().map(Partition::from_response).collect();
        partitions.sort_by_key(|partition| partition.index);
        Some(Topic {
            name: topic.name?,
            id: topic.topic_id,
            is_internal: topic.is_internal,
            error_code: topic.error_code,
            partitions,
        })
    }
}

impl Partition {
    fn from_response(partition: MetadataResponsePartition) -> Partition {
        Partition {
            index: partition.partition_index,
            leader: partition.leader_id,
            leader_epoch: partition.leader_epoch,
            replicas: partition.replica_nodes,
            isr: partition.isr_nodes,
            offline: partition.offline_replicas,
            error_code: partition.error_code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(topic_id: Uuid, leaders: &[(i32, i32)]) -> MetadataResponse {
        let partition =
            |(index, (leader_id, leader_epoch)): (i32, &(i32, i32))| MetadataResponsePartition {
                partition_index: index,
                leader_id: *leader_id,
                leader_epoch: *leader_epoch,
                ..MetadataResponsePartition::default()
            };
        let topic = MetadataResponseTopic {
            name: Some(Str::from("t")),
            topic_id,
            partitions: (0..).zip(leaders).map(partition).collect(),
            ..MetadataResponseTopic::default()
        };
        MetadataResponse { topics: vec![topic], ..MetadataResponse::default() }
    }

    #[test]
    fn a_leader_is_not_replaced_by_an_earlier_one() {
        let (one, other) = (Uuid::from_random([1; 16]), Uuid::from_random([2; 16]));
        let mut cluster = Cluster::default();
        cluster.update(answer(one, &[(1, 3), (1, 3)]));
        // From a node that has slept since.
        cluster.update(answer(one, &[(2, 2), (2, 4)]));
        assert_eq!(cluster.leader("t", 0), Some((1, 3)));
        assert_eq!(cluster.leader("t", 1), Some((2, 4)));
        // A topic made anew counts from 0.
        cluster.update(answer(other, &[(3, 0)]));
        assert_eq!(cluster.leader("t", 0), Some((3, 0)));
        assert_eq!(cluster.leader("t", 1), None);
    }
}
