//! The cluster itself: its brokers and its metadata quorum.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use ottla_protocol::messages::describe_quorum_response::{Listener, ReplicaState};
use ottla_protocol::messages::{
    DescribeClusterRequest, DescribeQuorumRequest, RemoveRaftVoterRequest, UnregisterBrokerRequest,
};
use ottla_protocol::{Str, Uuid};

use super::Admin;
use crate::client::Target;
use crate::cluster::Cluster;
use crate::error::{Error, Result};

/// The cluster's nodes, those too that are not serving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    pub cluster_id: Str,
    pub brokers: Vec<BrokerListing>,
}

/// A broker that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerListing {
    pub id: i32,
    pub host: Str,
    pub port: i32,
    pub rack: Option<Str>,
    /// It does not serve: it is down, or not ready yet.
    pub fenced: bool,
}

/// The metadata quorum, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub high_watermark: i64,
    pub voters: Vec<QuorumReplica>,
    pub observers: Vec<QuorumReplica>,
    /// "host:port" of each controller's listeners, where the leader is new enough to tell.
    pub addresses: BTreeMap<i32, Vec<String>>,
}

/// How far a node has read the metadata log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumReplica {
    pub id: i32,
    pub directory_id: Uuid,
    /// -1 if it is not known.
    pub log_end_offset: i64,
    /// In milliseconds since 1970; -1 if it is not known.
    pub last_caught_up_ms: i64,
}

/// The log of the cluster's metadata.
const METADATA_TOPIC: &str = "__cluster_metadata";

impl<E: Env> Admin<E> {
    /// Brokers, controller and id of the cluster; its topics are as last heard of.
    ///
    /// # Errors
    /// If no broker answers.
    pub async fn describe_cluster(&self) -> Result<Arc<Cluster>> {
        self.client.metadata(Some(&[])).await
    }

    /// All registered brokers, with those that do not serve.
    ///
    /// # Errors
    /// If no broker answers.
    pub async fn describe_brokers(&self) -> Result<ClusterDescription> {
        // Before version 2 only brokers that serve are told.
        let include_fenced_brokers = self.client.version::<DescribeClusterRequest>(Target::Any);
        let include_fenced_brokers = include_fenced_brokers.await? >= 2;
        let request = DescribeClusterRequest { include_fenced_brokers, ..Default::default() };
        let answered = self.client.retry(Target::Any, &request, |response| {
            let message = response.error_message.as_deref();
            Error::check(response.error_code, || "describe the cluster".to_owned(), message)
        });
        let response = answered.await?;
        let mut brokers: Vec<BrokerListing> = response
            .brokers
            .into_iter()
            .map(|broker| BrokerListing {
                id: broker.broker_id,
                host: broker.host,
                port: broker.port,
                rack: broker.rack,
                fenced: broker.is_fenced,
            })
            .collect();
        brokers.sort_by_key(|broker| broker.id);
        Ok(ClusterDescription { cluster_id: response.cluster_id, brokers })
    }

    /// The metadata quorum.
    ///
    /// # Errors
    /// If there is no leader, or nobody answers.
    pub async fn describe_quorum(&self) -> Result<Quorum> {
        let partition = PartitionData { partition_index: 0, ..PartitionData::default() };
        let topic = TopicData {
            topic_name: Str::from_static(METADATA_TOPIC),
            partitions: vec![partition],
            ..TopicData::default()
        };
        let request = DescribeQuorumRequest { topics: vec![topic], ..Default::default() };
        let doing = || "describe the metadata quorum".to_owned();
        let answered = self.client.retry(Target::Any, &request, |response| {
            Error::check(response.error_code, doing, response.error_message.as_deref())?;
            let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            partitions.try_for_each(|partition| {
                Error::check(partition.error_code, doing, partition.error_message.as_deref())
            })
        });
        let response = answered.await?;
        let mut partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
        let partition = partitions.next().ok_or_else(|| Error::answer(-1, doing(), None))?;
        let nodes = response.nodes.into_iter();
        Ok(Quorum {
            leader_id: partition.leader_id,
            leader_epoch: partition.leader_epoch,
            high_watermark: partition.high_watermark,
            voters: partition.current_voters.into_iter().map(replica).collect(),
            observers: partition.observers.into_iter().map(replica).collect(),
            addresses: nodes
                .map(|node| (node.node_id, node.listeners.iter().map(address).collect()))
                .collect(),
        })
    }

    /// Takes a voter out of the metadata quorum (KIP-853); when this returns the others have agreed on it.
    ///
    /// # Errors
    /// The quorum's answer: UNSUPPORTED_VERSION while `kraft.version` is 0, VOTER_NOT_FOUND.
    pub async fn remove_voter(&self, id: i32, directory_id: Uuid) -> Result<()> {
        let request = RemoveRaftVoterRequest {
            cluster_id: None,
            voter_id: id,
            voter_directory_id: directory_id,
            ..RemoveRaftVoterRequest::default()
        };
        let answered = self.client.retry(Target::Controller, &request, |response| {
            let message = response.error_message.as_deref();
            Error::check(response.error_code, || format!("remove voter {id}"), message)
        });
        answered.await.map(|_| ())
    }

    /// Forgets a broker that is down for good. One that still holds replicas stays in their lists.
    ///
    /// # Errors
    /// The controller's answer, such as BROKER_ID_NOT_REGISTERED.
    pub async fn unregister_broker(&self, id: i32) -> Result<()> {
        let request = UnregisterBrokerRequest { broker_id: id, ..Default::default() };
        let answered = self.client.retry(Target::Controller, &request, |response| {
            let message = response.error_message.as_deref();
            Error::check(response.error_code, || format!("unregister broker {id}"), message)
        });
        answered.await.map(|_| ())
    }
}

fn replica(state: ReplicaState) -> QuorumReplica {
    QuorumReplica {
        id: state.replica_id,
        directory_id: state.replica_directory_id,
        log_end_offset: state.log_end_offset,
        last_caught_up_ms: state.last_caught_up_timestamp,
    }
}

fn address(listener: &Listener) -> String {
    match listener.host.contains(':') {
        true => format!("[{}]:{}", listener.host, listener.port),
        false => format!("{}:{}", listener.host, listener.port),
    }
}
