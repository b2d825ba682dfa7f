//! One rule of KRaft a test.

use ottla_raft::{Event, NodeId, RoleName};

use crate::world::{QUIET, World};

fn role(world: &World, id: NodeId) -> RoleName {
    world.nodes[&id].raft.as_ref().unwrap().role()
}

#[test]
fn a_quorum_of_one_leads_at_once() {
    let world = World::new(1, 1, 0, QUIET);
    assert_eq!((role(&world, NodeId(1)), world.now_ms), (RoleName::Leader, 0));
}

#[test]
fn a_leader_that_hears_of_no_majority_resigns() {
    let mut world = World::new(2, 3, 0, QUIET);
    world.run(10_000);
    let leader = world.leader().unwrap();
    for other in (1..=3).map(NodeId).filter(|other| *other != leader) {
        world.cut.insert((other, leader));
    }
    world.run(3_100);
    assert_ne!(role(&world, leader), RoleName::Leader, "check-quorum, KIP-595");
}

#[test]
fn a_voter_that_was_cut_off_disturbs_nobody_when_it_comes_back() {
    let mut world = World::new(3, 3, 0, QUIET);
    world.run(10_000);
    let leader = world.leader().unwrap();
    let epoch = world.nodes[&leader].raft.as_ref().unwrap().election().epoch;
    let cut_off = (1..=3).map(NodeId).find(|id| *id != leader).unwrap();
    for other in (1..=3).map(NodeId) {
        world.cut.insert((other, cut_off));
        world.cut.insert((cut_off, other));
    }
    world.run(30_000);
    world.cut.clear();
    world.run(10_000);
    let now = world.nodes[&leader].raft.as_ref().unwrap().election().epoch;
    assert_eq!((world.leader(), now), (Some(leader), epoch), "a pre-vote costs no epoch, KIP-996");
    assert_eq!(role(&world, cut_off), RoleName::Follower);
}

#[test]
fn a_leader_that_resigns_is_succeeded_without_a_timeout() {
    let mut world = World::new(4, 3, 0, QUIET);
    world.run(10_000);
    let leader = world.leader().unwrap();
    world.event(leader, Event::Resign);
    world.run(300);
    let next = world.leader();
    assert!(next.is_some_and(|next| next != leader), "the first successor asks at once: {next:?}");
}

/// A broker that was joined to a cluster knows bootstrap servers alone. After a restart it remembers who leads, and was
/// never told where: it did not register. Where there is one controller, nobody but the leader can tell.
#[test]
fn an_observer_that_restarts_learns_where_its_leader_is() {
    for voters in [1, 3] {
        let mut world = World::new(5, voters, 1, QUIET);
        let observer = NodeId(voters + 1);
        world.crash(observer);
        world.by_servers = true;
        world.start(observer);
        world.run(10_000);
        let leader = world.leader().unwrap();
        let told = |world: &World| world.nodes[&observer].told.clone();
        assert!(told(&world).is_some_and(|(id, address)| id == leader && !address.is_empty()));
        world.crash(observer);
        world.start(observer);
        world.run(10_000);
        assert_eq!(world.leader(), Some(leader));
        assert!(told(&world).is_some_and(|(id, address)| id == leader && !address.is_empty()));
        assert_eq!(role(&world, observer), RoleName::Follower, "{voters} voters");
    }
}
