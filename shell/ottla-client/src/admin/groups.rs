//! Groups: list, describe, offsets, delete.

use std::collections::BTreeMap;

use ottla_env::Env;
use ottla_protocol::messages::consumer_protocol_assignment::TopicPartition as Assigned;
use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::{
    ConsumerProtocolAssignment, DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest,
    OffsetDeleteRequest,
};
use ottla_protocol::{Decoder, ErrorCode, Message, Str};

use super::Admin;
use crate::client::{CoordinatorKind, Lane, Target};
use crate::error::{Error, Result};
use crate::offsets::{self, Committed, Committer};
use crate::topic_partition::TopicPartition;

/// A group as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    pub group: Str,
    pub protocol_type: Str,
    /// Empty where the broker is too old to tell.
    pub state: Str,
    /// "classic", "consumer", "share"...; empty where the broker is too old to tell.
    pub kind: Str,
    pub coordinator: i32,
}

/// A group in detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    pub group: Str,
    pub state: Str,
    pub protocol_type: Str,
    /// The assignor in use.
    pub protocol: Str,
    pub coordinator: i32,
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    pub member_id: Str,
    pub instance_id: Option<Str>,
    pub client_id: Str,
    pub host: Str,
    pub assignment: Vec<TopicPartition>,
}

impl<E: Env> Admin<E> {
    /// All groups, asked of every broker.
    ///
    /// # Errors
    /// If a broker does not answer: the list would not be whole.
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>> {
        let cluster = self.client.metadata(Some(&[])).await?;
        let mut found = Vec::new();
        for broker in cluster.brokers.keys() {
            let request = ListGroupsRequest::default();
            let doing = || "list groups".to_owned();
            let answered = self.client.retry(Target::Broker(*broker), &request, |response| {
                Error::check(response.error_code, doing, None)
            });
            found.extend(answered.await?.groups.into_iter().map(|listed| GroupListing {
                group: listed.group_id,
                protocol_type: listed.protocol_type,
                state: listed.group_state,
                kind: listed.group_type,
                coordinator: *broker,
            }));
        }
        found.sort_by(|one, other| one.group.cmp(&other.group));
        Ok(found)
    }

    /// A group and its members. One that is not there is described as "Dead" by older brokers.
    ///
    /// # Errors
    /// The coordinator's answer.
    pub async fn describe_group(&self, group: &Str) -> Result<GroupDescription> {
        let request = DescribeGroupsRequest {
            groups: vec![group.clone()],
            ..DescribeGroupsRequest::default()
        };
        let doing = || format!("describe group \"{group}\"");
        let kind = CoordinatorKind::Group;
        let answered = self.client.retry_coordinator(kind, group, &request, |response| {
            let described = response.groups.first();
            let message = described.and_then(|described| described.error_message.as_deref());
            Error::check(described.map_or(-1, |described| described.error_code), doing, message)
        });
        let (response, coordinator) = answered.await?;
        let described = response.groups.into_iter().next();
        let described = described.ok_or_else(|| Error::answer(-1, doing(), None))?;
        Ok(description(described, coordinator))
    }

    /// What a group has committed, in all its partitions.
    ///
    /// # Errors
    /// The coordinator's answer.
    pub async fn group_offsets(&self, group: &Str) -> Result<BTreeMap<TopicPartition, Committed>> {
        offsets::committed(&self.client, group, None).await
    }

    /// Sets a group's offsets. The group must have no members.
    ///
    /// # Errors
    /// The coordinator's answer, such as UNKNOWN_MEMBER_ID for a group that has members.
    pub async fn set_group_offsets(
        &self,
        group: &Str,
        to: &BTreeMap<TopicPartition, i64>,
    ) -> Result<()> {
        let committed = to.iter().map(|(partition, offset)| {
            let place = Committed { offset: *offset, leader_epoch: -1, metadata: Str::default() };
            (partition.clone(), place)
        });
        let committed: BTreeMap<_, _> = committed.collect();
        let nobody = Committer::default();
        let mut backoff = self.client.backoff();
        loop {
            let lane = Lane::default();
            match offsets::commit(&self.client, group, lane, &nobody, &committed).await {
                Ok(()) => return Ok(()),
                Err(Error::Answer { code: ErrorCode::UnknownMemberId, doing, .. }) => {
                    let code = ErrorCode::NonEmptyGroup;
                    return Err(Error::Answer { code, doing, message: None });
                }
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    /// Forgets a group's offsets in some partitions.
    ///
    /// # Errors
    /// The coordinator's answer, such as GROUP_SUBSCRIBED_TO_TOPIC.
    pub async fn delete_group_offsets(
        &self,
        group: &Str,
        partitions: &[TopicPartition],
    ) -> Result<()> {
        let topic = |(name, indexes): (Str, Vec<i32>)| OffsetDeleteRequestTopic {
            name,
            partitions: indexes
                .into_iter()
                .map(|partition_index| OffsetDeleteRequestPartition { partition_index })
                .collect(),
        };
        let request = OffsetDeleteRequest {
            group_id: group.clone(),
            topics: offsets::group_by_topic(partitions).into_iter().map(topic).collect(),
        };
        let doing = || format!("delete offsets of group \"{group}\"");
        let kind = CoordinatorKind::Group;
        let answered = self.client.retry_coordinator(kind, group, &request, |response| {
            Error::check(response.error_code, doing, None)?;
            let mut answers = response.topics.iter().flat_map(|topic| &topic.partitions);
            answers.try_for_each(|answer| Error::check(answer.error_code, doing, None))
        });
        answered.await.map(|_| ())
    }

    /// Deletes a group with its offsets. It must have no members.
    ///
    /// # Errors
    /// The coordinator's answer, such as NON_EMPTY_GROUP or GROUP_ID_NOT_FOUND.
    pub async fn delete_group(&self, group: &Str) -> Result<()> {
        let request = DeleteGroupsRequest {
            groups_names: vec![group.clone()],
            ..DeleteGroupsRequest::default()
        };
        let doing = || format!("delete group \"{group}\"");
        let kind = CoordinatorKind::Group;
        let answered = self.client.retry_coordinator(kind, group, &request, |response| {
            let mut results = response.results.iter();
            results.try_for_each(|answer| Error::check(answer.error_code, doing, None))
        });
        answered.await.map(|_| ())
    }
}

fn description(described: DescribedGroup, coordinator: i32) -> GroupDescription {
    let consumers = described.protocol_type == "consumer";
    let members = described.members.into_iter().map(|member| GroupMember {
        member_id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        host: member.client_host,
        assignment: if consumers { assigned(member.member_assignment) } else { Vec::new() },
    });
    GroupDescription {
        group: described.group_id,
        state: described.group_state,
        protocol_type: described.protocol_type,
        protocol: described.protocol_data,
        coordinator,
        members: members.collect(),
    }
}

/// The partitions in a member's assignment; none if it is not one that this client understands.
fn assigned(bytes: bytes::Bytes) -> Vec<TopicPartition> {
    let mut decoder = Decoder::new(bytes);
    let Ok(version) = decoder.i16("assignment version") else { return Vec::new() };
    let version = version.clamp(0, *ConsumerProtocolAssignment::VERSIONS.end());
    let Ok(assignment) = ConsumerProtocolAssignment::decode(&mut decoder, version) else {
        return Vec::new();
    };
    let flatten = |topic: Assigned| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |index| TopicPartition::new(name.clone(), index))
    };
    assignment.assigned_partitions.into_iter().flat_map(flatten).collect()
}
