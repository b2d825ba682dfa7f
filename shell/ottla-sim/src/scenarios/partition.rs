//! One partition of machines alone (`ottla-replica`): leaders and followers that crash, lag, are cut off and come
//! back, under a controller that is always right and always late. Every promise is watched at each step; at the
//! end all is well again, and the replicas have the same log.

mod controller;
mod disk;
mod node;
mod trouble;
mod watchers;
mod world;

use ottla_env::sim::Random;
use ottla_judge::Violation;

use world::{Manner, World};

/// Without faults all is in order within this time.
const CALM_MS: i64 = 60_000;

/// How a run went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Broken promises; none, if all is well.
    pub violations: Vec<Violation>,
    /// What the seed enabled.
    pub choice: String,
    /// Records acknowledged.
    pub acknowledged: usize,
    pub crashes: u32,
    /// Virtual time.
    pub took_ms: u64,
    pub steps: u64,
    /// The run's fingerprint.
    pub trace_hash: u64,
}

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    let mut random = Random::new(seed.rotate_left(32) ^ 0x7061_7274);
    let replicas = [2, 3, 3, 3, 5][random.index(5)];
    let min_insync = random.between(1, 2) as usize;
    let manner = Manner::new(&mut random);
    let mut trouble = trouble::Trouble::new(&mut random);
    let choice = format!("{replicas} replicas, min {min_insync} in sync, {manner:?}, {trouble:?}");
    let mut world = World::new(random, replicas, min_insync, manner);
    trouble.make(&mut world);
    if world.watchers.is_content() {
        heal(&mut world);
    }
    Outcome {
        choice,
        acknowledged: world.watchers.acknowledged(),
        crashes: world.crashes,
        took_ms: world.now_ms.unsigned_abs(),
        steps: world.steps,
        trace_hash: world.trace_hash(),
        violations: std::mem::take(&mut world.watchers.found),
    }
}

/// Without faults there is a leader, everybody is in sync, and a record reaches all.
fn heal(world: &mut World) {
    world.manner = Manner::QUIET;
    world.cut.clear();
    let all: Vec<i32> = world.nodes.keys().copied().collect();
    for id in &all {
        world.resume(*id);
        world.start(*id);
    }
    world.run(CALM_MS / 2);
    let Some(leader) = world.leader() else {
        return world.watchers.liveness("nobody leads after all is well again".to_owned());
    };
    world.produce(leader, 2);
    world.run(CALM_MS / 2);
    if !world.watchers.is_content() {
        return;
    }
    let isr = world.controller.state.isr.len();
    if isr != all.len() {
        let parts: Vec<String> = all.iter().map(|id| world.part_of(*id)).collect();
        let text = format!(
            "{isr} of {} replicas are in sync after all is well again: {}",
            all.len(),
            parts.join("; ")
        );
        return world.watchers.liveness(text);
    }
    world.check_the_end();
}
