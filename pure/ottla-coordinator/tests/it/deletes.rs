//! OffsetDelete, DeleteGroups, deleted topics, and what is listed and described.

use ottla_coordinator::group::classic::State;
use ottla_coordinator::{Command, Reply};
use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use ottla_protocol::{ErrorCode, Str, Uuid};

use crate::offsets::{TOPIC_ID, commit, commit_request};
use crate::world::{GROUP, World, error, join_request, settings};

fn delete_offset(world: &mut World, topic: &'static str) -> OffsetDeleteResponse {
    let token = world.token();
    let request = OffsetDeleteRequest {
        group_id: Str::from(GROUP),
        topics: vec![OffsetDeleteRequestTopic {
            name: Str::from(topic),
            partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }],
        }],
    };
    world.handle(Command::OffsetDelete { token, request });
    match world.answer(token) {
        Some(Reply::OffsetDelete(response)) => response,
        other => panic!("not an OffsetDelete answer: {other:?}"),
    }
}

fn delete_group(world: &mut World) -> ErrorCode {
    let token = world.token();
    world.handle(Command::DeleteGroups { token, groups: vec![Str::from(GROUP)] });
    match world.answer(token) {
        Some(Reply::DeleteGroups(results)) => error(results[0].error_code),
        other => panic!("not a DeleteGroups answer: {other:?}"),
    }
}

fn describe(world: &mut World, version: i16) -> DescribedGroup {
    let token = world.token();
    world.handle(Command::DescribeGroups { token, version, groups: vec![Str::from(GROUP)] });
    match world.answer(token) {
        Some(Reply::DescribeGroups(mut groups)) => groups.remove(0),
        other => panic!("not a DescribeGroups answer: {other:?}"),
    }
}

fn list(world: &mut World, states: &[&'static str], types: &[&'static str]) -> Vec<String> {
    let token = world.token();
    let filter = |texts: &[&'static str]| texts.iter().map(|text| Str::from(*text)).collect();
    world.handle(Command::ListGroups { token, states: filter(states), types: filter(types) });
    match world.answer(token) {
        Some(Reply::ListGroups(groups)) => groups
            .iter()
            .map(|g| {
                format!("{} {} {} {}", g.group_id, g.protocol_type, g.group_state, g.group_type)
            })
            .collect(),
        other => panic!("not a ListGroups answer: {other:?}"),
    }
}

#[test]
fn offsets_of_subscribed_topics_cannot_be_deleted() {
    let mut world = World::new(settings());
    assert_eq!(error(delete_offset(&mut world, "t").error_code), ErrorCode::GroupIdNotFound);
    let (generation, ids) = world.stable_group(1);
    let mut request = commit_request(&ids[0], generation, 1);
    request.topics.push(request.topics[0].clone());
    request.topics[1].name = Str::from("other");
    commit(&mut world, 8, request);
    let response = delete_offset(&mut world, "t");
    let refused = error(response.topics[0].partitions[0].error_code);
    assert_eq!((response.error_code, refused), (0, ErrorCode::GroupSubscribedToTopic));
    assert_eq!(delete_offset(&mut world, "other").topics[0].partitions[0].error_code, 0);
    assert_eq!(delete_offset(&mut world, "never").topics[0].partitions[0].error_code, 0);
    let offsets = world.shard.hard().offsets().committed().of_group(GROUP).unwrap();
    assert_eq!(offsets.keys().map(Str::as_str).collect::<Vec<_>>(), ["t"]);
    world.leave(&[(&ids[0], None)]);
    assert_eq!(delete_offset(&mut world, "t").topics[0].partitions[0].error_code, 0);
    assert!(world.shard.hard().offsets().committed().of_group(GROUP).is_none());
}

#[test]
fn offsets_of_a_live_group_of_another_kind_cannot_be_deleted() {
    let mut world = World::new(settings());
    let mut request = join_request("", None);
    request.protocol_type = Str::from("connect");
    world.join(3, request);
    assert_eq!(error(delete_offset(&mut world, "t").error_code), ErrorCode::NonEmptyGroup);
}

#[test]
fn only_groups_without_members_are_deleted() {
    let mut world = World::new(settings());
    assert_eq!(delete_group(&mut world), ErrorCode::GroupIdNotFound);
    let (generation, ids) = world.stable_group(1);
    commit(&mut world, 8, commit_request(&ids[0], generation, 1));
    assert_eq!(delete_group(&mut world), ErrorCode::NonEmptyGroup);
    world.leave(&[(&ids[0], None)]);
    assert_eq!(delete_group(&mut world), ErrorCode::None);
    assert_eq!(world.state(), None);
    world.restart();
    assert_eq!(world.state(), None);
    assert!(world.shard.hard().offsets().committed().of_group(GROUP).is_none());
    assert_eq!(delete_group(&mut world), ErrorCode::GroupIdNotFound);
}

/// A pending member of a deleted group is a stranger.
#[test]
fn a_deleted_group_forgets_pending_members() {
    let mut world = World::new(settings());
    let token = world.join(9, join_request("", None));
    let id = world.joined(token).unwrap().member_id;
    assert_eq!(delete_group(&mut world), ErrorCode::None);
    let token = world.join(9, join_request(&id, None));
    assert_eq!(error(world.joined(token).unwrap().error_code), ErrorCode::UnknownMemberId);
}

#[test]
fn offsets_go_with_their_topic() {
    let mut world = World::new(settings());
    commit(&mut world, 8, commit_request("", -1, 1));
    let deleted = |id| vec![(Str::from("u"), TOPIC_ID), (Str::from("t"), id)];
    world.handle(Command::TopicsDeleted { topics: deleted(Uuid([1; 16])) });
    assert_eq!(world.log.len(), 1, "those of a successor stay");
    world.handle(Command::TopicsDeleted { topics: deleted(TOPIC_ID) });
    assert!(world.shard.hard().offsets().committed().of_group(GROUP).is_none());
    assert_eq!(world.log.len(), 2);
    assert_eq!(world.state(), Some(State::Empty));
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut world = World::new(settings());
    let (_, ids) = world.stable_group(1);
    let mut other = commit_request("", -1, 1);
    other.group_id = Str::from("simple");
    commit(&mut world, 8, other);
    assert_eq!(list(&mut world, &[], &[]), ["simple  Empty classic", "g consumer Stable classic"]);
    assert_eq!(list(&mut world, &["stable"], &["CLASSIC"]), ["g consumer Stable classic"]);
    assert_eq!(list(&mut world, &["Empty"], &[]), ["simple  Empty classic"]);
    assert_eq!(list(&mut world, &["nonsense"], &[]), [""; 0]);
    assert_eq!(list(&mut world, &[], &["consumer"]), [""; 0]);
    world.join(3, join_request(&ids[0], None));
    assert_eq!(list(&mut world, &["CompletingRebalance"], &[]).len(), 1);
}

#[test]
fn groups_are_described_as_they_are() {
    let mut world = World::new(settings());
    let dead = describe(&mut world, 5);
    assert_eq!((error(dead.error_code), dead.group_state.as_str()), (ErrorCode::None, "Dead"));
    let missing = describe(&mut world, 6);
    assert_eq!(error(missing.error_code), ErrorCode::GroupIdNotFound);
    assert_eq!(missing.error_message.as_deref(), Some("Group g not found."));
    let (_, ids) = world.stable_group(1);
    let stable = describe(&mut world, 6);
    assert_eq!((stable.group_state.as_str(), stable.protocol_data.as_str()), ("Stable", "range"));
    let member = &stable.members[0];
    assert_eq!((member.client_id.as_str(), member.client_host.as_str()), ("client", "/127.0.0.1"));
    assert_eq!(member.member_assignment, ids[0].as_bytes());
    assert!(!member.member_metadata.is_empty());
    world.join(3, join_request("", None));
    let preparing = describe(&mut world, 6);
    assert_eq!(preparing.group_state, "PreparingRebalance");
    assert_eq!((preparing.protocol_data.as_str(), preparing.members.len()), ("", 2));
    assert!(preparing.members[0].member_metadata.is_empty());
}
