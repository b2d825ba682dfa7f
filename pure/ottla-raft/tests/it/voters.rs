//! Voters that come, go and move while the quorum works (KIP-853).

use ottla_protocol::ErrorCode;
use ottla_raft::message::{AddVoter, RemoveVoter, Request, UpdateVoter};
use ottla_raft::{Event, NodeId, RoleName};

use crate::world::{Faults, QUIET, World, key, voter};

fn ids(world: &World) -> Vec<i32> {
    world.voters().ids().iter().map(|id| id.0).collect()
}

fn add(id: i32) -> Request {
    Request::AddVoter(AddVoter { voter: voter(NodeId(id)), ack_when_committed: true })
}

fn remove(id: i32) -> Request {
    Request::RemoveVoter(RemoveVoter { voter: key(NodeId(id)) })
}

fn settled(seed: u64, voters: i32, observers: i32) -> (World, NodeId) {
    let mut world = World::dynamic(seed, voters, observers, QUIET);
    world.run(10_000);
    let leader = world.leader().expect("a leader");
    (world, leader)
}

/// Asks the leader, and gives the quorum time to commit.
fn change(world: &mut World, request: Request) -> Option<ErrorCode> {
    let leader = world.leader().expect("a leader");
    let before = world.changes.len();
    world.ask(leader, request);
    world.run(2_000);
    world.changes.get(before).copied()
}

#[test]
fn the_first_leader_writes_the_voters_of_the_format_into_the_log() {
    let (world, leader) = settled(1, 3, 1);
    assert_eq!(ids(&world), [1, 2, 3]);
    for node in world.nodes.values() {
        let raft = node.raft.as_ref().unwrap();
        assert_eq!(raft.voters().ids().len(), 3, "the observer learned of them");
        assert_eq!(raft.kraft_version(), 1);
    }
    assert_eq!(world.nodes[&leader].raft.as_ref().unwrap().epoch_start(), Some(0));
}

#[test]
fn a_replica_that_is_caught_up_becomes_a_voter() {
    let (mut world, _) = settled(2, 1, 2);
    assert_eq!(change(&mut world, add(2)), Some(ErrorCode::None));
    assert_eq!(change(&mut world, add(3)), Some(ErrorCode::None));
    assert_eq!(ids(&world), [1, 2, 3]);
    assert_eq!(change(&mut world, add(3)), Some(ErrorCode::DuplicateVoter));
    // The first one is no longer needed.
    world.crash(NodeId(1));
    world.run(10_000);
    assert!(world.leader().is_some_and(|leader| leader != NodeId(1)));
}

#[test]
fn a_replica_that_nobody_has_heard_of_does_not() {
    let (mut world, _) = settled(3, 3, 0);
    assert_eq!(change(&mut world, add(4)), Some(ErrorCode::RequestTimedOut));
    assert_eq!(ids(&world), [1, 2, 3]);
}

#[test]
fn a_voter_without_the_listener_of_the_quorum_is_refused() {
    let (mut world, _) = settled(4, 3, 1);
    let mut unreachable = voter(NodeId(4));
    unreachable.endpoints.clear();
    let request = AddVoter { voter: unreachable, ack_when_committed: true };
    let refused = change(&mut world, Request::AddVoter(request));
    assert_eq!(refused, Some(ErrorCode::InvalidRequest));
    let mut ancient = voter(NodeId(4));
    ancient.kraft_versions = (0, 0);
    let request = AddVoter { voter: ancient, ack_when_committed: true };
    let refused = change(&mut world, Request::AddVoter(request));
    assert_eq!(refused, Some(ErrorCode::InvalidRequest));
}

#[test]
fn a_follower_that_is_removed_observes() {
    let (mut world, leader) = settled(5, 3, 0);
    let gone = (1..=3).find(|id| NodeId(*id) != leader).unwrap();
    assert_eq!(change(&mut world, remove(gone)), Some(ErrorCode::None));
    assert_eq!(world.voters().len(), 2);
    assert_eq!(change(&mut world, remove(gone)), Some(ErrorCode::VoterNotFound));
    assert!(world.propose(leader, 3));
    world.run(5_000);
    let node = &world.nodes[&NodeId(gone)];
    assert_eq!(node.raft.as_ref().unwrap().role(), RoleName::Follower);
    assert_eq!(node.disk.history(), world.nodes[&leader].disk.history());
}

#[test]
fn a_leader_that_is_removed_hands_over_once_that_is_committed() {
    let (mut world, leader) = settled(6, 3, 0);
    assert_eq!(change(&mut world, remove(leader.0)), Some(ErrorCode::None));
    world.run(5_000);
    let next = world.leader().expect("a successor");
    assert_ne!(next, leader);
    assert_eq!(world.voters().len(), 2);
}

#[test]
fn the_last_voter_stays() {
    let (mut world, leader) = settled(7, 1, 0);
    assert_eq!(change(&mut world, remove(leader.0)), Some(ErrorCode::InvalidRequest));
    assert_eq!(ids(&world), [1]);
}

#[test]
fn voters_change_one_at_a_time() {
    let (mut world, leader) = settled(8, 3, 2);
    world.ask(leader, add(4));
    world.ask(leader, add(5));
    assert_eq!(world.changes, [ErrorCode::RequestTimedOut], "the first is not committed yet");
    world.run(2_000);
    assert_eq!(world.changes, [ErrorCode::RequestTimedOut, ErrorCode::None]);
    assert_eq!(ids(&world), [1, 2, 3, 4]);
}

#[test]
fn only_the_leader_changes_voters() {
    let (mut world, leader) = settled(9, 3, 1);
    let follower = (1..=3).map(NodeId).find(|id| *id != leader).unwrap();
    world.ask(follower, add(4));
    assert_eq!(world.changes, [ErrorCode::NotLeaderOrFollower]);
}

#[test]
fn a_quorum_of_the_configuration_cannot_change() {
    let mut world = World::new(10, 3, 1, QUIET);
    world.run(10_000);
    assert_eq!(change(&mut world, add(4)), Some(ErrorCode::UnsupportedVersion));
}

#[test]
fn a_voter_that_moves_tells_the_leader_by_itself() {
    let (mut world, leader) = settled(11, 3, 0);
    let moved = (1..=3).map(NodeId).find(|id| *id != leader).unwrap();
    let mut elsewhere = voter(moved);
    elsewhere.kraft_versions = (0, 2);
    let epoch = world.nodes[&leader].raft.as_ref().unwrap().election().epoch;
    for (told, error) in [
        (epoch - 1, ErrorCode::FencedLeaderEpoch),
        (epoch + 1, ErrorCode::UnknownLeaderEpoch),
        (epoch, ErrorCode::None),
    ] {
        let update = UpdateVoter { epoch: told, voter: elsewhere.clone() };
        assert_eq!(change(&mut world, Request::UpdateVoter(update)), Some(error));
    }
    // The replica itself knows better, and says so.
    world.run(5_000);
    assert_eq!(world.voters().get(moved), Some(&voter(moved)));
}

#[test]
fn a_controller_that_may_joins_by_itself() {
    let mut world = World::dynamic(12, 1, 2, QUIET);
    world.joiners = [2, 3].map(NodeId).into();
    for id in [2, 3].map(NodeId) {
        world.crash(id);
        world.start(id);
    }
    world.run(20_000);
    assert_eq!(ids(&world), [1, 2, 3]);
}

/// Any schedule of changes, deaths, cuts and lost frames: no committed record is lost, no epoch has two leaders, and a
/// quiet world comes to rest.
#[test]
fn changing_quorums_keep_their_promises() {
    for seed in 30_000..30_100 {
        let mut world = World::dynamic(seed, 1 + (seed % 3) as i32, 3, QUIET);
        world.faults = Faults {
            one_lost_in: [10, 50, i64::MAX][(seed % 3) as usize],
            one_doubled_in: [10, i64::MAX][(seed % 2) as usize],
            delay_ms: [2, 20, 200][(seed / 3 % 3) as usize],
            sync_ms: [1, 10, 100][(seed / 9 % 3) as usize],
        };
        let all = world.nodes.len() as i64;
        for _ in 0..60 {
            disturb(&mut world, all);
            let for_ms = 1 + world.dice.below(800);
            world.run(for_ms);
        }
        heal(&mut world, seed);
    }
}

fn disturb(world: &mut World, all: i64) {
    let any = NodeId(1 + world.dice.below(all) as i32);
    let other = NodeId(1 + world.dice.below(all) as i32);
    match world.dice.below(12) {
        0 => world.crash(any),
        1 => drop(world.cut.insert((any, other))),
        2 => world.cut.clear(),
        3 => world.snapshot(any),
        4 => world.event(any, Event::Resign),
        5..=7 => {
            let at = world.leader().unwrap_or(other);
            world.ask(at, add(any.0));
        }
        8 | 9 => {
            let at = world.leader().unwrap_or(other);
            world.ask(at, remove(any.0));
        }
        _ => {}
    }
    for id in (1..=all as i32).map(NodeId) {
        if world.nodes[&id].raft.is_none() && world.dice.one_in(3) {
            world.start(id);
        }
    }
    for _ in 0..world.dice.below(3) {
        let through = world.leader().unwrap_or(any);
        let count = 1 + world.dice.below(4);
        world.propose(through, count);
    }
}

fn heal(world: &mut World, seed: u64) {
    world.faults = QUIET;
    world.cut.clear();
    let all: Vec<NodeId> = world.nodes.keys().copied().collect();
    for id in &all {
        if world.nodes[id].raft.is_none() {
            world.start(*id);
        }
    }
    world.run(30_000);
    let leader = world.leader().unwrap_or_else(|| panic!("seed {seed}: nobody leads"));
    assert!(world.propose(leader, 3), "seed {seed}: the leader takes records");
    world.run(10_000);
    let end = world.nodes[&leader].disk.end();
    for id in &all {
        let node = &world.nodes[id];
        let committed = node.raft.as_ref().unwrap().committed();
        assert_eq!(committed, end, "seed {seed}: {id} knows all that is committed");
        assert_eq!(node.disk.history(), world.nodes[&leader].disk.history(), "seed {seed}");
    }
}
