//! Topics: create, delete, grow, list.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};
use ottla_protocol::{Str, Uuid};

use super::Admin;
use crate::client::Target;
use crate::cluster::{Cluster, Topic};
use crate::error::{Error, Result};

/// A topic to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub name: Str,
    /// `None`: the broker's `num.partitions`.
    pub partitions: Option<i32>,
    /// `None`: the broker's `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// The replicas of each partition, instead of the two numbers.
    pub assignments: Vec<Vec<i32>>,
    pub configs: Vec<(Str, Str)>,
}

impl NewTopic {
    /// A topic with the broker's defaults.
    pub fn new(name: impl Into<Str>) -> NewTopic {
        NewTopic { name: name.into(), ..NewTopic::default() }
    }

    /// The same with a number of partitions.
    #[must_use]
    pub fn partitions(self, count: i32) -> NewTopic {
        NewTopic { partitions: Some(count), ..self }
    }

    fn to_creatable(&self) -> CreatableTopic {
        let assigned = !self.assignments.is_empty();
        let assignments = (0..).zip(&self.assignments).map(|(partition_index, broker_ids)| {
            CreatableReplicaAssignment {
                partition_index,
                broker_ids: broker_ids.clone(),
                ..CreatableReplicaAssignment::default()
            }
        });
        let configs = self.configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: name.clone(),
            value: Some(value.clone()),
            ..CreatableTopicConfig::default()
        });
        CreatableTopic {
            name: self.name.clone(),
            num_partitions: if assigned { -1 } else { self.partitions.unwrap_or(-1) },
            replication_factor: if assigned { -1 } else { self.replication_factor.unwrap_or(-1) },
            assignments: assignments.collect(),
            configs: configs.collect(),
            ..CreatableTopic::default()
        }
    }
}

impl<E: Env> Admin<E> {
    /// Makes a topic, or with `validate_only` says whether it could be made.
    ///
    /// # Errors
    /// The cluster's answer, such as TOPIC_ALREADY_EXISTS.
    pub async fn create_topic(&self, topic: &NewTopic, validate_only: bool) -> Result<Uuid> {
        let request = CreateTopicsRequest {
            topics: vec![topic.to_creatable()],
            timeout_ms: self.timeout_ms(),
            validate_only,
            ..CreateTopicsRequest::default()
        };
        let doing = || format!("create topic \"{}\"", topic.name);
        let answered = self.client.retry(Target::Controller, &request, |response| {
            let answer = response.topics.iter().find(|answer| answer.name == topic.name);
            let code = answer.map_or(-1, |answer| answer.error_code);
            Error::check(code, doing, answer.and_then(|answer| answer.error_message.as_deref()))
        });
        let response = answered.await?;
        self.client.forget(&topic.name);
        Ok(response.topics.first().map_or(Uuid::ZERO, |answer| answer.topic_id))
    }

    /// Deletes a topic with all its records.
    ///
    /// # Errors
    /// The cluster's answer, such as UNKNOWN_TOPIC_OR_PARTITION.
    pub async fn delete_topic(&self, name: &Str) -> Result<()> {
        let by_state = self.client.version::<DeleteTopicsRequest>(Target::Controller).await? >= 6;
        let state = DeleteTopicState { name: Some(name.clone()), ..DeleteTopicState::default() };
        let request = DeleteTopicsRequest {
            topics: if by_state { vec![state] } else { Vec::new() },
            topic_names: if by_state { Vec::new() } else { vec![name.clone()] },
            timeout_ms: self.timeout_ms(),
            ..DeleteTopicsRequest::default()
        };
        let doing = || format!("delete topic \"{name}\"");
        // An unknown topic does not become known by asking again.
        let response = self.client.call(
            Target::Controller,
            crate::client::Lane::default(),
            &request,
            self.client.options().request_timeout,
        );
        for answer in response.await?.responses {
            Error::check(answer.error_code, doing, answer.error_message.as_deref())?;
        }
        self.client.forget(name);
        Ok(())
    }

    /// Gives a topic more partitions; there is no way back.
    ///
    /// # Errors
    /// The cluster's answer, such as INVALID_PARTITIONS.
    pub async fn create_partitions(
        &self,
        name: &Str,
        count: i32,
        validate_only: bool,
    ) -> Result<()> {
        let topic = CreatePartitionsTopic {
            name: name.clone(),
            count,
            assignments: None,
            ..CreatePartitionsTopic::default()
        };
        let request = CreatePartitionsRequest {
            topics: vec![topic],
            timeout_ms: self.timeout_ms(),
            validate_only,
            ..CreatePartitionsRequest::default()
        };
        let doing = || format!("set the partitions of topic \"{name}\" to {count}");
        let answered = self.client.retry(Target::Controller, &request, |response| {
            let mut results = response.results.iter();
            results.try_for_each(|answer| {
                Error::check(answer.error_code, doing, answer.error_message.as_deref())
            })
        });
        answered.await?;
        self.client.forget(name);
        Ok(())
    }

    /// All topics.
    ///
    /// # Errors
    /// If no broker answers.
    pub async fn list_topics(&self) -> Result<Arc<Cluster>> {
        self.client.metadata(None).await
    }

    /// A topic as it is now.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn describe_topic(&self, name: &Str) -> Result<Topic> {
        self.client.forget(name);
        let cluster = self.client.topics(std::slice::from_ref(name), false).await?;
        let found = cluster.topic(name).cloned();
        found.ok_or_else(|| Error::answer(3, format!("find topic \"{name}\""), None))
    }
}
