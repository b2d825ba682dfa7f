//! Ways in which other coordinators have lost or doubled what they keep, one test each. The numbers
//! are those of the project's list of such ways.

use ottla_coordinator::group::classic::State;
use ottla_coordinator::{Command, GroupSettings, Shard};
use ottla_protocol::messages::LeaveGroupRequest;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::{ErrorCode, Str};

use crate::offsets::{commit, commit_request};
use crate::world::{GROUP, World, join_request, settings, sync_request};

const HOUR_MS: i64 = 3_600_000;

/// Row 2: two failovers in quick succession. The second coordinator has read, and nobody has asked it
/// anything, when the third takes over: what was acknowledged is there, members and offsets.
#[test]
fn row_2_two_failovers_in_a_row_lose_nothing() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(2);
    commit(&mut world, 8, commit_request(&ids[0], generation, 7));
    let before = world.shard.hard().clone();
    world.restart();
    world.restart();
    assert_eq!(*world.shard.hard(), before);
    for id in &ids {
        assert_eq!(world.heartbeat(id, generation), ErrorCode::None, "the members go on");
    }
    let committed = commit(&mut world, 8, commit_request(&ids[1], generation, 8));
    assert_eq!(committed.topics[0].partitions[0].error_code, 0);
}

/// Row 16: a write failed, and the coordinator went on with what it had meant to write
/// (KAFKA-15784). Here: whatever is refused by the log, the state is what the log says.
#[test]
fn row_16_after_a_refused_write_the_state_is_what_the_log_says() {
    let mut world = World::new(settings());
    let (generation, ids) = world.stable_group(1);
    commit(&mut world, 8, commit_request(&ids[0], generation, 7));
    let member_id = ids[0].clone();
    let leave = LeaveGroupRequest {
        group_id: Str::from(GROUP),
        members: vec![MemberIdentity { member_id, ..MemberIdentity::default() }],
        ..Default::default()
    };
    let token = world.token();
    let offset = commit_request(&ids[0], generation, 8);
    refuse(&mut world, Command::OffsetCommit { token, version: 8, request: offset });
    let token = world.token();
    refuse(&mut world, Command::LeaveGroup { token, version: 5, request: leave });
    // The member is still one, in its generation, and its commit is the one that was written.
    assert_eq!(world.soft.group(GROUP).map(|group| group.state()), Some(State::Stable));
    assert_eq!(world.heartbeat(&ids[0], generation), ErrorCode::None);
    let answered = commit(&mut world, 8, commit_request(&ids[0], generation, 9));
    assert_eq!(answered.topics[0].partitions[0].error_code, 0);
    let live = world.shard.hard().clone();
    world.restart();
    assert_eq!(*world.shard.hard(), live);
}

/// The log does not take the command's records.
fn refuse(world: &mut World, command: Command) {
    let before = world.shard.hard().clone();
    let decision = world.shard.handle(&mut world.soft, world.now, command);
    assert!(!decision.records.is_empty(), "there is something to refuse");
    let revert = Command::Revert { groups: decision.groups, error: ErrorCode::NotCoordinator };
    world.handle(revert);
    assert_eq!(*world.shard.hard(), before);
    let mut replayed = Shard::new(settings());
    for (offset, record) in world.log.iter().enumerate() {
        replayed.replay(offset as i64, -1, record).unwrap();
    }
    assert_eq!(*world.shard.hard(), *replayed.hard());
}

/// Row 23: offsets expired while their group had members (KAFKA-4682, KIP-211), or were looked at
/// before the new coordinator knew of the members. They stay through failovers, however short their
/// retention and however long the group commits nothing.
#[test]
fn row_23_offsets_of_a_live_group_outlive_failovers() {
    let settings = GroupSettings { offsets_retention_ms: HOUR_MS, ..settings() };
    let mut world = World::new(settings);
    let (generation, ids) = world.stable_group(1);
    commit(&mut world, 8, commit_request(&ids[0], generation, 7));
    for step in 0..(4 * HOUR_MS / 9_000) {
        world.advance(9_000);
        if step % 100 == 99 {
            world.restart();
        }
        assert_eq!(world.heartbeat(&ids[0], generation), ErrorCode::None);
    }
    assert_eq!(world.shard.hard().offsets().topics().count(), 1);
}

/// Row B2: what was answered must be in the log, so that the next coordinator has it. A member that
/// was told its share is a member in the log.
#[test]
fn row_b2_a_member_that_has_its_share_is_in_the_log() {
    let mut world = World::new(settings());
    let joining = world.join(3, join_request("", None));
    let joined = world.joined(joining).unwrap();
    let (id, generation) = (joined.member_id, joined.generation_id);
    let syncing = world.sync(sync_request(&id, generation, &[(&id, "share")]));
    assert_eq!(&world.synced(syncing).unwrap().assignment[..], b"share");
    world.restart();
    assert_eq!(world.heartbeat(&id, generation), ErrorCode::None);
}
