//! `kraft.version` raised from 0 to 1 while the quorum works: what the configuration said of the voters, the log says then.

use ottla_protocol::ErrorCode;
use ottla_raft::message::{AddVoter, RemoveVoter, Request};
use ottla_raft::{Event, NodeId};

use crate::world::{Faults, QUIET, World, key, voter};

fn settled(seed: u64, faults: Faults) -> World {
    let mut world = World::new(seed, 3, 1, faults);
    world.run(10_000);
    world
}

/// Asks the leader, and gives the quorum time to commit.
fn raise(world: &mut World, version: i16, dry: bool) -> Option<ErrorCode> {
    let leader = world.leader().expect("a leader");
    let before = world.changes.len();
    world.ask_with(leader, |token| Event::Upgrade { token, version, dry });
    world.run(2_000);
    world.changes.get(before).copied()
}

fn change(world: &mut World, request: Request) -> Option<ErrorCode> {
    let leader = world.leader().expect("a leader");
    let before = world.changes.len();
    world.ask(leader, request);
    world.run(2_000);
    world.changes.get(before).copied()
}

fn versions(world: &World) -> Vec<i16> {
    let rafts = world.nodes.values().filter_map(|node| node.raft.as_ref());
    rafts.map(ottla_raft::Raft::kraft_version).collect()
}

/// Goal: the voters of the configuration get into the log with their directories, on every replica, and may change then.
#[test]
fn a_quorum_of_the_configuration_becomes_one_of_the_log() {
    let mut world = settled(1, QUIET);
    assert_eq!(raise(&mut world, 1, true), Some(ErrorCode::None));
    assert_eq!(versions(&world), [0; 4], "it was only asked");
    assert_eq!(raise(&mut world, 1, false), Some(ErrorCode::None));
    assert_eq!(versions(&world), [1; 4]);
    let keys: Vec<_> = world.voters().iter().map(|voter| voter.key).collect();
    assert_eq!(keys, [1, 2, 3].map(|id| key(NodeId(id))));
    assert_eq!(raise(&mut world, 1, false), Some(ErrorCode::None), "nothing is left to do");
    assert_eq!(raise(&mut world, 0, false), Some(ErrorCode::InvalidUpdateVersion));
    assert_eq!(raise(&mut world, 2, false), Some(ErrorCode::InvalidUpdateVersion));
    let add = AddVoter { voter: voter(NodeId(4)), ack_when_committed: true };
    assert_eq!(change(&mut world, Request::AddVoter(add)), Some(ErrorCode::None));
    let leader = world.leader().unwrap();
    let other = (1..=3).map(NodeId).find(|id| *id != leader).unwrap();
    let remove = Request::RemoveVoter(RemoveVoter { voter: key(other) });
    assert_eq!(change(&mut world, remove), Some(ErrorCode::None));
    assert_eq!(world.voters().len(), 3);
}

/// Goal: nothing is raised as long as one voter has not told which directory it has.
#[test]
fn every_voter_must_have_told_what_it_knows() {
    let mut world = World::new(2, 3, 0, QUIET);
    world.crash(NodeId(3));
    world.run(10_000);
    assert_eq!(raise(&mut world, 1, false), Some(ErrorCode::InvalidUpdateVersion));
    world.start(NodeId(3));
    world.run(5_000);
    assert_eq!(raise(&mut world, 1, false), Some(ErrorCode::None));
    assert_eq!(versions(&world), [1; 3]);
}

/// Goal: it is as safe as any other change where messages are lost and nodes crash: replicas agree on who votes, and elect.
#[test]
fn it_survives_crashes_and_lost_messages() {
    let faults = Faults { one_lost_in: 10, one_doubled_in: 20, delay_ms: 30, sync_ms: 10 };
    let mut raised = 0;
    for seed in 0..40 {
        let mut world = settled(100 + seed, faults);
        let Some(leader) = world.leader() else { continue };
        world.ask_with(leader, |token| Event::Upgrade { token, version: 1, dry: false });
        world.run(seed as i64 * 7);
        if seed % 2 == 0 {
            world.crash(leader);
        }
        world.run(3_000);
        for id in
            (1..=4).map(NodeId).filter(|id| world.nodes[id].raft.is_none()).collect::<Vec<_>>()
        {
            world.start(id);
        }
        world.faults = QUIET;
        world.run(20_000);
        let now = versions(&world);
        assert!(now.iter().all(|version| *version == now[0]), "seed {seed}: {now:?}");
        assert!(world.leader().is_some(), "seed {seed}: nobody leads");
        raised += usize::from(now[0] == 1);
    }
    assert!((5..40).contains(&raised), "both ends are met: {raised}");
}
