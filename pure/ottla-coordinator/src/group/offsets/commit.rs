//! OffsetCommit: by a member of the group, or by a consumer that manages itself. Stores nothing itself.

use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use ottla_protocol::{ErrorCode, Str};

use crate::command::{Reply, Token};
use crate::group::classic::State;
use crate::group::committed::CommittedOffset;
use crate::group::hard::Hard;
use crate::group::records;
use crate::group::soft::LiveGroups;
use crate::group::step::Step;

/// From this version on a missing group is called so (KIP-848).
const GROUP_ID_NOT_FOUND_VERSION: i16 = 9;
/// No retention of its own: the group's settings count.
const DEFAULT_RETENTION: i64 = -1;

pub(crate) fn commit(
    groups: &mut LiveGroups,
    hard: &Hard,
    step: &mut Step,
    (token, version): (Token, i16),
    request: &OffsetCommitRequest,
) {
    let answer = |topic: &OffsetCommitRequestTopic, code: &dyn Fn(&Partition) -> ErrorCode| {
        let partitions = topic.partitions.iter().map(|partition| OffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: code(partition).code(),
            ..Default::default()
        });
        OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
            ..Default::default()
        }
    };
    let topics = match validate(groups, hard, step, version, request) {
        Err(error) => request.topics.iter().map(|t| answer(t, &|_| error)).collect(),
        Ok(()) => {
            let limit = step.settings.offset_metadata_max;
            append_commits(step, request);
            request.topics.iter().map(|t| answer(t, &|p| metadata_error(p, limit))).collect()
        }
    };
    let response = OffsetCommitResponse { topics, ..Default::default() };
    step.complete(token, Reply::OffsetCommit(response));
}

type Partition = OffsetCommitRequestPartition;

/// A commit also proves that the member is alive.
fn validate(
    groups: &mut LiveGroups,
    hard: &Hard,
    step: &mut Step,
    version: i16,
    request: &OffsetCommitRequest,
) -> Result<(), ErrorCode> {
    let generation = request.generation_id_or_member_epoch;
    let Some(group) = groups.get_or_wake(hard, &request.group_id) else {
        return match generation {
            // A consumer without group management: its group begins with this commit.
            ..0 => Ok(()),
            _ if version >= GROUP_ID_NOT_FOUND_VERSION => Err(ErrorCode::GroupIdNotFound),
            _ => Err(ErrorCode::IllegalGeneration),
        };
    };
    let instance_id = request.group_instance_id.as_ref();
    group.validate_offset_commit(&request.member_id, instance_id, generation)?;
    if matches!(group.state(), State::Stable | State::PreparingRebalance) {
        group.extend_session(step, &request.member_id);
    }
    Ok(())
}

fn append_commits(step: &mut Step, request: &OffsetCommitRequest) {
    let expire_timestamp_ms = match request.retention_time_ms {
        DEFAULT_RETENTION => None,
        retention_ms => Some(step.now.wall_ms.saturating_add(retention_ms)),
    };
    for topic in &request.topics {
        for partition in &topic.partitions {
            if metadata_error(partition, step.settings.offset_metadata_max) != ErrorCode::None {
                continue;
            }
            let offset = CommittedOffset {
                record_offset: -1,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch.max(-1),
                metadata: partition.committed_metadata.clone().unwrap_or_default(),
                commit_timestamp_ms: step.now.wall_ms,
                expire_timestamp_ms,
                topic_id: topic.topic_id,
            };
            let index = partition.partition_index;
            let record = records::offset_commit(&request.group_id, &topic.name, index, &offset);
            step.append(&request.group_id, record);
        }
    }
}

/// Kafka counts the metadata as Java does: in UTF-16 units.
fn metadata_error(partition: &Partition, limit: usize) -> ErrorCode {
    let too_large =
        |metadata: &Str| metadata.len() > limit && metadata.as_str().encode_utf16().count() > limit;
    match &partition.committed_metadata {
        Some(metadata) if too_large(metadata) => ErrorCode::OffsetMetadataTooLarge,
        _ => ErrorCode::None,
    }
}
