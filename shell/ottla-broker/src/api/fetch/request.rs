//! What a Fetch request asks for, in the words of its session.

use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::FetchPartition;

use crate::partition::session::{Interest, InterestKey, Interests, SessionRequest};

/// First version that names topics by id.
pub(super) const BY_ID: i16 = 13;
/// First version of consumers that can read from followers (KIP-392).
pub(super) const FROM_FOLLOWERS: i16 = 11;

/// Takes the request apart; nothing of it keeps the frame alive.
pub(super) fn session_request(request: FetchRequest, version: i16) -> SessionRequest {
    let mut added = Interests::new();
    for topic in &request.topics {
        let name = topic.topic.detach();
        for partition in &topic.partitions {
            let key = InterestKey {
                topic: name.clone(),
                topic_id: topic.topic_id,
                partition: partition.partition,
            };
            added.insert(key, interest(partition));
        }
    }
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| InterestKey {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partition: *partition,
        })
    });
    SessionRequest {
        id: request.session_id,
        epoch: request.session_epoch,
        uses_topic_ids: version >= BY_ID,
        added,
        forgotten: forgotten.collect(),
    }
}

fn interest(partition: &FetchPartition) -> Interest {
    Interest {
        fetch_offset: partition.fetch_offset,
        max_bytes: partition.partition_max_bytes,
        current_leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
        log_start_offset: partition.log_start_offset,
        told: None,
    }
}

/// The broker that reads as a follower, and the life it is in; negative for a consumer.
pub(super) fn replica(request: &FetchRequest, version: i16) -> (i32, i64) {
    if version < 15 {
        return (request.replica_id, -1);
    }
    (request.replica_state.replica_id, request.replica_state.replica_epoch)
}
