//! Random schedules of faults, then a quiet time in which everything must come right.

use ottla_raft::{Event, NodeId};

use crate::world::{Faults, QUIET, World};

const SEEDS: u64 = 150;

#[test]
fn quorums_of_three_keep_their_promises() {
    for seed in 0..SEEDS {
        Schedule { seed, voters: 3, observers: 1 }.run();
    }
}

#[test]
fn quorums_of_five_keep_their_promises() {
    for seed in 10_000..10_000 + SEEDS / 3 {
        Schedule { seed, voters: 5, observers: 0 }.run();
    }
}

#[test]
fn quorums_of_two_and_of_one_keep_their_promises() {
    for seed in 20_000..20_000 + SEEDS / 3 {
        Schedule { seed, voters: 2, observers: 1 }.run();
        Schedule { seed, voters: 1, observers: 2 }.run();
    }
}

struct Schedule {
    seed: u64,
    voters: i32,
    observers: i32,
}

impl Schedule {
    fn run(&self) {
        let seed = self.seed;
        let mut world = World::new(seed, self.voters, self.observers, QUIET);
        world.faults = Faults {
            one_lost_in: [5, 20, 100, i64::MAX][(seed % 4) as usize],
            one_doubled_in: [5, 50, i64::MAX][(seed % 3) as usize],
            delay_ms: [2, 20, 400][(seed / 3 % 3) as usize],
            sync_ms: [1, 10, 300][(seed / 9 % 3) as usize],
        };
        for _ in 0..60 {
            self.disturb(&mut world);
            let for_ms = 1 + world.dice.below(800);
            world.run(for_ms);
        }
        self.heal(&mut world);
    }

    fn disturb(&self, world: &mut World) {
        let all = i64::from(self.voters + self.observers);
        let any = NodeId(1 + world.dice.below(all) as i32);
        match world.dice.below(10) {
            0 => world.crash(any),
            1 => (1..=self.voters).for_each(|id| world.crash(NodeId(id))),
            2 => drop(world.cut.insert((any, NodeId(1 + world.dice.below(all) as i32)))),
            3 => isolate(world, any, all as i32),
            4 => world.cut.clear(),
            5 => world.snapshot(any),
            6 => world.event(any, Event::Resign),
            _ => {}
        }
        for id in 1..=all as i32 {
            if world.nodes[&NodeId(id)].raft.is_none() && world.dice.one_in(3) {
                world.start(NodeId(id));
            }
        }
        for _ in 0..world.dice.below(4) {
            let through = world.leader().unwrap_or(any);
            let count = 1 + world.dice.below(5);
            world.propose(through, count);
        }
    }

    /// Liveness: without faults there is a leader, and what it takes reaches everybody.
    fn heal(&self, world: &mut World) {
        world.faults = QUIET;
        world.cut.clear();
        let all: Vec<NodeId> = world.nodes.keys().copied().collect();
        for id in &all {
            if world.nodes[id].raft.is_none() {
                world.start(*id);
            }
        }
        world.run(20_000);
        let leader = world.leader().unwrap_or_else(|| panic!("seed {}: nobody leads", self.seed));
        assert!(world.propose(leader, 3), "seed {}: the leader takes records", self.seed);
        world.run(5_000);
        let end = world.nodes[&leader].disk.end();
        for id in &all {
            let node = &world.nodes[id];
            let committed = node.raft.as_ref().unwrap().committed();
            assert_eq!(committed, end, "seed {}: {id} knows all that is committed", self.seed);
            assert_eq!(node.disk.history(), world.nodes[&leader].disk.history());
        }
    }
}

fn isolate(world: &mut World, id: NodeId, all: i32) {
    for other in (1..=all).map(NodeId).filter(|other| *other != id) {
        world.cut.insert((id, other));
        world.cut.insert((other, id));
    }
}
