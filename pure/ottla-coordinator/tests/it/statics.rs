//! Static members (KIP-345, KIP-814): restarts without rebalances, and fences.

use ottla_coordinator::group::classic::State;
use ottla_protocol::{ErrorCode, Str};

use crate::world::{
    REBALANCE_MS, SESSION_MS, World, error, join_request, protocol, settings, sync_request,
};

/// A stable group of static members `a` (the leader) and `b`.
fn group(world: &mut World) -> (i32, Str, Str) {
    let token = world.join(5, join_request("", Some("a")));
    let a = world.joined(token).unwrap().member_id;
    let second = world.join(5, join_request("", Some("b")));
    let first = world.join(5, join_request(&a, Some("a")));
    let generation = world.joined(first).unwrap().generation_id;
    let b = world.joined(second).unwrap().member_id;
    let leader = world.soft.group("g").unwrap().leader().unwrap().clone();
    world.sync(sync_request(&leader, generation, &[(&a, "for a"), (&b, "for b")]));
    let (leader, other) = if leader == a { (a, b) } else { (b, a) };
    (generation, leader, other)
}

#[test]
fn a_restarted_follower_disturbs_nobody() {
    for version in [5, 9] {
        let mut world = World::new(settings());
        let (generation, leader, former) = group(&mut world);
        let token = world.join(version, join_request("", Some("b")));
        let answer = world.joined(token).unwrap();
        assert_eq!((answer.error_code, answer.generation_id), (0, generation));
        assert_ne!(answer.member_id, former);
        assert_eq!((answer.leader, answer.skip_assignment), (leader.clone(), false));
        assert!(answer.members.is_empty());
        assert_eq!(world.state(), Some(State::Stable));
        let token = world.sync(sync_request(&answer.member_id, generation, &[]));
        assert_eq!(&world.synced(token).unwrap().assignment[..], b"for b");
        // The former self is fenced by name, unknown by id.
        let fenced = world.heartbeat_as(&former, Some("b"), generation);
        assert_eq!(fenced, ErrorCode::FencedInstanceId);
        assert_eq!(world.heartbeat(&former, generation), ErrorCode::UnknownMemberId);
        let mut sync = sync_request(&former, generation, &[]);
        sync.group_instance_id = Some(Str::from("b"));
        let token = world.sync(sync);
        assert_eq!(error(world.synced(token).unwrap().error_code), ErrorCode::FencedInstanceId);
        let token = world.join(version, join_request(&former, Some("b")));
        assert_eq!(error(world.joined(token).unwrap().error_code), ErrorCode::FencedInstanceId);
        assert_eq!(world.leave(&[(&former, Some("b"))]), [ErrorCode::FencedInstanceId]);
        world.restart();
        assert_eq!(world.heartbeat_as(&answer.member_id, Some("b"), generation), ErrorCode::None);
    }
}

/// A restarted leader keeps the assignment: by the flag, or by not being told that it leads.
#[test]
fn a_restarted_leader_keeps_the_assignment() {
    let mut world = World::new(settings());
    let (generation, former, _) = group(&mut world);
    let token = world.join(9, join_request("", Some("a")));
    let answer = world.joined(token).unwrap();
    assert!(answer.skip_assignment);
    assert_eq!((&answer.leader, answer.members.len()), (&answer.member_id, 2));
    assert_eq!(answer.generation_id, generation);
    let token = world.sync(sync_request(&answer.member_id, generation, &[]));
    assert_eq!(&world.synced(token).unwrap().assignment[..], b"for a");

    let mut world = World::new(settings());
    let (_, former_too, _) = group(&mut world);
    assert_eq!(former, former_too);
    let token = world.join(8, join_request("", Some("a")));
    let answer = world.joined(token).unwrap();
    assert_eq!((answer.leader, answer.skip_assignment), (former, false));
    assert!(answer.members.is_empty());
}

/// Other protocols than before mean a rebalance only if they change the choice.
#[test]
fn a_restart_with_another_protocol_rebalances() {
    let mut world = World::new(settings());
    let token = world.join(5, join_request("", Some("a")));
    let a = world.joined(token).unwrap().member_id;
    world.sync(sync_request(&a, 1, &[]));
    let mut request = join_request("", Some("a"));
    request.protocols = vec![protocol("sticky", b""), protocol("range", b"")];
    let token = world.join(5, request);
    let answer = world.joined(token).unwrap();
    assert_eq!((answer.generation_id, answer.protocol_name.as_deref()), (2, Some("sticky")));
}

/// While members wait for their shares, a restart changes the ids the leader knows: join again.
#[test]
fn a_restart_before_the_assignment_rebalances() {
    let mut world = World::new(settings());
    let (generation, leader, follower) = group(&mut world);
    world.join(5, join_request(&leader, Some("a")));
    world.join(5, join_request(&follower, Some("b")));
    assert_eq!(world.state(), Some(State::CompletingRebalance));
    let mut sync = sync_request(&follower, generation + 1, &[]);
    sync.group_instance_id = Some(Str::from("b"));
    let parked = world.sync(sync);
    let token = world.join(5, join_request("", Some("b")));
    assert_eq!(error(world.synced(parked).unwrap().error_code), ErrorCode::FencedInstanceId);
    assert_eq!(world.joined(token), None);
    assert_eq!(world.state(), Some(State::PreparingRebalance));
    world.join(5, join_request(&leader, Some("a")));
    assert_eq!(world.joined(token).unwrap().generation_id, generation + 2);
}

/// A duplicate of a static member that waits to join is told so.
#[test]
fn a_parked_join_of_the_former_self_is_fenced() {
    let mut world = World::new(settings());
    let (generation, leader, follower) = group(&mut world);
    let mut changed = join_request(&follower, Some("b"));
    changed.protocols[0].metadata = bytes::Bytes::from_static(b"x");
    let parked = world.join(5, changed);
    assert_eq!(world.joined(parked), None);
    let token = world.join(5, join_request("", Some("b")));
    assert_eq!(error(world.joined(parked).unwrap().error_code), ErrorCode::FencedInstanceId);
    world.join(5, join_request(&leader, Some("a")));
    assert_eq!(world.joined(token).unwrap().generation_id, generation + 1);
}

/// Absent static members outlast a rebalance, not their session.
#[test]
fn static_members_stay_until_their_session_ends() {
    let mut world = World::new(settings());
    let (generation, leader, follower) = group(&mut world);
    let token = world.join(5, join_request(&leader, Some("a")));
    for _ in 0..5 {
        let left = i64::from(REBALANCE_MS) / 5;
        world.advance(left);
        world.heartbeat_as(&follower, Some("b"), generation);
    }
    let answer = world.joined(token).unwrap();
    assert_eq!((answer.generation_id, answer.members.len()), (generation + 1, 2));
    world.sync(sync_request(&leader, generation + 1, &[]));
    world.advance(i64::from(SESSION_MS) - 1);
    assert_eq!(world.heartbeat_as(&leader, Some("a"), generation + 1), ErrorCode::None);
    world.advance(1);
    let gone = world.heartbeat_as(&follower, Some("b"), generation);
    assert_eq!(gone, ErrorCode::UnknownMemberId);
}

#[test]
fn an_unknown_instance_is_no_member() {
    let mut world = World::new(settings());
    let (generation, leader, _) = group(&mut world);
    let unknown = world.heartbeat_as(&leader, Some("z"), generation);
    assert_eq!(unknown, ErrorCode::UnknownMemberId);
    let token = world.join(5, join_request(&leader, Some("z")));
    assert_eq!(error(world.joined(token).unwrap().error_code), ErrorCode::UnknownMemberId);
}
