//! AlterPartition, versions 2 and 3: the leader of a partition says who is in sync with it. It is the
//! only one that may, and only for brokers that are up, in the life the leader heard of (KIP-903).

use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::alter_partition_request::PartitionData as AskedPartition;
use ottla_protocol::messages::alter_partition_response::{PartitionData, TopicData};
use ottla_protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};

use super::heartbeat;
use super::leaders::{Leaders, Rules};
use super::partition_change::PartitionChange;
use super::{Decision, Reply, Soft};
use crate::image::{
    Broker, MetadataImage, NO_LEADER_CHANGE, Partition, PartitionId, RECOVERED, RECOVERING,
};
use crate::record::MetadataRecord;

/// The first version that tells the epochs of the brokers in the ISR.
const VERSION_WITH_EPOCHS: i16 = 3;
/// In place of a broker's epoch: the leader does not know it.
const ANY_EPOCH: i64 = -1;

/// One broker of the ISR that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    id: i32,
    epoch: i64,
}

pub(super) fn alter(
    image: &MetadataImage,
    soft: &Soft,
    request: &AlterPartitionRequest,
    version: i16,
) -> Decision {
    let leader = request.broker_id;
    if let Err(refusal) = heartbeat::registered(image, leader, request.broker_epoch) {
        let response =
            AlterPartitionResponse { error_code: refusal.code.code(), ..Default::default() };
        return Decision::answer(Reply::AlterPartition(response));
    }
    let mut records = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in &request.topics {
        let topic = image.topics.by_id(asked.topic_id).filter(|_| !asked.topic_id.is_zero());
        let rules = topic.map(|topic| Rules::of(image, soft, topic));
        let answers = asked.partitions.iter().map(|wanted| {
            let index = wanted.partition_index;
            let outcome = match (topic, rules) {
                (Some(topic), Some(rules)) => {
                    let id = PartitionId { topic_id: topic.id, partition: index };
                    let partition = topic.partitions.get(&index).map(|p| &**p);
                    decide(image, leader, id, partition, rules, wanted, version, &mut records)
                }
                _ => Err(ErrorCode::UnknownTopicId),
            };
            answer(index, outcome)
        });
        let partitions = answers.collect();
        topics.push(TopicData { topic_id: asked.topic_id, partitions, ..Default::default() });
    }
    let response = AlterPartitionResponse { topics, ..Default::default() };
    Decision { records, reply: Reply::AlterPartition(response) }
}

fn answer(partition_index: i32, outcome: Result<Partition, ErrorCode>) -> PartitionData {
    match outcome {
        Ok(now) => PartitionData {
            partition_index,
            leader_id: now.leader,
            leader_epoch: now.leader_epoch,
            isr: now.isr.to_vec(),
            leader_recovery_state: now.leader_recovery_state,
            partition_epoch: now.partition_epoch,
            ..Default::default()
        },
        Err(code) => {
            PartitionData { partition_index, error_code: code.code(), ..Default::default() }
        }
    }
}

/// What the partition becomes, or why it stays.
#[expect(clippy::too_many_arguments, reason = "one call, from the loop above")]
fn decide(
    image: &MetadataImage,
    leader: i32,
    id: PartitionId,
    partition: Option<&Partition>,
    rules: Rules,
    wanted: &AskedPartition,
    version: i16,
    records: &mut Vec<MetadataRecord>,
) -> Result<Partition, ErrorCode> {
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let members = members(wanted, version);
    check(image, leader, partition, wanted, &members)?;
    let leaders = Leaders::of(image);
    let mut change = PartitionChange::new(partition, id, rules)
        .election_by_rules()
        .isr(members.iter().map(|member| member.id).collect())
        .leader_recovery_state(wanted.leader_recovery_state);
    for new in members.iter().filter(|member| !partition.isr.contains(&member.id)) {
        // It has every record in the directory it has now, so it may lead from there.
        if let Some(only) = leaders.replaced_directory(partition, new.id) {
            change = change.directory(new.id, only);
        }
    }
    let Some(change) = change.build(&leaders) else { return Ok(partition.clone()) };
    let next = partition.merged(&change);
    let moves = change.leader != leader && change.leader != NO_LEADER_CHANGE;
    records.push(change.into());
    // The ISR completed a reassignment, and that ended the leadership: done, but not for the asker.
    if moves { Err(ErrorCode::NewLeaderElected) } else { Ok(next) }
}

fn members(wanted: &AskedPartition, version: i16) -> Vec<Member> {
    if version >= VERSION_WITH_EPOCHS {
        let members = wanted.new_isr_with_epochs.iter();
        members.map(|state| Member { id: state.broker_id, epoch: state.broker_epoch }).collect()
    } else {
        wanted.new_isr.iter().map(|id| Member { id: *id, epoch: ANY_EPOCH }).collect()
    }
}

/// The table of Kafka's controller, in its order.
fn check(
    image: &MetadataImage,
    leader: i32,
    partition: &Partition,
    wanted: &AskedPartition,
    members: &[Member],
) -> Result<(), ErrorCode> {
    // Epochs of the future: somebody else is the controller now.
    if wanted.leader_epoch > partition.leader_epoch
        || wanted.partition_epoch > partition.partition_epoch
    {
        return Err(ErrorCode::NotController);
    }
    if wanted.leader_epoch < partition.leader_epoch {
        return Err(ErrorCode::FencedLeaderEpoch);
    }
    if partition.leader != leader {
        return Err(ErrorCode::InvalidRequest);
    }
    if wanted.partition_epoch < partition.partition_epoch {
        return Err(ErrorCode::InvalidUpdateVersion);
    }
    let ids: Vec<i32> = members.iter().map(|member| member.id).collect();
    let is_replica_once =
        |(at, id): (usize, &i32)| partition.replicas.contains(id) && !ids[..at].contains(id);
    let is_isr = !ids.is_empty() && ids.iter().enumerate().all(is_replica_once);
    let recovers = wanted.leader_recovery_state == RECOVERING;
    if !is_isr
        || !ids.contains(&leader)
        || !matches!(wanted.leader_recovery_state, RECOVERED | RECOVERING)
        || (recovers && ids.len() > 1)
        || (recovers && partition.leader_recovery_state == RECOVERED)
    {
        return Err(ErrorCode::InvalidRequest);
    }
    match members.iter().all(|member| is_eligible(image.brokers.get(member.id), *member)) {
        true => Ok(()),
        false => Err(ErrorCode::IneligibleReplica),
    }
}

fn is_eligible(broker: Option<&Broker>, member: Member) -> bool {
    broker.is_some_and(|broker| {
        let is_up = broker.is_active() || planted(Plant::FencedReplicaAdmitted);
        let is_it = member.epoch == ANY_EPOCH || member.epoch == broker.epoch;
        is_up && (is_it || planted(Plant::FormerLifeAdmitted))
    })
}
