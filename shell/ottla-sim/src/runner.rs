//! Many seeds, one after the other: progress for a human, one line that replays a failure.

use std::io::{IsTerminal, Write};

use crate::checkers::Violation;
use crate::node::Flush;
use crate::scenarios::{Report, group_life, log_life, log_power_cut, power_cut};

/// How much of the house stands in the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Height {
    /// The whole broker, with clients on the wire.
    Broker,
    /// The log alone.
    Log,
    /// The log alone, through all that can happen to it.
    LogLife,
    /// A shard of the group coordinator alone.
    GroupLife,
}

impl Height {
    fn word(self) -> &'static str {
        match self {
            Height::Broker => "broker",
            Height::Log => "log",
            Height::LogLife => "log-life",
            Height::GroupLife => "group-life",
        }
    }
}

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub start: u64,
    pub seeds: u64,
    pub flush: Flush,
    pub height: Height,
    /// Print each seed's numbers.
    pub verbose: bool,
}

/// How many seeds kept every promise, and the first that did not.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    pub seeds: u64,
    pub acknowledged: usize,
    pub read_back: usize,
    pub cuts: u32,
    pub kills: u32,
    /// The first seed that failed, with its report.
    pub failed: Option<(u64, Report)>,
}

/// Runs seeds until one fails.
pub fn run(plan: &Plan) -> Summary {
    let mut summary = Summary::default();
    let is_terminal = std::io::stderr().is_terminal();
    for seed in plan.start..plan.start + plan.seeds {
        let report = match plan.height {
            Height::Broker => power_cut::run(seed, plan.flush),
            Height::Log => log_power_cut::run(seed, plan.flush),
            Height::LogLife => from_life(log_life::run(seed)),
            Height::GroupLife => from_group(group_life::run(seed)),
        };
        summary.seeds += 1;
        summary.acknowledged += report.acknowledged;
        summary.read_back += report.read_back;
        summary.cuts += report.cuts;
        summary.kills += report.kills;
        if plan.verbose {
            eprintln!("{}", line(seed, &report));
        } else if is_terminal {
            eprint!("\rseed {seed}: {} of {} seeds", summary.seeds, plan.seeds);
            let _ = std::io::stderr().flush();
        }
        if !report.violations.is_empty() {
            summary.failed = Some((seed, report));
            break;
        }
    }
    if is_terminal && !plan.verbose {
        eprintln!();
    }
    summary
}

fn violations(found: Vec<ottla_judge::Violation>) -> Vec<Violation> {
    let told = |ottla_judge::Violation { promise, text }| Violation { promise, text };
    found.into_iter().map(told).collect()
}

fn from_group(group: group_life::Outcome) -> Report {
    Report {
        violations: violations(group.violations),
        acknowledged: group.records,
        kills: group.crashes,
        took_ms: group.took_ms,
        ..Report::default()
    }
}

fn from_life(life: log_life::Outcome) -> Report {
    Report {
        violations: violations(life.violations),
        acknowledged: life.acknowledged,
        observed: life.observed,
        read_back: life.read_back,
        cuts: life.cuts,
        kills: life.kills,
        took_ms: life.took_ms,
        trace_hash: life.trace_hash,
    }
}

/// The command that repeats one seed.
pub fn replay(seed: u64, plan: &Plan) -> String {
    let (height, flush) = (plan.height.word(), plan.flush.word());
    format!("cargo run -p ottla-sim -- run --height {height} --flush {flush} --seed {seed}")
}

/// One seed in one line.
pub fn line(seed: u64, report: &Report) -> String {
    format!(
        "seed {seed}: {} acknowledged, {} observed, {} read back, {} power cuts, {} kills, {} ms, trace {:016x}",
        report.acknowledged,
        report.observed,
        report.read_back,
        report.cuts,
        report.kills,
        report.took_ms,
        report.trace_hash
    )
}
