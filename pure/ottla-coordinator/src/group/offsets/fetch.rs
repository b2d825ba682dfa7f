//! OffsetFetch: what one group has committed. A group that does not exist has committed nothing.

use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use ottla_protocol::{ErrorCode, Str, Uuid};

use crate::group::committed::CommittedOffset;
use crate::group::hard::Hard;

/// No offset was committed.
const INVALID_OFFSET: i64 = -1;

/// The answer for the asked partitions, or for all the group has. With `require_stable` an offset
/// that an open transaction may replace is held back.
pub(crate) fn fetch(
    hard: &Hard,
    require_stable: bool,
    request: &OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    let group = &request.group_id;
    let committed = hard.offsets().committed();
    let answer = |topic: &Str, index: i32, offset: Option<&CommittedOffset>| {
        if require_stable && hard.offsets().is_pending(group, topic, index) {
            no_offset(index, ErrorCode::UnstableOffsetCommit)
        } else {
            offset.map_or_else(|| no_offset(index, ErrorCode::None), |o| found(index, o))
        }
    };
    let topics = match &request.topics {
        Some(asked) => asked
            .iter()
            .map(|topic| OffsetFetchResponseTopics {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                partitions: topic
                    .partition_indexes
                    .iter()
                    .map(|index| {
                        let offset = committed.get(group, &topic.name, *index);
                        let same = offset.filter(|o| is_same_topic(o.topic_id, topic.topic_id));
                        answer(&topic.name, *index, same)
                    })
                    .collect(),
                ..Default::default()
            })
            .collect(),
        None => committed
            .of_group(group)
            .into_iter()
            .flatten()
            .map(|(name, partitions)| OffsetFetchResponseTopics {
                name: name.clone(),
                topic_id: partitions.values().next().map_or(Uuid::ZERO, |o| o.topic_id),
                partitions: partitions.iter().map(|(i, o)| answer(name, *i, Some(o))).collect(),
                ..Default::default()
            })
            .collect(),
    };
    OffsetFetchResponseGroup { group_id: group.clone(), topics, ..Default::default() }
}

/// An offset of a deleted topic says nothing about its successor of the same name.
fn is_same_topic(committed: Uuid, asked: Uuid) -> bool {
    committed == asked || committed == Uuid::ZERO || asked == Uuid::ZERO
}

fn found(partition_index: i32, offset: &CommittedOffset) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: offset.offset,
        committed_leader_epoch: offset.leader_epoch,
        metadata: Some(offset.metadata.clone()),
        ..Default::default()
    }
}

fn no_offset(partition_index: i32, error: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: INVALID_OFFSET,
        committed_leader_epoch: -1,
        metadata: Some(Str::default()),
        error_code: error.code(),
        ..Default::default()
    }
}
