//! The controller's machine alone (`ottla-metadata`): brokers that register, fall silent, stop in order
//! and come back with or without their disk; leaders that change their ISR, reassignments, elections,
//! controllers that die between two records. Every record is watched; at the end nothing is left undone.

mod promises;
mod world;

use ottla_env::sim::Random;
use ottla_judge::Violation;

use world::World;

/// Things that happen in one run.
const EVENTS: usize = 120;

/// How a run went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Broken promises; none, if all is well.
    pub violations: Vec<Violation>,
    /// What the seed enabled.
    pub choice: String,
    /// Records that were written.
    pub records: usize,
    /// Virtual time.
    pub took_ms: u64,
    /// The run's fingerprint.
    pub trace_hash: u64,
}

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    let mut random = Random::new(seed.rotate_left(32) ^ 0x6374_726c);
    let brokers = [3, 3, 4, 5][random.index(4)];
    let eligible = random.chance(50);
    let choice = format!("{brokers} brokers, eligible leader replicas {eligible}");
    let mut world = World::new(random, brokers, eligible);
    for _ in 0..EVENTS {
        if !world.promises.is_content() {
            break;
        }
        world.happen();
    }
    if world.promises.is_content() {
        world.settle();
        world.check_rest();
    }
    Outcome {
        choice,
        records: world.records,
        took_ms: world.now_ms.unsigned_abs(),
        trace_hash: world.trace_hash,
        violations: std::mem::take(&mut world.promises.found),
    }
}
