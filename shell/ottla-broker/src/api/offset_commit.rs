//! OffsetCommit (key 8): v2-10. Keeps how far a group has read. Members commit in their generation,
//! other consumers with generation -1. v10 (KIP-848) names topics by id; before, the id is looked
//! up, so that a topic that is made again does not inherit offsets.

use std::sync::Arc;

use ottla_coordinator::{Command, Reply};
use ottla_env::Env;
use ottla_metadata::image::{MetadataImage, Topic};
use ottla_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use ottla_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use ottla_protocol::{ErrorCode, Uuid};

use super::context::RequestContext;
use crate::rooms::Rooms;

/// From this version on topics are named by their ids.
const TOPIC_ID_VERSION: i16 = 10;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    mut request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let version = context.version;
    let image = rooms.metadata.image();
    // One answer per asked topic, in order; what the coordinator says is put in below.
    let asked = std::mem::take(&mut request.topics);
    let mut topics = Vec::with_capacity(asked.len());
    for topic in asked.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        let (answer, known) = sort_out(&image, version, topic);
        topics.push(answer);
        request.topics.extend(known);
    }
    if !request.topics.is_empty() {
        let group_id = request.group_id.clone();
        let command = |token| Command::OffsetCommit { token, version, request };
        match rooms.groups.ask(&group_id, command).await {
            Ok(Reply::OffsetCommit(response)) => fill_in(&mut topics, &response),
            Ok(_) => fail(&mut topics, ErrorCode::UnknownServerError),
            Err(error) => fail(&mut topics, error),
        }
    }
    OffsetCommitResponse { topics, ..Default::default() }
}

/// The answer so far, and what is left for the coordinator: partitions that exist.
fn sort_out(
    image: &MetadataImage,
    version: i16,
    mut asked: OffsetCommitRequestTopic,
) -> (OffsetCommitResponseTopic, Option<OffsetCommitRequestTopic>) {
    let by_id = version >= TOPIC_ID_VERSION;
    let known: Option<&Arc<Topic>> = match by_id {
        true => image.topics.by_id(asked.topic_id),
        false => image.topics.get(&asked.name),
    };
    let unknown = match by_id && known.is_none() {
        true => ErrorCode::UnknownTopicId,
        false => ErrorCode::UnknownTopicOrPartition,
    };
    let exists = |index: i32| known.is_some_and(|topic| topic.partitions.get(&index).is_some());
    let partitions = asked.partitions.iter().map(|partition| {
        let index = partition.partition_index;
        let error = if exists(index) { ErrorCode::None } else { unknown };
        OffsetCommitResponsePartition {
            partition_index: index,
            error_code: error.code(),
            ..Default::default()
        }
    });
    let answer = OffsetCommitResponseTopic {
        name: asked.name.clone(),
        topic_id: if by_id { asked.topic_id } else { Uuid::ZERO },
        partitions: partitions.collect(),
        ..Default::default()
    };
    asked.partitions.retain(|partition| exists(partition.partition_index));
    let known = known.filter(|_| !asked.partitions.is_empty()).map(|topic| {
        OffsetCommitRequestTopic { name: topic.name.clone(), topic_id: topic.id, ..asked }
    });
    (answer, known)
}

/// The coordinator answers in the order it was asked: the partitions without an error so far.
fn fill_in(topics: &mut [OffsetCommitResponseTopic], response: &OffsetCommitResponse) {
    let answered = response.topics.iter().flat_map(|topic| &topic.partitions);
    let open = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    let open = open.filter(|partition| partition.error_code == ErrorCode::None.code());
    for (partition, answer) in open.zip(answered) {
        assert_eq!(partition.partition_index, answer.partition_index, "answers keep their order");
        partition.error_code = answer.error_code;
    }
}

fn fail(topics: &mut [OffsetCommitResponseTopic], error: ErrorCode) {
    let open = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    for partition in open.filter(|partition| partition.error_code == ErrorCode::None.code()) {
        partition.error_code = error.code();
    }
}
