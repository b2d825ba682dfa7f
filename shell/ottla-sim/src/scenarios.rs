//! Stories with a seed: each builds a world, lets it fail, and returns what the checkers say.

pub mod power_cut;

use crate::checkers::Violation;

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
    /// The run's fingerprint.
    pub trace_hash: u64,
}
