//! Offsets of partitions (earliest, latest, by time) and of groups (committed).

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_env::Env;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::{
    ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest, OffsetFetchResponse,
};
use ottla_protocol::{ErrorCode, Str};

use crate::client::{Client, CoordinatorKind, Lane, Target};
use crate::error::{Error, Result};
use crate::topic_partition::TopicPartition;

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    Earliest,
    /// The end: the high watermark, or the last stable offset for who reads committed.
    Latest,
    /// Of the record with the largest timestamp.
    MaxTimestamp,
    /// Of the first record at or after this time, in milliseconds since 1970.
    Timestamp(i64),
}

/// What a reader sees of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    #[default]
    ReadUncommitted,
    ReadCommitted,
}

/// An offset that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundOffset {
    /// -1 if there is no such record.
    pub offset: i64,
    pub timestamp: i64,
    pub leader_epoch: i32,
}

/// A group's place in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: Str,
}

/// Who commits: nobody in particular, or a member of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committer {
    pub generation: i32,
    pub member_id: Str,
    pub instance_id: Option<Str>,
}

impl Default for Committer {
    fn default() -> Committer {
        Committer { generation: -1, member_id: Str::default(), instance_id: None }
    }
}

impl OffsetSpec {
    fn code(self) -> i64 {
        match self {
            OffsetSpec::Earliest => -2,
            OffsetSpec::Latest => -1,
            OffsetSpec::MaxTimestamp => -3,
            OffsetSpec::Timestamp(ms) => ms,
        }
    }
}

impl Isolation {
    pub(crate) fn code(self) -> i8 {
        match self {
            Isolation::ReadUncommitted => 0,
            Isolation::ReadCommitted => 1,
        }
    }
}

/// The offsets of partitions, each from its leader, retried until all are found.
pub(crate) async fn list<E: Env>(
    client: &Client<E>,
    wanted: &[(TopicPartition, OffsetSpec)],
    isolation: Isolation,
) -> Result<BTreeMap<TopicPartition, FoundOffset>> {
    let mut found = BTreeMap::new();
    let mut backoff = client.backoff();
    loop {
        let missing: Vec<_> = wanted
            .iter()
            .filter(|(partition, _)| !found.contains_key(partition))
            .cloned()
            .collect();
        if missing.is_empty() {
            return Ok(found);
        }
        if let Err(error) = list_once(client, &missing, isolation, &mut found).await {
            missing.iter().for_each(|(partition, _)| client.forget(&partition.topic));
            backoff.wait(error).await?;
        }
    }
}

async fn list_once<E: Env>(
    client: &Client<E>,
    wanted: &[(TopicPartition, OffsetSpec)],
    isolation: Isolation,
    found: &mut BTreeMap<TopicPartition, FoundOffset>,
) -> Result<()> {
    let by_leader = by_leader(client, wanted).await?;
    for (leader, topics) in by_leader {
        let topics = topics.into_iter();
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: isolation.code(),
            topics: topics
                .map(|(name, partitions)| ListOffsetsTopic {
                    name,
                    partitions,
                    ..ListOffsetsTopic::default()
                })
                .collect(),
            timeout_ms: i32::try_from(client.options().request_timeout.as_millis())
                .unwrap_or(i32::MAX),
            ..ListOffsetsRequest::default()
        };
        let target = Target::Broker(leader);
        let response = client.call(target, Lane::default(), &request, Duration::ZERO).await?;
        for topic in response.topics {
            for answer in topic.partitions {
                let partition = TopicPartition::new(topic.name.clone(), answer.partition_index);
                let doing = || format!("find an offset of {partition}");
                Error::check(answer.error_code, doing, None)?;
                found.entry(partition).or_insert(FoundOffset {
                    offset: answer.offset,
                    timestamp: answer.timestamp,
                    leader_epoch: answer.leader_epoch,
                });
            }
        }
    }
    Ok(())
}

type ByLeader = BTreeMap<i32, BTreeMap<Str, Vec<ListOffsetsPartition>>>;

async fn by_leader<E: Env>(
    client: &Client<E>,
    wanted: &[(TopicPartition, OffsetSpec)],
) -> Result<ByLeader> {
    let mut names: Vec<Str> = wanted.iter().map(|(partition, _)| partition.topic.clone()).collect();
    names.dedup();
    let cluster = client.topics(&names, false).await?;
    let mut by_leader = ByLeader::new();
    for (partition, spec) in wanted {
        let known = cluster.topic(&partition.topic).and_then(|t| t.partition(partition.partition));
        if known.is_none() {
            let text = format!("\"{}\" has no partition {}", partition.topic, partition.partition);
            return Err(Error::Invalid(text));
        }
        let leader = cluster.leader(&partition.topic, partition.partition);
        let Some((leader, _)) = leader else {
            let doing = format!("find an offset of {partition}");
            return Err(Error::Answer {
                code: ErrorCode::LeaderNotAvailable,
                doing,
                message: None,
            });
        };
        let topics = by_leader.entry(leader).or_default();
        topics.entry(partition.topic.clone()).or_default().push(ListOffsetsPartition {
            partition_index: partition.partition,
            current_leader_epoch: -1,
            timestamp: spec.code(),
            max_num_offsets: 1,
            ..ListOffsetsPartition::default()
        });
    }
    Ok(by_leader)
}

/// What a group has committed: in these partitions, or in all with `None`. Partitions without a
/// commit are left out.
pub(crate) async fn committed<E: Env>(
    client: &Client<E>,
    group: &Str,
    partitions: Option<&[TopicPartition]>,
) -> Result<BTreeMap<TopicPartition, Committed>> {
    let mut backoff = client.backoff();
    loop {
        match committed_once(client, group, partitions).await {
            Ok(found) => return Ok(found),
            Err(error) => backoff.wait(error).await?,
        }
    }
}

async fn committed_once<E: Env>(
    client: &Client<E>,
    group: &Str,
    partitions: Option<&[TopicPartition]>,
) -> Result<BTreeMap<TopicPartition, Committed>> {
    let coordinator = client.coordinator(CoordinatorKind::Group, group).await?;
    let target = Target::Broker(coordinator);
    let grouped = partitions.map(group_by_topic);
    let mut request = OffsetFetchRequest::default();
    if client.version::<OffsetFetchRequest>(target).await? >= 8 {
        let topic = |(name, partition_indexes): (Str, Vec<i32>)| OffsetFetchRequestTopics {
            name,
            partition_indexes,
            ..OffsetFetchRequestTopics::default()
        };
        request.groups = vec![OffsetFetchRequestGroup {
            group_id: group.clone(),
            member_epoch: -1,
            topics: grouped.map(|topics| topics.into_iter().map(topic).collect()),
            ..OffsetFetchRequestGroup::default()
        }];
    } else {
        let topic = |(name, partition_indexes): (Str, Vec<i32>)| OffsetFetchRequestTopic {
            name,
            partition_indexes,
            ..OffsetFetchRequestTopic::default()
        };
        request.group_id = group.clone();
        request.topics = grouped.map(|topics| topics.into_iter().map(topic).collect());
    }
    let response = client.call(target, Lane::default(), &request, Duration::ZERO).await?;
    committed_in(response, group)
}

fn committed_in(
    response: OffsetFetchResponse,
    group: &Str,
) -> Result<BTreeMap<TopicPartition, Committed>> {
    let doing = || format!("read the offsets of group \"{group}\"");
    Error::check(response.error_code, doing, None)?;
    let mut found = BTreeMap::new();
    let mut add = |topic: &Str, index, code, offset, leader_epoch, metadata: Option<Str>| {
        Error::check(code, doing, None)?;
        if offset >= 0 {
            let metadata = metadata.unwrap_or_default();
            let key = TopicPartition::new(topic.clone(), index);
            found.insert(key, Committed { offset, leader_epoch, metadata });
        }
        Ok::<(), Error>(())
    };
    for topic in response.topics {
        for p in topic.partitions {
            let (offset, epoch) = (p.committed_offset, p.committed_leader_epoch);
            add(&topic.name, p.partition_index, p.error_code, offset, epoch, p.metadata)?;
        }
    }
    for answered in response.groups {
        Error::check(answered.error_code, doing, None)?;
        for topic in answered.topics {
            for p in topic.partitions {
                let (offset, epoch) = (p.committed_offset, p.committed_leader_epoch);
                add(&topic.name, p.partition_index, p.error_code, offset, epoch, p.metadata)?;
            }
        }
    }
    Ok(found)
}

/// Commits offsets once; the coordinator may have moved (retriable).
pub(crate) async fn commit<E: Env>(
    client: &Client<E>,
    group: &Str,
    lane: Lane,
    committer: &Committer,
    offsets: &BTreeMap<TopicPartition, Committed>,
) -> Result<()> {
    let coordinator = client.coordinator(CoordinatorKind::Group, group).await?;
    let mut topics: BTreeMap<Str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (partition, committed) in offsets {
        topics.entry(partition.topic.clone()).or_default().push(OffsetCommitRequestPartition {
            partition_index: partition.partition,
            committed_offset: committed.offset,
            committed_leader_epoch: committed.leader_epoch,
            committed_metadata: Some(committed.metadata.clone()),
            ..OffsetCommitRequestPartition::default()
        });
    }
    let topics = topics.into_iter();
    let request = OffsetCommitRequest {
        group_id: group.clone(),
        generation_id_or_member_epoch: committer.generation,
        member_id: committer.member_id.clone(),
        group_instance_id: committer.instance_id.clone(),
        topics: topics
            .map(|(name, partitions)| OffsetCommitRequestTopic {
                name,
                partitions,
                ..OffsetCommitRequestTopic::default()
            })
            .collect(),
        ..OffsetCommitRequest::default()
    };
    let response = client.call(Target::Broker(coordinator), lane, &request, Duration::ZERO).await?;
    for topic in response.topics {
        for answer in topic.partitions {
            let doing = || {
                format!("commit {}-{} for group \"{group}\"", topic.name, answer.partition_index)
            };
            Error::check(answer.error_code, doing, None)?;
        }
    }
    Ok(())
}

/// Partition numbers by topic.
pub(crate) fn group_by_topic(partitions: &[TopicPartition]) -> BTreeMap<Str, Vec<i32>> {
    let mut grouped: BTreeMap<Str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        grouped.entry(partition.topic.clone()).or_default().push(partition.partition);
    }
    grouped
}
