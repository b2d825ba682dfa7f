//! SyncGroup and Heartbeat: every answer they can give, and when.

use ottla_coordinator::group::classic::State;
use ottla_protocol::messages::SyncGroupRequest;
use ottla_protocol::{ErrorCode, Str};

use crate::world::{REBALANCE_MS, SESSION_MS, World, error, join_request, settings, sync_request};

fn refused(world: &mut World, request: SyncGroupRequest) -> ErrorCode {
    let token = world.sync(request);
    error(world.synced(token).expect("answered at once").error_code)
}

#[test]
fn followers_wait_for_the_leader() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(2);
    let leader = world.join(3, join_request(&ids[0], None));
    let follower = world.join(3, join_request(&ids[1], None));
    assert_eq!(world.joined(leader).unwrap().generation_id, generation + 1);
    assert_eq!(world.joined(follower).unwrap().members.len(), 0);
    let follower = world.sync(sync_request(&ids[1], generation + 1, &[]));
    assert_eq!(world.synced(follower), None);
    assert_eq!(world.heartbeat(&ids[1], generation + 1), ErrorCode::None);
    let shares = [(ids[0].as_str(), "zero"), (ids[1].as_str(), "one")];
    let leader = world.sync(sync_request(&ids[0], generation + 1, &shares));
    assert_eq!(&world.synced(leader).unwrap().assignment[..], b"zero");
    let answer = world.synced(follower).unwrap();
    assert_eq!(&answer.assignment[..], b"one");
    assert_eq!(answer.protocol_name.as_deref(), Some("range"));
    // A stable group tells it again.
    let again = world.sync(sync_request(&ids[1], generation + 1, &[]));
    assert_eq!(world.synced(again).unwrap(), answer);
}

#[test]
fn every_refusal() {
    let mut world = World::new(settings());
    assert_eq!(refused(&mut world, sync_request("x", 1, &[])), ErrorCode::UnknownMemberId);
    let mut request = sync_request("x", 1, &[]);
    request.group_id = Str::default();
    assert_eq!(refused(&mut world, request), ErrorCode::InvalidGroupId);
    let (generation, ids) = world.stable_group(2);
    let ask = |generation| sync_request(&ids[0], generation, &[]);
    assert_eq!(refused(&mut world, sync_request("x", generation, &[])), ErrorCode::UnknownMemberId);
    assert_eq!(refused(&mut world, ask(generation - 1)), ErrorCode::IllegalGeneration);
    let mut request = ask(generation);
    request.protocol_type = Some(Str::from("connect"));
    assert_eq!(refused(&mut world, request), ErrorCode::InconsistentGroupProtocol);
    let mut request = ask(generation);
    request.protocol_name = Some(Str::from("sticky"));
    assert_eq!(refused(&mut world, request), ErrorCode::InconsistentGroupProtocol);
    let mut request = ask(generation);
    (request.protocol_type, request.protocol_name) = (None, None);
    assert_eq!(refused(&mut world, request), ErrorCode::None);
    let mut request = ask(generation);
    request.group_instance_id = Some(Str::from("i"));
    assert_eq!(refused(&mut world, request), ErrorCode::UnknownMemberId);
    world.join(3, join_request("", None));
    assert_eq!(refused(&mut world, ask(generation)), ErrorCode::RebalanceInProgress);
}

/// A rebalance that begins before the leader has spoken sends the followers back.
#[test]
fn a_parked_sync_is_sent_back_by_a_rebalance() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(2);
    world.join(3, join_request(&ids[0], None));
    world.join(3, join_request(&ids[1], None));
    let follower = world.sync(sync_request(&ids[1], generation + 1, &[]));
    world.join(3, join_request("", None));
    let answer = world.synced(follower).unwrap();
    assert_eq!(error(answer.error_code), ErrorCode::RebalanceInProgress);
}

/// Whoever joins and never fetches its share is out after the rebalance timeout.
#[test]
fn a_leader_that_never_syncs_is_removed() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(2);
    world.join(3, join_request(&ids[0], None));
    world.join(3, join_request(&ids[1], None));
    let follower = world.sync(sync_request(&ids[1], generation + 1, &[]));
    for _ in 0..(REBALANCE_MS / SESSION_MS) {
        assert_eq!(world.heartbeat(&ids[0], generation + 1), ErrorCode::None);
        world.advance(i64::from(SESSION_MS) - 1);
    }
    world.heartbeat(&ids[0], generation + 1);
    world.advance(10);
    let answer = world.synced(follower).unwrap();
    assert_eq!(error(answer.error_code), ErrorCode::RebalanceInProgress);
    assert_eq!(world.heartbeat(&ids[0], generation + 1), ErrorCode::UnknownMemberId);
    let token = world.join(3, join_request(&ids[1], None));
    assert_eq!(world.joined(token).unwrap().leader, ids[1]);
}

#[test]
fn heartbeats_keep_a_member_and_silence_loses_it() {
    let mut world = World::new(settings());
    assert_eq!(world.heartbeat(&Str::from("x"), 1), ErrorCode::UnknownMemberId);
    let (generation, ids) = world.stable_group(2);
    assert_eq!(world.heartbeat(&ids[0], generation + 1), ErrorCode::IllegalGeneration);
    assert_eq!(world.heartbeat(&Str::from("x"), generation), ErrorCode::UnknownMemberId);
    world.advance(i64::from(SESSION_MS) - 1);
    assert_eq!(world.heartbeat(&ids[0], generation), ErrorCode::None);
    world.advance(1);
    assert_eq!(world.heartbeat(&ids[0], generation), ErrorCode::RebalanceInProgress);
    assert_eq!(world.heartbeat(&ids[1], generation), ErrorCode::UnknownMemberId);
    world.advance(i64::from(SESSION_MS));
    assert_eq!(world.state(), Some(State::Empty));
    let last = world.shard.hard().groups()["g"].clone();
    assert_eq!((last.generation, last.members.len()), (generation + 1, 0));
    assert_eq!(last.protocol_type.as_deref(), Some("consumer"));
}

/// After a restart each member has one session to be heard of, and keeps generation and share.
#[test]
fn a_restart_keeps_a_stable_group() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(3);
    world.restart();
    world.advance(i64::from(SESSION_MS) - 1);
    for id in &ids {
        assert_eq!(world.heartbeat(id, generation), ErrorCode::None);
        let token = world.sync(sync_request(id, generation, &[]));
        assert_eq!(world.synced(token).unwrap().assignment, id.as_bytes());
    }
    world.advance(i64::from(SESSION_MS));
    assert_eq!(world.state(), Some(State::Empty));
}

/// A share for somebody who is no member is ignored; a member that got none has an empty one.
#[test]
fn shares_of_strangers_are_ignored() {
    let mut world = World::new(settings());
    let token = world.join(3, join_request("", None));
    let id = world.joined(token).unwrap().member_id;
    let token = world.sync(sync_request(&id, 1, &[("stranger", "all")]));
    assert!(world.synced(token).unwrap().assignment.is_empty());
}
