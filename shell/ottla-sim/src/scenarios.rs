//! Stories with a seed: each builds a world, lets it fail, and returns what the checkers say.

pub mod controller;
pub mod group_life;
pub mod log_life;
pub mod log_power_cut;
pub mod partition;
pub mod power_cut;
pub mod quorum;
pub mod swarm;

use ottla_env::sim::Sim;

use crate::checkers::{Violation, check};
use crate::history::{Ending, History};

/// How a run went.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Broken promises; none, if all is well.
    pub violations: Vec<Violation>,
    /// Records acknowledged, given to consumers, and there at the end.
    pub acknowledged: usize,
    pub observed: usize,
    pub read_back: usize,
    pub cuts: u32,
    pub kills: u32,
    /// Virtual time.
    pub took_ms: u64,
    /// Steps of tasks, where they are counted.
    pub steps: u64,
    /// What the seed enabled, where it chooses.
    pub choice: String,
    /// The run's fingerprint.
    pub trace_hash: u64,
}

/// Holds the end against the history.
fn report(sim: &Sim, history: &History, ending: &Ending) -> Report {
    Report {
        violations: check(history, ending),
        acknowledged: history.acknowledged_count(),
        observed: history.observed_count(),
        read_back: ending.partitions.values().map(|end| end.records.len()).sum(),
        cuts: history.cuts,
        kills: history.kills,
        took_ms: sim.now().as_millis(),
        steps: sim.steps(),
        choice: String::new(),
        trace_hash: sim.trace_hash(),
    }
}
