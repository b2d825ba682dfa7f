//! Says that it is a replica, of a life long past, and has everything a leader has: nobody may believe it.
//!
//! Sources: KIP-903 (the broker's epoch in Fetch), CVE-2018-1288 (a client that pretends to be a replica).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_env::sim::{Random, SimEnv};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::{FetchRequest, ListOffsetsRequest, MetadataRequest};

use super::{STEADY, Setup, pause};
use crate::wire::{Connection, WireError};

/// Between two attempts at most.
const PAUSE_MS: u64 = 400;
const PATIENCE: Duration = Duration::from_millis(800);
const METADATA_NEWEST: i16 = 12;
const LIST_OFFSETS_NEWEST: i16 = 7;
/// The newest that names topics by id and brokers by their epoch.
const FETCH_NEWEST: i16 = 17;
/// No broker of a cluster has it any more.
const LONG_PAST: i64 = 0;
const LATEST: i64 = -1;

/// Pretends until the run stops.
pub(super) async fn run(env: SimEnv, setup: Arc<Setup>, mut random: Random) {
    while !setup.is_stopping() {
        pause(&env, &mut random, PAUSE_MS).await;
        let leader = random.index(setup.nodes.len());
        let index = random.below(setup.choice.partitions as u64) as i32;
        for other in (0..setup.nodes.len()).filter(|other| *other != leader) {
            let attempt = pretend(&env, setup.nodes[leader], other as i32 + 1, index);
            let _answered = env.timeout(PATIENCE, attempt).await;
        }
    }
}

/// Tells a node that replica `id` of a partition is where its log ends.
async fn pretend<E: Env>(
    env: &E,
    address: SocketAddr,
    id: i32,
    index: i32,
) -> Result<(), WireError> {
    let mut connection = Connection::open(env, address).await?;
    let asked = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let metadata = connection.call(&asked, METADATA_NEWEST).await?;
    let mut topics = metadata.topics.into_iter();
    let topic = topics.find(|topic| topic.name.as_deref() == Some(STEADY));
    let Some(topic) = topic else { return Ok(()) };
    let mut partitions = topic.partitions.iter();
    let known = partitions.find(|partition| partition.partition_index == index);
    let Some(leader_epoch) = known.map(|partition| partition.leader_epoch) else { return Ok(()) };
    let asked = ListOffsetsPartition {
        partition_index: index,
        current_leader_epoch: leader_epoch,
        timestamp: LATEST,
        ..ListOffsetsPartition::default()
    };
    let asked = ListOffsetsRequest {
        replica_id: id,
        topics: vec![ListOffsetsTopic {
            name: STEADY.into(),
            partitions: vec![asked],
            ..ListOffsetsTopic::default()
        }],
        ..ListOffsetsRequest::default()
    };
    let ends = connection.call(&asked, LIST_OFFSETS_NEWEST).await?;
    let mut ends = ends.topics.iter().flat_map(|topic| &topic.partitions);
    let Some(end) = ends.next().filter(|end| end.error_code == 0) else { return Ok(()) };
    let fetched = FetchPartition {
        partition: index,
        current_leader_epoch: leader_epoch,
        fetch_offset: end.offset,
        last_fetched_epoch: -1,
        log_start_offset: 0,
        partition_max_bytes: 1,
        ..FetchPartition::default()
    };
    let request = FetchRequest {
        replica_state: ReplicaState {
            replica_id: id,
            replica_epoch: LONG_PAST,
            ..ReplicaState::default()
        },
        max_wait_ms: 0,
        max_bytes: 1,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic_id: topic.topic_id,
            partitions: vec![fetched],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    connection.call(&request, FETCH_NEWEST).await.map(|_| ())
}
