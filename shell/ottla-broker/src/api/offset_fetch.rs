//! OffsetFetch (key 9): v1-10. How far groups have read. From v2 on no topics means all; v7
//! (KIP-447) can ask for offsets that no open transaction may change; v8 (KIP-709) asks for many
//! groups; v10 names topics by id.

use std::sync::Arc;

use ottla_coordinator::{Command, Reply};
use ottla_env::Env;
use ottla_metadata::image::MetadataImage;
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ottla_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use ottla_protocol::{ErrorCode, Str, Uuid};

use super::context::RequestContext;
use crate::rooms::Rooms;

/// From this version on an answer has an error of its own.
const TOP_LEVEL_ERROR_VERSION: i16 = 2;
/// From this version on many groups are asked for at once.
const BATCHED_VERSION: i16 = 8;
/// From this version on topics are named by their ids.
const TOPIC_ID_VERSION: i16 = 10;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let require_stable = request.require_stable;
    if context.version >= BATCHED_VERSION {
        let mut groups = Vec::with_capacity(request.groups.len());
        for group in request.groups {
            groups.push(fetch(rooms, context.version, require_stable, group).await);
        }
        return OffsetFetchResponse { groups, ..Default::default() };
    }
    let group = OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics: request.topics.clone().map(|topics| topics.into_iter().map(widened).collect()),
        ..Default::default()
    };
    let answer = fetch(rooms, context.version, require_stable, group).await;
    single(context.version, request.topics.unwrap_or_default(), answer)
}

fn widened(topic: OffsetFetchRequestTopic) -> OffsetFetchRequestTopics {
    OffsetFetchRequestTopics {
        name: topic.name,
        partition_indexes: topic.partition_indexes,
        ..Default::default()
    }
}

async fn fetch<E: Env>(
    rooms: &Arc<Rooms<E>>,
    version: i16,
    require_stable: bool,
    mut group: OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    let image = rooms.metadata.image();
    let by_id = version >= TOPIC_ID_VERSION;
    let group_id = group.group_id.clone();
    let wants_all = group.topics.is_none();
    let unknown = match &mut group.topics {
        Some(topics) => look_up(&image, by_id, topics),
        None => Vec::new(),
    };
    let command = |token| Command::OffsetFetch { token, require_stable, group };
    let mut answer = match rooms.groups.ask(&group_id, command).await {
        Ok(Reply::OffsetFetch(answer)) => answer,
        Ok(_) => return failed(group_id, ErrorCode::UnknownServerError),
        Err(error) => return failed(group_id, fetch_error(error)),
    };
    if by_id && wants_all {
        // A topic that is gone has no id to be named by.
        answer.topics.retain_mut(|topic| match image.topics.get(&topic.name) {
            Some(known) if topic.topic_id == Uuid::ZERO || topic.topic_id == known.id => {
                topic.topic_id = known.id;
                true
            }
            _ => false,
        });
    }
    answer.topics.extend(unknown);
    answer
}

/// Completes names and ids. Topics that are asked for by an id nobody has are taken out and answered.
fn look_up(
    image: &MetadataImage,
    by_id: bool,
    topics: &mut Vec<OffsetFetchRequestTopics>,
) -> Vec<OffsetFetchResponseTopics> {
    let mut unknown = Vec::new();
    topics.retain_mut(|topic| {
        if !by_id {
            topic.topic_id = image.topics.id_of(&topic.name).unwrap_or(Uuid::ZERO);
            return true;
        }
        if let Some(known) = image.topics.by_id(topic.topic_id) {
            topic.name = known.name.clone();
            return true;
        }
        let partitions = topic.partition_indexes.iter().map(|index| no_offset(*index));
        unknown.push(OffsetFetchResponseTopics {
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
            ..Default::default()
        });
        false
    });
    unknown
}

fn no_offset(partition_index: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(Str::default()),
        error_code: ErrorCode::UnknownTopicId.code(),
        ..Default::default()
    }
}

/// Clients know few errors here; with this one they look for the coordinator again.
fn fetch_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::CoordinatorNotAvailable => ErrorCode::NotCoordinator,
        other => other,
    }
}

fn failed(group_id: Str, error: ErrorCode) -> OffsetFetchResponseGroup {
    OffsetFetchResponseGroup { group_id, error_code: error.code(), ..Default::default() }
}

/// The answer for one group in the form of before version 8. Version 1 has errors of partitions only.
fn single(
    version: i16,
    asked: Vec<OffsetFetchRequestTopic>,
    answer: OffsetFetchResponseGroup,
) -> OffsetFetchResponse {
    let failed = answer.error_code != ErrorCode::None.code();
    let topics = if failed && version < TOP_LEVEL_ERROR_VERSION {
        asked.into_iter().map(|topic| failed_topic(topic, answer.error_code)).collect()
    } else {
        answer.topics.into_iter().map(narrowed).collect()
    };
    OffsetFetchResponse { topics, error_code: answer.error_code, ..Default::default() }
}

fn failed_topic(topic: OffsetFetchRequestTopic, error_code: i16) -> OffsetFetchResponseTopic {
    let partitions = topic
        .partition_indexes
        .iter()
        .map(|index| OffsetFetchResponsePartition { error_code, ..partition(no_offset(*index)) });
    let partitions = partitions.collect();
    OffsetFetchResponseTopic { name: topic.name, partitions, ..Default::default() }
}

fn narrowed(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
        ..Default::default()
    }
}

fn partition(wide: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: wide.partition_index,
        committed_offset: wide.committed_offset,
        committed_leader_epoch: wide.committed_leader_epoch,
        metadata: wide.metadata,
        error_code: wide.error_code,
        ..Default::default()
    }
}
