//! OffsetDelete, and what goes with a deleted group or topic. Only tombstones come out.

use std::collections::BTreeSet;

use ottla_plant::{Plant, planted};
use ottla_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use ottla_protocol::{ErrorCode, Str, Uuid};

use crate::group::classic::State;
use crate::group::hard::Hard;
use crate::group::records;
use crate::group::soft::LiveGroups;
use crate::group::step::Step;

/// Offsets of topics that the group is subscribed to stay.
pub(crate) fn delete(
    groups: &mut LiveGroups,
    hard: &Hard,
    step: &mut Step,
    request: &OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let Some(group) = groups.get_or_wake(hard, &request.group_id) else {
        return failed(ErrorCode::GroupIdNotFound);
    };
    if group.state() != State::Empty && !group.uses_consumer_protocol() {
        // What its members are subscribed to cannot be known.
        return failed(ErrorCode::NonEmptyGroup);
    }
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let subscribed = group.is_subscribed_to(&topic.name);
        let error = if subscribed { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None };
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let index = partition.partition_index;
            if !subscribed && has_offset(hard, &request.group_id, &topic.name, index) {
                let record = records::offset_tombstone(&request.group_id, &topic.name, index);
                step.append(&request.group_id, record);
            }
            partitions.push(OffsetDeleteResponsePartition {
                partition_index: index,
                error_code: error.code(),
            });
        }
        let name = topic.name.clone();
        topics.push(OffsetDeleteResponseTopic { name, partitions });
    }
    OffsetDeleteResponse { topics, ..Default::default() }
}

/// Every offset of a group that is about to be deleted, once.
pub(crate) fn delete_all(hard: &Hard, step: &mut Step, group: &Str) {
    let mut keys = BTreeSet::new();
    let committed = hard.offsets().committed().of_group(group);
    for topics in committed.into_iter().chain(hard.offsets().pending_of_group(group)) {
        for (topic, partitions) in topics {
            keys.extend(partitions.keys().map(|index| (topic, *index)));
        }
    }
    for (topic, index) in keys {
        step.append(group, records::offset_tombstone(group, topic, index));
    }
}

/// The topics are gone: so is what any group committed for them.
pub(crate) fn topics_deleted(hard: &Hard, step: &mut Step, topics: &[(Str, Uuid)]) {
    if planted(Plant::OffsetsOfDeletedTopicStay) {
        return;
    }
    let mut keys = BTreeSet::new();
    let stores = std::iter::once(hard.offsets().committed()).chain(hard.offsets().pending());
    for (group, offsets) in stores.flat_map(|store| store.iter()) {
        for (name, topic_id) in topics {
            let Some((topic, partitions)) = offsets.get_key_value(name) else { continue };
            let gone = partitions.iter().filter(|(_, offset)| offset.topic_id == *topic_id);
            keys.extend(gone.map(|(index, _)| (group, topic, *index)));
        }
    }
    for (group, topic, index) in keys {
        step.append(group, records::offset_tombstone(group, topic, index));
    }
}

fn has_offset(hard: &Hard, group: &str, topic: &str, index: i32) -> bool {
    let offsets = hard.offsets();
    offsets.committed().get(group, topic, index).is_some()
        || offsets.is_pending(group, topic, index)
}

fn failed(error: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code: error.code(), ..Default::default() }
}
