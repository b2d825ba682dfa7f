//! Where a partition is that is not led here (KIP-951), so that a reader need not ask.

use ottla_env::Env;
use ottla_protocol::ErrorCode;
use smallvec::SmallVec;

use crate::api::context::RequestContext;
use crate::api::fetch_response::{CurrentLeader, Fetched};
use crate::api::nodes::{self, Node};
use crate::partition::session::InterestKey;
use crate::rooms::Rooms;

/// First version with the addresses of leaders.
pub(super) const WITH_NODES: i16 = 16;

/// The leader to name beside an error.
pub(super) fn leader_of<E: Env>(
    rooms: &Rooms<E>,
    key: &InterestKey,
    error: ErrorCode,
) -> Option<CurrentLeader> {
    if !matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch) {
        return None;
    }
    let image = rooms.metadata.image();
    let topic = match key.topic_id.is_zero() {
        true => image.topics.get(&key.topic),
        false => image.topics.by_id(key.topic_id),
    };
    let state = topic?.partitions.get(&key.partition)?;
    Some(CurrentLeader { id: state.leader, epoch: state.leader_epoch })
}

/// Where the leaders are that an answer names.
pub(super) fn nodes<E: Env, F>(
    rooms: &Rooms<E>,
    context: &RequestContext,
    fetched: &[Fetched<F>],
) -> Vec<Node> {
    let named = fetched.iter().filter_map(|fetched| fetched.current_leader);
    let mut ids: SmallVec<[i32; 4]> = named.map(|leader| leader.id).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    ids.sort_unstable();
    ids.dedup();
    let image = rooms.metadata.image();
    let brokers = ids.iter().filter_map(|id| image.brokers.get(*id));
    brokers.filter_map(|broker| nodes::node(rooms, context, broker)).collect()
}
