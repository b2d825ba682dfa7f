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
    /// Takes in an answer: brokers anew, the topics in it replaced, all others kept.
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
            if let Some(topic) = Topic::from_response(topic) {
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
