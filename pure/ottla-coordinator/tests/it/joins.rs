//! JoinGroup: every answer it can give, and when.

use ottla_coordinator::group::classic::State;
use ottla_coordinator::{GroupSettings, Token};
use ottla_protocol::messages::JoinGroupRequest;
use ottla_protocol::{ErrorCode, Str};

use crate::world::{
    REBALANCE_MS, SESSION_MS, World, error, join_request, protocol, settings, sync_request,
};

fn refused(world: &mut World, version: i16, request: JoinGroupRequest) -> ErrorCode {
    let token = world.join(version, request);
    error(world.joined(token).expect("answered at once").error_code)
}

#[test]
fn bad_requests_are_refused_before_a_group_exists() {
    let mut world = World::new(settings());
    let with = |change: fn(&mut JoinGroupRequest)| {
        let mut request = join_request("", None);
        change(&mut request);
        request
    };
    let empty_id = with(|r| r.group_id = Str::default());
    assert_eq!(refused(&mut world, 5, empty_id), ErrorCode::InvalidGroupId);
    let short = with(|r| r.session_timeout_ms = 5_999);
    assert_eq!(refused(&mut world, 5, short), ErrorCode::InvalidSessionTimeout);
    let long = with(|r| r.session_timeout_ms = 1_800_001);
    assert_eq!(refused(&mut world, 5, long), ErrorCode::InvalidSessionTimeout);
    let known = with(|r| r.member_id = Str::from("somebody"));
    assert_eq!(refused(&mut world, 5, known), ErrorCode::UnknownMemberId);
    assert_eq!(world.state(), None);
    let no_protocols = with(|r| r.protocols.clear());
    assert_eq!(refused(&mut world, 5, no_protocols), ErrorCode::InconsistentGroupProtocol);
    let no_type = with(|r| r.protocol_type = Str::default());
    assert_eq!(refused(&mut world, 5, no_type), ErrorCode::InconsistentGroupProtocol);
}

/// From version 4 on a dynamic member first gets its id, and then has its session to come back.
#[test]
fn a_dynamic_member_learns_its_id_first() {
    let mut world = World::new(settings());
    let token = world.join(4, join_request("", None));
    let answer = world.joined(token).unwrap();
    assert_eq!(error(answer.error_code), ErrorCode::MemberIdRequired);
    assert_eq!(answer.member_id, "client-0001");
    assert_eq!(answer.generation_id, -1);
    assert_eq!(world.log.len(), 1, "the new group is on record");
    let token = world.join(4, join_request("client-0001", None));
    let answer = world.joined(token).unwrap();
    assert_eq!((answer.error_code, answer.generation_id), (0, 1));
    assert_eq!(answer.leader, answer.member_id);
    assert_eq!(answer.protocol_name.as_deref(), Some("range"));
    assert_eq!(answer.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(answer.members.len(), 1);
}

#[test]
fn an_id_that_is_not_used_is_forgotten() {
    let mut world = World::new(settings());
    let token = world.join(9, join_request("", None));
    let id = world.joined(token).unwrap().member_id;
    world.advance(i64::from(SESSION_MS));
    assert_eq!(refused(&mut world, 9, join_request(&id, None)), ErrorCode::UnknownMemberId);
    assert_eq!(world.state(), Some(State::Empty));
}

#[test]
fn older_dynamic_and_static_members_join_at_once() {
    for (version, instance) in [(0, None), (3, None), (5, Some("i")), (9, Some("i"))] {
        let mut world = World::new(settings());
        let token = world.join(version, join_request("", instance));
        let answer = world.joined(token).unwrap();
        assert_eq!((answer.error_code, answer.generation_id), (0, 1), "v{version}");
        let prefix = instance.unwrap_or("client");
        assert_eq!(answer.member_id, format!("{prefix}-0001"));
    }
}

/// The first rebalance waits for more members, a little longer for each round that brings some,
/// never longer than the rebalance timeout.
#[test]
fn the_first_rebalance_is_delayed_while_members_come() {
    let mut world = World::new(GroupSettings { initial_rebalance_delay_ms: 3_000, ..settings() });
    let first = world.join(3, join_request("", None));
    world.advance(2_999);
    let second = world.join(3, join_request("", None));
    world.advance(1);
    assert_eq!(world.joined(first), None, "a member came: delayed again");
    world.advance(3_000);
    assert_eq!(world.joined(first).unwrap().generation_id, 1);
    assert_eq!(world.joined(second).unwrap().generation_id, 1);

    let mut world = World::new(GroupSettings { initial_rebalance_delay_ms: 3_000, ..settings() });
    let first = world.join(3, join_request("", None));
    for _ in 0..9 {
        world.join(3, join_request("", None));
        world.advance(3_000);
        assert_eq!(world.joined(first), None);
    }
    world.join(3, join_request("", None));
    world.advance(3_000);
    assert_eq!(world.joined(first).unwrap().members.len(), 11, "at most the rebalance timeout");
}

/// A group that was emptied waits like a new one.
#[test]
fn an_emptied_group_is_delayed_again() {
    let mut world = World::new(GroupSettings { initial_rebalance_delay_ms: 3_000, ..settings() });
    let token = world.join(3, join_request("", None));
    world.advance(3_000);
    let id = world.joined(token).unwrap().member_id;
    assert_eq!(world.leave(&[(&id, None)]), [ErrorCode::None]);
    assert_eq!(world.state(), Some(State::Empty));
    let token = world.join(3, join_request("", None));
    world.advance(2_999);
    assert_eq!(world.joined(token), None);
    world.advance(1);
    assert_eq!(world.joined(token).unwrap().generation_id, 3);
}

#[test]
fn members_need_a_protocol_in_common() {
    let mut world = World::new(settings());
    world.stable_group(1);
    let mut other_type = join_request("", None);
    other_type.protocol_type = Str::from("connect");
    assert_eq!(refused(&mut world, 3, other_type), ErrorCode::InconsistentGroupProtocol);
    let mut other_name = join_request("", None);
    other_name.protocols = vec![protocol("sticky", b"")];
    assert_eq!(refused(&mut world, 3, other_name), ErrorCode::InconsistentGroupProtocol);
}

/// The protocol most members prefer among those all know.
#[test]
fn the_protocol_is_elected() {
    let mut world = World::new(GroupSettings { initial_rebalance_delay_ms: 10, ..settings() });
    let ballots: [&[&'static str]; 3] =
        [&["only-me", "range", "sticky"], &["sticky", "range"], &["sticky", "range", "x"]];
    let tokens: Vec<Token> = ballots
        .iter()
        .map(|names| {
            let mut request = join_request("", None);
            request.protocols = names.iter().map(|name| protocol(name, b"m")).collect();
            world.join(3, request)
        })
        .collect();
    world.advance(20);
    for token in tokens {
        assert_eq!(world.joined(token).unwrap().protocol_name.as_deref(), Some("sticky"));
    }
}

#[test]
fn a_full_group_takes_nobody() {
    let mut world = World::new(GroupSettings { max_size: 2, ..settings() });
    let (generation, ids) = world.stable_group(2);
    let refusal = refused(&mut world, 9, join_request("", None));
    assert_eq!(refusal, ErrorCode::GroupMaxSizeReached);
    assert_eq!(world.heartbeat(&ids[0], generation), ErrorCode::None);
    let again = world.join(3, join_request(&ids[1], None));
    assert_eq!(world.joined(again).unwrap().generation_id, generation);
}

/// A group that is over a lowered limit sheds the members that come last.
#[test]
fn a_group_over_the_limit_shrinks_when_loaded() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(3);
    let mut small = World::new(GroupSettings { max_size: 2, ..settings() });
    small.log = world.log.clone();
    small.restart();
    assert_eq!(small.state(), Some(State::PreparingRebalance));
    assert_eq!(small.heartbeat(&ids[0], generation), ErrorCode::RebalanceInProgress);
    let first = small.join(3, join_request(&ids[0], None));
    let second = small.join(3, join_request(&ids[1], None));
    let third = refused(&mut small, 3, join_request(&ids[2], None));
    assert_eq!(third, ErrorCode::GroupMaxSizeReached);
    small.advance(i64::from(REBALANCE_MS));
    assert_eq!(small.joined(first).unwrap().error_code, 0);
    assert_eq!(small.joined(second).unwrap().error_code, 0);
}

#[test]
fn a_follower_that_says_the_same_keeps_its_generation() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(2);
    let token = world.join(3, join_request(&ids[1], None));
    let answer = world.joined(token).unwrap();
    assert_eq!((answer.generation_id, answer.members.len()), (generation, 0));
    assert_eq!(world.state(), Some(State::Stable));
    // What differs starts a rebalance, and so does a leader that comes again.
    let mut changed = join_request(&ids[1], None);
    changed.protocols[0].metadata = bytes::Bytes::from_static(b"other");
    let token = world.join(3, changed);
    assert_eq!(world.joined(token), None);
    assert_eq!(world.state(), Some(State::PreparingRebalance));
    let leader = world.join(3, join_request(&ids[0], None));
    let answer = world.joined(leader).unwrap();
    assert_eq!((answer.generation_id, answer.members.len()), (generation + 1, 2));
    // In CompletingRebalance a lost answer is given again.
    let again = world.join(3, join_request(&ids[0], None));
    assert_eq!(world.joined(again).unwrap(), answer);
    world.sync(sync_request(&ids[0], generation + 1, &[]));
    let leader = world.join(3, join_request(&ids[0], None));
    assert_eq!(world.joined(leader), None);
    assert_eq!(world.state(), Some(State::PreparingRebalance));
}

/// Rebalance timeout: version 0 has none, 0 means none; both count as the session timeout.
#[test]
fn no_rebalance_timeout_means_the_session_timeout() {
    for (version, rebalance_timeout_ms) in [(0, -1), (1, 0), (3, -1)] {
        let mut world = World::new(settings());
        let mut request = join_request("", None);
        request.rebalance_timeout_ms = rebalance_timeout_ms;
        let token = world.join(version, request);
        let first = world.joined(token).unwrap();
        world.sync(sync_request(&first.member_id, 1, &[]));
        let second = world.join(3, join_request("", None));
        assert_eq!(world.heartbeat(&first.member_id, 1), ErrorCode::RebalanceInProgress);
        world.advance(5_000);
        let mut again = join_request(&first.member_id, None);
        again.rebalance_timeout_ms = rebalance_timeout_ms;
        let token = world.join(version, again);
        assert_eq!(world.joined(token).unwrap().generation_id, 2, "v{version}");
        assert_eq!(world.joined(second).unwrap().generation_id, 2);
    }
}

/// Members that do not come in time are out, the others go on.
#[test]
fn the_join_phase_ends_with_the_rebalance_timeout() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(2);
    let newcomer = world.join(3, join_request("", None));
    for _ in 0..4 {
        world.advance(7_000);
        for id in &ids {
            assert_eq!(world.heartbeat(id, generation), ErrorCode::RebalanceInProgress);
        }
    }
    let rejoined = world.join(3, join_request(&ids[1], None));
    assert_eq!(world.joined(newcomer), None);
    world.advance(2_000);
    let answer = world.joined(newcomer).unwrap();
    assert_eq!(answer.generation_id, generation + 1);
    assert_eq!(world.joined(rejoined).unwrap().generation_id, generation + 1);
    assert_eq!(world.heartbeat(&ids[0], generation), ErrorCode::UnknownMemberId);
}

/// A parked JoinGroup whose client may be gone does not stay for ever.
#[test]
fn a_new_member_is_given_up_after_five_minutes() {
    let mut world = World::new(GroupSettings { initial_rebalance_delay_ms: 400_000, ..settings() });
    let mut request = join_request("", None);
    request.rebalance_timeout_ms = 900_000;
    let token = world.join(3, request);
    world.advance(299_999);
    assert_eq!(world.joined(token), None);
    world.advance(1);
    assert_eq!(error(world.joined(token).unwrap().error_code), ErrorCode::UnknownMemberId);
    assert_eq!(world.state(), Some(State::Empty));
}

/// A name given twice is one protocol.
#[test]
fn a_protocol_given_twice_counts_once() {
    let mut world = World::new(settings());
    let mut request = join_request("", None);
    request.protocols.push(protocol("range", b"again"));
    let token = world.join(3, request);
    assert_eq!(world.joined(token).unwrap().protocol_name.as_deref(), Some("range"));
    assert_eq!(world.state(), Some(State::CompletingRebalance));
}
