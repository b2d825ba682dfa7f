//! LeaveGroup: by members, by administrators, in batches.

use ottla_coordinator::group::classic::State;
use ottla_coordinator::{Command, Reply};
use ottla_protocol::messages::LeaveGroupRequest;
use ottla_protocol::{ErrorCode, Str};

use crate::world::{GROUP, World, error, join_request, settings};

#[test]
fn whoever_leaves_is_gone_at_once() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(2);
    assert_eq!(world.leave(&[(&ids[0], None)]), [ErrorCode::None]);
    assert_eq!(world.heartbeat(&ids[0], generation), ErrorCode::UnknownMemberId);
    assert_eq!(world.heartbeat(&ids[1], generation), ErrorCode::RebalanceInProgress);
    let token = world.join(3, join_request(&ids[1], None));
    let answer = world.joined(token).unwrap();
    assert_eq!((answer.leader, answer.members.len()), (ids[1].clone(), 1));
    assert_eq!(world.leave(&[(&ids[1], None)]), [ErrorCode::None]);
    assert_eq!(world.state(), Some(State::Empty));
}

#[test]
fn a_batch_gets_an_answer_each() {
    let mut world = World::new(settings());
    assert_eq!(world.leave(&[("x", None), ("", Some("i"))]), [ErrorCode::UnknownMemberId; 2]);
    let token = world.join(5, join_request("", Some("i")));
    let member = world.joined(token).unwrap().member_id;
    let pending = world.join(5, join_request("", None));
    let pending = world.joined(pending).unwrap().member_id;
    let answers = world.leave(&[
        ("", Some("nobody")),
        ("", None),
        ("stranger", None),
        (&member, Some("nobody")),
        ("stranger", Some("i")),
        (&pending, None),
        ("", Some("i")),
        (&member, None),
    ]);
    assert_eq!(
        answers,
        [
            ErrorCode::UnknownMemberId,
            ErrorCode::UnknownMemberId,
            ErrorCode::UnknownMemberId,
            ErrorCode::UnknownMemberId,
            ErrorCode::FencedInstanceId,
            ErrorCode::None,
            ErrorCode::None,
            ErrorCode::UnknownMemberId,
        ]
    );
    assert_eq!(world.state(), Some(State::Empty));
}

#[test]
fn the_last_one_awaited_leaves_and_the_others_go_on() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(2);
    let newcomer = world.join(3, join_request("", None));
    let second = world.join(3, join_request(&ids[1], None));
    assert_eq!(world.joined(second), None);
    world.leave(&[(&ids[0], None)]);
    assert_eq!(world.joined(second).unwrap().generation_id, generation + 1);
    assert_eq!(world.joined(newcomer).unwrap().generation_id, generation + 1);
}

/// A member that leaves while its JoinGroup is parked gets an answer to both.
#[test]
fn leaving_answers_the_parked_join() {
    let mut world = World::new(settings());
    world.stable_group(1);
    let token = world.join(3, join_request("", None));
    let parked = world.soft.group(GROUP).unwrap().members().find(|m| m.parked_join.is_some());
    let id = parked.unwrap().member_id.clone();
    assert_eq!(world.leave(&[(&id, None)]), [ErrorCode::None]);
    let answer = world.joined(token).unwrap();
    assert_eq!(error(answer.error_code), ErrorCode::UnknownMemberId);
}

#[test]
fn before_version_3_one_member_leaves() {
    let mut world = World::new(settings());
    let (_, ids) = world.stable_group(1);
    let mut ask = |group_id: &'static str, member_id: &Str| {
        let token = world.token();
        let request = LeaveGroupRequest {
            group_id: Str::from(group_id),
            member_id: member_id.clone(),
            ..Default::default()
        };
        world.handle(Command::LeaveGroup { token, version: 2, request });
        match world.answer(token) {
            Some(Reply::LeaveGroup(response)) => response,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(error(ask("", &ids[0]).error_code), ErrorCode::InvalidGroupId);
    assert_eq!(error(ask(GROUP, &ids[0]).members[0].error_code), ErrorCode::None);
    assert_eq!(error(ask(GROUP, &ids[0]).members[0].error_code), ErrorCode::UnknownMemberId);
}
