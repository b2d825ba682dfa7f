//! OffsetDelete (key 47): v0. Forgets committed offsets of topics the group no longer reads (KIP-496).

use std::sync::Arc;

use ottla_coordinator::{Command, Reply};
use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    mut request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let image = rooms.metadata.image();
    let mut unknown = Vec::new();
    for topic in &mut request.topics {
        let known = image.topics.get(&topic.name);
        let exists = |index| known.is_some_and(|topic| topic.partitions.get(&index).is_some());
        let missing = topic.partitions.iter().filter(|p| !exists(p.partition_index));
        let missing = missing.map(|partition| OffsetDeleteResponsePartition {
            partition_index: partition.partition_index,
            error_code: ErrorCode::UnknownTopicOrPartition.code(),
        });
        let partitions: Vec<_> = missing.collect();
        if !partitions.is_empty() {
            unknown.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions });
        }
        topic.partitions.retain(|partition| exists(partition.partition_index));
    }
    request.topics.retain(|topic| !topic.partitions.is_empty());
    let group_id = request.group_id.clone();
    let asked = rooms.groups.ask(&group_id, |token| Command::OffsetDelete { token, request });
    let mut response = match asked.await {
        Ok(Reply::OffsetDelete(response)) => response,
        Ok(_) => return failed(ErrorCode::UnknownServerError),
        Err(error) => return failed(error),
    };
    if response.error_code == ErrorCode::None.code() {
        merge(&mut response, unknown);
    }
    response
}

/// A topic appears once.
fn merge(response: &mut OffsetDeleteResponse, unknown: Vec<OffsetDeleteResponseTopic>) {
    for topic in unknown {
        match response.topics.iter_mut().find(|known| known.name == topic.name) {
            Some(known) => known.partitions.extend(topic.partitions),
            None => response.topics.push(topic),
        }
    }
}

fn failed(error: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code: error.code(), ..Default::default() }
}
