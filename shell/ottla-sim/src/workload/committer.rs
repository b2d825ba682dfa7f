//! Commits offsets that only grow, as a consumer without a membership does, and reads them back.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::{FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest};

use super::{COMMIT_NEWEST, GROUP, RETRY, Setup, TOPIC, connect};
use crate::wire::{Connection, WireError};

/// Between two commits.
const PACE: Duration = Duration::from_millis(3);
/// Tries to read committed offsets back while the coordinator loads.
const READ_TRIES: u32 = 100;

/// Commits until the run stops.
pub async fn run<E: Env>(env: E, setup: Arc<Setup>) {
    let mut next = vec![0_i64; setup.partitions as usize];
    while let Some(mut connection) = connect(&env, &setup).await {
        if !connection.offers(ApiKey::OffsetCommit) {
            return;
        }
        // A lost connection is nothing to write down: what was tried is.
        let _ = commit_on(&env, &mut connection, &setup, &mut next).await;
        env.sleep(RETRY).await;
    }
}

async fn commit_on<E: Env>(
    env: &E,
    connection: &mut Connection<E>,
    setup: &Setup,
    next: &mut [i64],
) -> Result<(), WireError> {
    find(connection).await?;
    while !setup.is_stopping() {
        for (index, offset) in next.iter_mut().enumerate() {
            let partition = index as i32;
            *offset += 1;
            setup.history.lock().partition(partition).commit_tried = Some(*offset);
            let response = connection.call(&request(partition, *offset), COMMIT_NEWEST).await?;
            let answer = response.topics.first().and_then(|topic| topic.partitions.first());
            match answer.map(|partition| partition.error_code) {
                Some(0) => setup.history.lock().partition(partition).committed = Some(*offset),
                _ => return Ok(()),
            }
        }
        env.sleep(PACE).await;
    }
    Ok(())
}

/// Makes the offsets topic, if need be.
async fn find<E: Env>(connection: &mut Connection<E>) -> Result<(), WireError> {
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![GROUP.into()],
        ..FindCoordinatorRequest::default()
    };
    let response = connection.call(&request, 4).await?;
    match response.coordinators.first() {
        Some(found) if found.error_code == 0 => Ok(()),
        _ => Err(WireError::Nonsense("no coordinator yet".to_owned())),
    }
}

fn request(partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        committed_leader_epoch: -1,
        committed_metadata: Some("".into()),
        ..OffsetCommitRequestPartition::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: TOPIC.into(),
        partitions: vec![partition],
        ..OffsetCommitRequestTopic::default()
    };
    OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    }
}

/// The committed offset of each partition, `None` where there is none.
///
/// # Errors
/// Says why they cannot be read.
pub async fn read_committed<E: Env>(
    env: &E,
    connection: &mut Connection<E>,
    partitions: i32,
) -> Result<Vec<Option<i64>>, String> {
    let mut last = String::new();
    for _ in 0..READ_TRIES {
        match try_read(connection, partitions).await {
            Ok(Ok(committed)) => return Ok(committed),
            Ok(Err(code)) => last = format!("offset fetch answered error {code}"),
            Err(error) => return Err(error.to_string()),
        }
        env.sleep(RETRY).await;
    }
    Err(last)
}

async fn try_read<E: Env>(
    connection: &mut Connection<E>,
    partitions: i32,
) -> Result<Result<Vec<Option<i64>>, i16>, WireError> {
    if find(connection).await.is_err() {
        return Ok(Err(15));
    }
    let topic = OffsetFetchRequestTopics {
        name: TOPIC.into(),
        partition_indexes: (0..partitions).collect(),
        ..OffsetFetchRequestTopics::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: GROUP.into(),
        member_epoch: -1,
        topics: Some(vec![topic]),
        ..OffsetFetchRequestGroup::default()
    };
    let request = OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() };
    let response = connection.call(&request, COMMIT_NEWEST).await?;
    let Some(group) = response.groups.first() else { return Ok(Err(-1)) };
    if group.error_code != 0 {
        return Ok(Err(group.error_code));
    }
    let mut committed = vec![None; partitions as usize];
    for partition in group.topics.iter().flat_map(|topic| &topic.partitions) {
        if partition.error_code != 0 {
            return Ok(Err(partition.error_code));
        }
        if let Some(slot) = committed.get_mut(partition.partition_index as usize) {
            *slot = (partition.committed_offset >= 0).then_some(partition.committed_offset);
        }
    }
    Ok(Ok(committed))
}
