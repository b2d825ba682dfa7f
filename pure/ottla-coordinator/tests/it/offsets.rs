//! OffsetCommit, OffsetFetch and the retention of offsets.

use ottla_coordinator::group::classic::State;
use ottla_coordinator::{Command, GroupSettings, Reply};
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use ottla_protocol::{ErrorCode, Str, Uuid};

use crate::world::{GROUP, SESSION_MS, World, error, join_request, settings};

pub(crate) const TOPIC_ID: Uuid = Uuid([7; 16]);
const DAY_MS: i64 = 86_400_000;

/// Commits `offset` for `t`-0.
pub(crate) fn commit_request(member: &str, generation: i32, offset: i64) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: Str::from(GROUP),
        generation_id_or_member_epoch: generation,
        member_id: Str::copy_from(member),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from("t"),
            topic_id: TOPIC_ID,
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: 0,
                committed_offset: offset,
                committed_leader_epoch: 3,
                committed_metadata: Some(Str::from("note")),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(crate) fn commit(
    world: &mut World,
    version: i16,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let token = world.token();
    world.handle(Command::OffsetCommit { token, version, request });
    match world.answer(token) {
        Some(Reply::OffsetCommit(response)) => response,
        other => panic!("not an OffsetCommit answer: {other:?}"),
    }
}

fn commit_error(world: &mut World, version: i16, request: OffsetCommitRequest) -> ErrorCode {
    error(commit(world, version, request).topics[0].partitions[0].error_code)
}

/// (topic, partition, offset, error) of everything fetched.
fn fetch(
    world: &mut World,
    topics: Option<&[(&'static str, Uuid)]>,
) -> Vec<(String, i64, ErrorCode)> {
    let token = world.token();
    let topics = topics.map(|topics| {
        let topics = topics.iter().map(|(name, topic_id)| OffsetFetchRequestTopics {
            name: Str::from(*name),
            topic_id: *topic_id,
            partition_indexes: vec![0],
            ..Default::default()
        });
        topics.collect()
    });
    let group =
        OffsetFetchRequestGroup { group_id: Str::from(GROUP), topics, ..Default::default() };
    world.handle(Command::OffsetFetch { token, require_stable: true, group });
    let Some(Reply::OffsetFetch(response)) = world.answer(token) else { panic!() };
    let topics = response.topics.iter();
    topics
        .flat_map(|topic| topic.partitions.iter().map(move |p| (topic, p)))
        .map(|(t, p)| (t.name.to_string(), p.committed_offset, error(p.error_code)))
        .collect()
}

#[test]
fn what_is_committed_is_fetched() {
    let mut world = World::new(settings());
    let unknown = [("t", TOPIC_ID)];
    assert_eq!(fetch(&mut world, Some(&unknown)), [("t".to_owned(), -1, ErrorCode::None)]);
    assert_eq!(fetch(&mut world, None), []);
    let response = commit(&mut world, 10, commit_request("", -1, 42));
    assert_eq!((response.topics[0].name.as_str(), response.topics[0].topic_id), ("t", TOPIC_ID));
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
    assert_eq!(world.state(), Some(State::Empty), "a simple group begins");
    let expected = [("t".to_owned(), 42, ErrorCode::None)];
    assert_eq!(fetch(&mut world, Some(&[("t", TOPIC_ID)])), expected);
    assert_eq!(fetch(&mut world, Some(&[("t", Uuid::ZERO)])), expected);
    assert_eq!(fetch(&mut world, None), expected);
    world.restart();
    assert_eq!(fetch(&mut world, None), expected);
}

/// A topic that was deleted and made again starts without offsets.
#[test]
fn a_recreated_topic_has_no_offsets() {
    let mut world = World::new(settings());
    commit(&mut world, 10, commit_request("", -1, 42));
    let fetched = fetch(&mut world, Some(&[("t", Uuid([8; 16]))]));
    assert_eq!(fetched, [("t".to_owned(), -1, ErrorCode::None)]);
}

#[test]
fn commits_of_members_are_checked() {
    let mut world = World::new(settings());
    let missing = commit_error(&mut world, 8, commit_request("x", 1, 1));
    assert_eq!(missing, ErrorCode::IllegalGeneration);
    let missing = commit_error(&mut world, 9, commit_request("x", 1, 1));
    assert_eq!(missing, ErrorCode::GroupIdNotFound);
    let (generation, ids) = world.stable_group(1);
    let stranger = commit_error(&mut world, 8, commit_request("x", generation, 1));
    assert_eq!(stranger, ErrorCode::UnknownMemberId);
    let nobody = commit_error(&mut world, 8, commit_request("", -1, 1));
    assert_eq!(nobody, ErrorCode::UnknownMemberId);
    let old = commit_error(&mut world, 8, commit_request(&ids[0], generation - 1, 1));
    assert_eq!(old, ErrorCode::IllegalGeneration);
    let mut named = commit_request(&ids[0], generation, 1);
    named.group_instance_id = Some(Str::from("i"));
    assert_eq!(commit_error(&mut world, 8, named), ErrorCode::UnknownMemberId);
    let good = commit_error(&mut world, 8, commit_request(&ids[0], generation, 1));
    assert_eq!(good, ErrorCode::None);
    // While others join, the old owner may still commit; once shares are being dealt, not.
    let newcomer = world.join(3, join_request("", None));
    let good = commit_error(&mut world, 8, commit_request(&ids[0], generation, 2));
    assert_eq!(good, ErrorCode::None);
    world.join(3, join_request(&ids[0], None));
    world.joined(newcomer).unwrap();
    let dealing = commit_error(&mut world, 8, commit_request(&ids[0], generation + 1, 3));
    assert_eq!(dealing, ErrorCode::RebalanceInProgress);
    assert_eq!(fetch(&mut world, None), [("t".to_owned(), 2, ErrorCode::None)]);
}

#[test]
fn a_commit_keeps_the_session() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(1);
    for _ in 0..3 {
        world.advance(i64::from(SESSION_MS) - 1);
        let good = commit_error(&mut world, 8, commit_request(&ids[0], generation, 1));
        assert_eq!(good, ErrorCode::None);
    }
}

#[test]
fn metadata_is_limited_in_java_characters() {
    let mut world = World::new(settings());
    let mut request = commit_request("", -1, 5);
    let partition = |metadata: String| OffsetCommitRequestPartition {
        partition_index: 1,
        committed_offset: 6,
        committed_metadata: Some(Str::from(metadata)),
        ..Default::default()
    };
    request.topics[0].partitions.push(partition("x".repeat(4_097)));
    request.topics[0].partitions.push(partition("ä".repeat(4_096)));
    request.topics[0].partitions.push(OffsetCommitRequestPartition::default());
    let response = commit(&mut world, 8, request);
    let errors: Vec<_> =
        response.topics[0].partitions.iter().map(|p| error(p.error_code)).collect();
    let too_large = ErrorCode::OffsetMetadataTooLarge;
    assert_eq!(errors, [ErrorCode::None, too_large, ErrorCode::None, ErrorCode::None]);
    assert_eq!(world.log.len(), 3);
}

fn short_retention() -> World {
    World::new(GroupSettings { offsets_retention_ms: DAY_MS, ..settings() })
}

/// Nobody manages a simple group: each offset lives from its commit.
#[test]
fn offsets_of_simple_groups_expire_by_commit() {
    let mut world = short_retention();
    commit(&mut world, 8, commit_request("", -1, 1));
    world.advance(DAY_MS - 600_000);
    commit(
        &mut world,
        8,
        OffsetCommitRequest { group_id: Str::from("h"), ..commit_request("", -1, 1) },
    );
    world.advance(600_000);
    assert_eq!(fetch(&mut world, None), []);
    assert_eq!(world.state(), None, "the group goes with its last offset");
    assert!(world.shard.hard().groups().contains_key("h"));
}

/// A group with members keeps what it is subscribed to, and the rest from the commit on (KIP-211).
#[test]
fn offsets_outlive_members_by_the_retention() {
    let mut world = short_retention();
    let (generation, ids) = world.stable_group(1);
    let mut request = commit_request(&ids[0], generation, 1);
    let mut other = request.topics[0].clone();
    other.name = Str::from("no longer read");
    request.topics.push(other);
    commit(&mut world, 8, request);
    let live = |world: &mut World| {
        for _ in 0..(2 * DAY_MS / 9_000) {
            world.advance(9_000);
            assert_eq!(world.heartbeat(&ids[0], generation), ErrorCode::None);
        }
    };
    live(&mut world);
    assert_eq!(fetch(&mut world, None), [("t".to_owned(), 1, ErrorCode::None)]);
    world.leave(&[(&ids[0], None)]);
    world.advance(DAY_MS - 600_001);
    assert_eq!(fetch(&mut world, None), [("t".to_owned(), 1, ErrorCode::None)]);
    world.restart();
    world.advance(1_200_002);
    assert_eq!(fetch(&mut world, None), []);
    assert_eq!(world.state(), None);
}

/// Old clients could give an offset a retention of its own.
#[test]
fn an_explicit_retention_counts() {
    let mut world = short_retention();
    let mut request = commit_request("", -1, 1);
    request.retention_time_ms = 3 * DAY_MS;
    commit(&mut world, 2, request);
    assert_eq!(world.log[0].value.as_ref().unwrap()[..2], [0, 1], "version 1 carries the expiry");
    world.restart();
    world.advance(3 * DAY_MS - 600_000);
    assert_eq!(fetch(&mut world, None).len(), 1);
    world.advance(1_200_000);
    assert_eq!(fetch(&mut world, None), []);
}

/// A clock that jumps back expires nothing.
#[test]
fn a_clock_that_jumps_back_is_harmless() {
    let mut world = short_retention();
    commit(&mut world, 8, commit_request("", -1, 1));
    world.now.wall_ms -= 10 * DAY_MS;
    world.advance(2 * DAY_MS);
    assert_eq!(fetch(&mut world, None).len(), 1);
}

/// Offsets written in a transaction count once it is committed, and hold back who asks for stable
/// ones until then.
#[test]
fn offsets_of_open_transactions_are_held_back() {
    let mut world = World::new(settings());
    commit(&mut world, 8, commit_request("", -1, 1));
    let plain = world.log[0].clone();
    let mut source = World::new(settings());
    commit(&mut source, 8, commit_request("", -1, 5));
    let in_transaction = source.log[0].clone();
    let stable = [("t".to_owned(), 1, ErrorCode::None)];
    let unstable = [("t".to_owned(), -1, ErrorCode::UnstableOffsetCommit)];

    world.shard.replay(10, 77, &in_transaction).unwrap();
    assert_eq!(fetch(&mut world, None), unstable);
    world.shard.replay_end_transaction(77, false);
    assert_eq!(fetch(&mut world, None), stable);
    world.shard.replay(11, 77, &in_transaction).unwrap();
    world.shard.replay_end_transaction(77, true);
    assert_eq!(fetch(&mut world, None), [("t".to_owned(), 5, ErrorCode::None)]);
    // What was committed later in the log stays, even if the transaction ends after it.
    world.shard.replay(12, 78, &in_transaction).unwrap();
    world.shard.replay(13, -1, &plain).unwrap();
    world.shard.replay_end_transaction(78, true);
    assert_eq!(fetch(&mut world, None), stable);
    assert_eq!(world.state(), Some(State::Empty));
}
