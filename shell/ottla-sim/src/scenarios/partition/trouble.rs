//! What goes wrong at a partition: each seed enables a part of it.

use ottla_env::sim::Random;

use super::world::World;

/// See the module's first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    PowerCut,
    PowerCutOfAll,
    Kill,
    OneWayCut,
    Isolation,
    FromController,
    Swizzle,
    Pause,
    Election,
    Restarts,
}

const ALL: [Fault; 10] = [
    Fault::PowerCut,
    Fault::PowerCutOfAll,
    Fault::Kill,
    Fault::OneWayCut,
    Fault::Isolation,
    Fault::FromController,
    Fault::Swizzle,
    Fault::Pause,
    Fault::Election,
    Fault::Restarts,
];

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
            faults.push(Fault::PowerCut);
        }
        let rounds = random.between(20, 150);
        let calm_ms = [30, 300, 1_500, 5_000][random.index(4)];
        Trouble { faults, rounds, calm_ms }
    }

    pub(super) fn make(&mut self, world: &mut World) {
        // The first election is over.
        world.run(1_000);
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
                let to = if world.random.chance(20) { any } else { world.leader().unwrap_or(any) };
                let count = world.random.between(1, 5);
                world.produce(to, count);
            }
            let for_ms = world.random.between(1, self.calm_ms) as i64;
            world.run(for_ms);
        }
    }
}

fn any(world: &mut World) -> i32 {
    1 + world.random.index(world.nodes.len()) as i32
}

/// Now and then something is put right.
fn mend(world: &mut World) {
    for id in 1..=world.nodes.len() as i32 {
        if world.random.chance(35) {
            world.start(id);
        }
        if world.random.chance(35) {
            world.resume(id);
        }
    }
    if world.random.chance(15) {
        world.cut.clear();
    } else if world.random.chance(20) {
        let links: Vec<_> = world.cut.iter().copied().collect();
        if !links.is_empty() {
            let link = links[world.random.index(links.len())];
            world.cut.remove(&link);
        }
    }
}

fn strike(fault: Fault, world: &mut World) {
    let (one, other) = (any(world), any(world));
    let count = world.nodes.len() as i32;
    match fault {
        Fault::PowerCut => world.stop(one, false),
        Fault::PowerCutOfAll => (1..=count).for_each(|id| world.stop(id, false)),
        Fault::Kill => world.stop(one, true),
        Fault::OneWayCut => drop(world.cut.insert((one, other))),
        Fault::Isolation => isolate(world, one),
        Fault::FromController => {
            let link = if world.random.chance(50) { (one, 0) } else { (0, one) };
            world.cut.insert(link);
        }
        Fault::Swizzle => {
            for id in 1..=count {
                if world.random.chance(50) {
                    isolate(world, id);
                }
            }
        }
        Fault::Pause => world.pause(one),
        Fault::Restarts => drop(restart_often(world)),
        Fault::Election => {
            let state = &world.controller.state;
            if state.isr.contains(&one) && state.epoch_of(one).is_some() && state.leader != one {
                world.controller.elect(one);
                world.tell_all();
            }
        }
    }
}

/// A follower is restarted again and again while the questions whether it may be in sync lie on the way.
fn restart_often(world: &mut World) -> Option<()> {
    let leader = world.leader()?;
    let follower = (1..=world.nodes.len() as i32).find(|id| *id != leader)?;
    let manner = world.manner;
    for _ in 0..4 {
        world.stop(follower, true);
        world.start(follower);
        world.manner = manner.slow_to_decide();
        let for_ms = world.random.between(300, 1_500) as i64;
        world.run(for_ms);
        world.produce(leader, 3);
    }
    world.run(4_000);
    world.manner = manner;
    Some(())
}

fn isolate(world: &mut World, id: i32) {
    for other in (0..=world.nodes.len() as i32).filter(|other| *other != id) {
        world.cut.insert((id, other));
        world.cut.insert((other, id));
    }
}
