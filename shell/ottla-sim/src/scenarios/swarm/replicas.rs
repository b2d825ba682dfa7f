//! Every replica has the same bytes, batch by batch.
//!
//! Sources: KIP-101, KIP-279 (logs that part), KAFKA-18723 (a follower that took in what it was not sent).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ottla_client::TopicPartition;
use ottla_env::sim::SimEnv;
use ottla_judge::watch::{Equal, Node};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::records::batches;

use crate::wire::Connection;

/// The newest version that names topics by name; from 11 on a follower may serve it (KIP-392).
const FETCH_NEWEST: i16 = 12;
const FETCH_BYTES: i32 = 1 << 20;
/// Answers without records in all, of half a second each.
const WAITS_MAX: u32 = 20;

/// Base offset of a batch, and a hash of all its bytes.
type Batches = BTreeMap<i64, u64>;

/// Compares what the replicas of a partition have from `start` to `end`; says what differs.
pub(super) async fn compare(
    env: &SimEnv,
    nodes: &[(Node, SocketAddr)],
    partition: &TopicPartition,
    (start, end): (i64, i64),
) -> Result<Option<String>, String> {
    let mut found: BTreeMap<Node, Batches> = BTreeMap::new();
    let mut begin = start;
    for (node, address) in nodes {
        let read = read(env, *address, partition, start, end).await;
        let (first, read) = read.map_err(|text| format!("{partition} of node {node}: {text}"))?;
        begin = begin.max(first);
        found.insert(*node, read);
    }
    // What one of them no longer has is no difference.
    found.values_mut().for_each(|batches| batches.retain(|base, _| *base >= begin));
    Ok(Equal::all(&format!("{partition} from {start} to {end}"), &found).map(|wrong| wrong.text))
}

async fn read(
    env: &SimEnv,
    address: SocketAddr,
    partition: &TopicPartition,
    start: i64,
    end: i64,
) -> Result<(i64, Batches), String> {
    let mut connection = Connection::open(env, address).await.map_err(|error| error.to_string())?;
    let mut found = Batches::new();
    let (mut first, mut next, mut waits) = (start, start, 0);
    while next < end {
        let request = request(partition, next);
        let answered = connection.call(&request, FETCH_NEWEST).await;
        let mut response = answered.map_err(|error| error.to_string())?;
        let topic = response.responses.pop().ok_or("no answer about the topic")?;
        let answer = topic.partitions.into_iter().next().ok_or("no answer about the partition")?;
        if answer.error_code == ErrorCode::OffsetOutOfRange.code() && found.is_empty() {
            // It led when a deletion of records came that nobody was told of, and lost them for good.
            next += 1;
            first = next;
            if next == end {
                return Err(format!("nothing from {start} to {end}"));
            }
            continue;
        }
        if answer.error_code != 0 {
            return Err(format!("error {} at {next}", answer.error_code));
        }
        let before = next;
        for batch in batches(&answer.records.unwrap_or_default()) {
            let Ok((header, bytes)) = batch else { break };
            found.insert(header.base_offset, hash(&bytes));
            next = next.max(header.last_offset() + 1);
        }
        if next == before {
            // A follower hears of the high watermark with its next fetch.
            waits += 1;
            if waits > WAITS_MAX {
                return Err(format!("nothing at {next}, which the leader has"));
            }
        }
    }
    Ok((first, found))
}

fn request(partition: &TopicPartition, offset: i64) -> FetchRequest {
    let wanted = FetchPartition {
        partition: partition.partition,
        current_leader_epoch: -1,
        fetch_offset: offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: FETCH_BYTES,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: partition.topic.clone(),
        partitions: vec![wanted],
        ..FetchTopic::default()
    };
    FetchRequest {
        replica_id: -1,
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: FETCH_BYTES,
        session_id: 0,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

/// FNV-1a, eight bytes at a time.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    let hash = words
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, word| step(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| step(hash, u64::from(*byte)))
}
