//! Where partitions are: moves of replicas (KIP-455), elections of leaders (KIP-460).

use std::collections::BTreeMap;

use ottla_env::Env;
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::elect_leaders_request::TopicPartitions;
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, ElectLeadersRequest, ListPartitionReassignmentsRequest,
};
use ottla_protocol::{ErrorCode, Str};

use super::Admin;
use crate::client::Target;
use crate::error::{Error, Result};
use crate::offsets::group_by_topic;
use crate::topic_partition::TopicPartition;

/// A partition whose replicas are being moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// All that there are meanwhile.
    pub replicas: Vec<i32>,
    pub adding: Vec<i32>,
    pub removing: Vec<i32>,
}

/// Who may become leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// The first of the replicas, if it is in sync.
    Preferred,
    /// Any replica, where none that is in sync is left: records may be lost.
    Unclean,
}

/// What became of each partition.
pub type Fates = BTreeMap<TopicPartition, Result<()>>;

impl<E: Env> Admin<E> {
    /// Begins to move replicas; `None` takes back a move that has not ended. Answers once the
    /// controller has taken the moves in, long before they end.
    ///
    /// # Errors
    /// The controller's answer to the whole; what is wrong with one partition is among the fates.
    pub async fn alter_reassignments(
        &self,
        moves: &BTreeMap<TopicPartition, Option<Vec<i32>>>,
    ) -> Result<Fates> {
        let mut topics: BTreeMap<Str, Vec<ReassignablePartition>> = BTreeMap::new();
        for (partition, replicas) in moves {
            topics.entry(partition.topic.clone()).or_default().push(ReassignablePartition {
                partition_index: partition.partition,
                replicas: replicas.clone(),
                ..ReassignablePartition::default()
            });
        }
        let topic = |(name, partitions)| ReassignableTopic {
            name,
            partitions,
            ..ReassignableTopic::default()
        };
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: self.timeout_ms(),
            topics: topics.into_iter().map(topic).collect(),
            ..AlterPartitionReassignmentsRequest::default()
        };
        let answered = self.client.retry(Target::Controller, &request, |response| {
            let message = response.error_message.as_deref();
            Error::check(response.error_code, || "move replicas".to_owned(), message)
        });
        let mut fates = Fates::new();
        for topic in answered.await?.responses {
            for answer in topic.partitions {
                let partition = TopicPartition::new(topic.name.clone(), answer.partition_index);
                let doing = || format!("move the replicas of {partition}");
                let fate = Error::check(answer.error_code, doing, answer.error_message.as_deref());
                fates.insert(partition, fate);
            }
        }
        Ok(fates)
    }

    /// The moves that have not ended.
    ///
    /// # Errors
    /// If the controller does not answer.
    pub async fn list_reassignments(&self) -> Result<BTreeMap<TopicPartition, Reassignment>> {
        let request = ListPartitionReassignmentsRequest {
            timeout_ms: self.timeout_ms(),
            topics: None,
            ..ListPartitionReassignmentsRequest::default()
        };
        let answered = self.client.retry(Target::Controller, &request, |response| {
            let message = response.error_message.as_deref();
            Error::check(response.error_code, || "list moves of replicas".to_owned(), message)
        });
        let mut found = BTreeMap::new();
        for topic in answered.await?.topics {
            for partition in topic.partitions {
                let key = TopicPartition::new(topic.name.clone(), partition.partition_index);
                let (adding, removing) = (partition.adding_replicas, partition.removing_replicas);
                let replicas = partition.replicas;
                found.insert(key, Reassignment { replicas, adding, removing });
            }
        }
        Ok(found)
    }

    /// Elects leaders of these partitions, or with `None` of all that need it. A partition that is
    /// led as it should be counts as done.
    ///
    /// # Errors
    /// The controller's answer to the whole; what is wrong with one partition is among the fates.
    pub async fn elect_leaders(
        &self,
        election: Election,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Fates> {
        let topic = |(topic, partitions)| TopicPartitions {
            topic,
            partitions,
            ..TopicPartitions::default()
        };
        let topic_partitions = partitions.map(group_by_topic);
        let request = ElectLeadersRequest {
            election_type: match election {
                Election::Preferred => 0,
                Election::Unclean => 1,
            },
            topic_partitions: topic_partitions.map(|all| all.into_iter().map(topic).collect()),
            timeout_ms: self.timeout_ms(),
            ..ElectLeadersRequest::default()
        };
        let answered = self.client.retry(Target::Controller, &request, |response| {
            Error::check(response.error_code, || "elect leaders".to_owned(), None)
        });
        let mut fates = Fates::new();
        for topic in answered.await?.replica_election_results {
            for answer in topic.partition_result {
                let partition = TopicPartition::new(topic.topic.clone(), answer.partition_id);
                let doing = || format!("elect a leader of {partition}");
                let code = match answer.error_code == ErrorCode::ElectionNotNeeded.code() {
                    true => 0,
                    false => answer.error_code,
                };
                let fate = Error::check(code, doing, answer.error_message.as_deref());
                fates.insert(partition, fate);
            }
        }
        Ok(fates)
    }
}
