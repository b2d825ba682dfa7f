//! What goes wrong in a quorum: each seed enables a part of it.

use ottla_env::sim::Random;
use ottla_raft::{Event, NodeId};

use super::world::World;

/// See the module's first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Crash,
    CrashOfAll,
    OneWayCut,
    Isolation,
    Split,
    Ring,
    Swizzle,
    Pause,
    Snapshot,
    Resignation,
    FigureEight,
}

const ALL: [Fault; 11] = [
    Fault::Crash,
    Fault::CrashOfAll,
    Fault::OneWayCut,
    Fault::Isolation,
    Fault::Split,
    Fault::Ring,
    Fault::Swizzle,
    Fault::Pause,
    Fault::Snapshot,
    Fault::Resignation,
    Fault::FigureEight,
];

/// Long enough for an election, with what went wrong before it.
const ELECTED_MS: i64 = 12_000;

/// What a seed chose.
#[derive(Debug)]
pub(super) struct Trouble {
    faults: Vec<Fault>,
    rounds: u64,
    calm_ms: u64,
}

impl Trouble {
    pub(super) fn new(random: &mut Random) -> Trouble {
        let mut faults: Vec<Fault> = ALL.into_iter().filter(|_| random.chance(40)).collect();
        if faults.is_empty() {
            faults.push(Fault::Crash);
        }
        let rounds = random.between(20, 150);
        let calm_ms = [30, 300, 1_500, 5_000][random.index(4)];
        Trouble { faults, rounds, calm_ms }
    }

    pub(super) fn make(&mut self, world: &mut World) {
        for _ in 0..self.rounds {
            if !world.watchers.is_content() {
                return;
            }
            if world.random.chance(60) {
                let fault = self.faults[world.random.index(self.faults.len())];
                strike(fault, world);
            }
            mend(world);
            for _ in 0..world.random.below(4) {
                let any = any(world);
                let through = world.leader().unwrap_or(any);
                let count = world.random.between(1, 5) as i64;
                world.propose(through, count);
            }
            let for_ms = world.random.between(1, self.calm_ms) as i64;
            world.run(for_ms);
        }
    }
}

fn any(world: &mut World) -> NodeId {
    let at = world.random.index(world.nodes.len());
    *world.nodes.keys().nth(at).expect("there are nodes")
}

/// Now and then something is put right.
fn mend(world: &mut World) {
    let all: Vec<NodeId> = world.nodes.keys().copied().collect();
    for id in all {
        if world.nodes[&id].raft.is_none() && world.random.chance(35) {
            world.start(id);
        }
        if world.random.chance(35) {
            world.resume(id);
        }
    }
    if world.random.chance(15) {
        world.cut.clear();
    } else if world.random.chance(20) {
        // Swizzle-clog: links come back one at a time, in an order of their own.
        let links: Vec<_> = world.cut.iter().copied().collect();
        if !links.is_empty() {
            let link = links[world.random.index(links.len())];
            world.cut.remove(&link);
        }
    }
}

fn strike(fault: Fault, world: &mut World) {
    let one = any(world);
    let other = any(world);
    let all: Vec<NodeId> = world.nodes.keys().copied().collect();
    match fault {
        Fault::Crash => world.crash(one),
        Fault::CrashOfAll => all.into_iter().for_each(|id| world.crash(id)),
        Fault::OneWayCut => drop(world.cut.insert((one, other))),
        Fault::Isolation => isolate(world, one, &all),
        Fault::Split => {
            let side: Vec<bool> = all.iter().map(|_| world.random.chance(50)).collect();
            for (a, here) in all.iter().zip(&side) {
                for (b, there) in all.iter().zip(&side) {
                    if here != there {
                        world.cut.insert((*a, *b));
                    }
                }
            }
        }
        Fault::Ring => {
            for (at, a) in all.iter().enumerate() {
                for (to, b) in all.iter().enumerate() {
                    let distance = at.abs_diff(to);
                    if distance > 1 && distance + 1 < all.len() {
                        world.cut.insert((*a, *b));
                    }
                }
            }
        }
        Fault::Swizzle => {
            for id in &all {
                if world.random.chance(50) {
                    isolate(world, *id, &all);
                }
            }
        }
        Fault::Pause => world.pause(one),
        Fault::Snapshot => world.snapshot(one),
        Fault::Resignation => world.event(one, Event::Resign),
        Fault::FigureEight => drop(figure_eight(world)),
    }
}

/// Raft's figure 8: a leader has records that nobody else has, another is elected without them and has
/// some of its own, the first leads again and spreads the old ones, and the second comes back in the
/// middle of that. Nothing of an earlier epoch is committed by being spread. `None` where it does not
/// come so far.
fn figure_eight(world: &mut World) -> Option<()> {
    let voters = world.voters();
    let first = world.leader().filter(|_| voters.len() > 2)?;
    let all: Vec<NodeId> = world.nodes.keys().copied().collect();
    world.cut.clear();
    isolate(world, first, &all);
    world.propose(first, 16);
    let old_end = world.nodes[&first].disk.end();
    let another = |world: &World| world.leader().is_some_and(|leader| leader != first);
    world.run_until(ELECTED_MS, another).then_some(())?;
    let second = world.leader()?;
    isolate(world, second, &all);
    world.propose(second, 2);
    world.cut.retain(|(from, to)| *from == second || *to == second);
    let again = |world: &World| world.leader() == Some(first);
    world.run_until(ELECTED_MS, again).then_some(())?;
    let third = voters.into_iter().find(|id| *id != first && *id != second)?;
    let spreads = |world: &World| world.nodes[&third].disk.end() + 12 > old_end;
    world.run_until(ELECTED_MS, spreads).then_some(())?;
    let more_ms = world.random.below(2 * world.manner.round_trip_ms()) as i64;
    world.run(more_ms);
    world.cut.clear();
    isolate(world, first, &all);
    world.run(ELECTED_MS);
    Some(())
}

fn isolate(world: &mut World, id: NodeId, all: &[NodeId]) {
    for other in all.iter().filter(|other| **other != id) {
        world.cut.insert((id, *other));
        world.cut.insert((*other, id));
    }
}
