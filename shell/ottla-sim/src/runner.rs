//! Many seeds, one after the other: progress for a human, one line that replays a failure.

use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::checkers::Violation;
use crate::node::Flush;
use crate::scenarios::{
    Report, controller, group_life, log_life, log_power_cut, partition, power_cut, quorum, swarm,
};

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
    /// A metadata quorum of machines alone.
    Quorum,
    /// A partition of machines alone.
    Partition,
    /// The controller's machine alone.
    Controller,
    /// A cluster of so many nodes, and everything that can go wrong.
    Swarm(u8),
}

impl Height {
    fn words(self) -> String {
        match self {
            Height::Broker => "broker".to_owned(),
            Height::Log => "log".to_owned(),
            Height::LogLife => "log-life".to_owned(),
            Height::GroupLife => "group-life".to_owned(),
            Height::Quorum => "quorum".to_owned(),
            Height::Partition => "partition".to_owned(),
            Height::Controller => "controller".to_owned(),
            Height::Swarm(nodes) => format!("swarm --nodes {nodes}"),
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
    /// Print a line for each seed to standard output, for a program that reads along, and go on after
    /// a failure.
    pub each: bool,
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

/// Runs seeds until one fails, or all of them if each is told.
pub fn run(plan: &Plan) -> Summary {
    let mut summary = Summary::default();
    let is_terminal = std::io::stderr().is_terminal() && !plan.each;
    for seed in plan.start..plan.start + plan.seeds {
        let report = run_one(seed, plan);
        summary.seeds += 1;
        summary.acknowledged += report.acknowledged;
        summary.read_back += report.read_back;
        summary.cuts += report.cuts;
        summary.kills += report.kills;
        if plan.each {
            println!("{}", row(seed, &report));
        } else if plan.verbose {
            eprintln!("{}", line(seed, &report));
        } else if is_terminal {
            eprint!("\rseed {seed}: {} of {} seeds", summary.seeds, plan.seeds);
            let _ = std::io::stderr().flush();
        }
        if !report.violations.is_empty() && summary.failed.is_none() {
            summary.failed = Some((seed, report));
            if !plan.each {
                break;
            }
        }
    }
    if is_terminal && !plan.verbose {
        eprintln!();
    }
    summary
}

/// One seed; what panics has broken a promise too.
fn run_one(seed: u64, plan: &Plan) -> Report {
    let tell = || match plan.height {
        Height::Broker => power_cut::run(seed, plan.flush),
        Height::Log => log_power_cut::run(seed, plan.flush),
        Height::LogLife => from_life(log_life::run(seed)),
        Height::GroupLife => from_group(group_life::run(seed)),
        Height::Quorum => from_quorum(quorum::run(seed)),
        Height::Partition => from_partition(partition::run(seed)),
        Height::Controller => from_controller(controller::run(seed)),
        Height::Swarm(nodes) => from_swarm(swarm::run(seed, usize::from(nodes), plan.flush)),
    };
    catch_unwind(AssertUnwindSafe(tell)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let text = text.unwrap_or_default();
        let violations = vec![Violation { promise: "assertion", text }];
        Report { violations, ..Report::default() }
    })
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

fn from_quorum(quorum: quorum::Outcome) -> Report {
    Report {
        violations: violations(quorum.violations),
        acknowledged: quorum.committed,
        cuts: quorum.crashes,
        took_ms: quorum.took_ms,
        steps: quorum.steps,
        choice: quorum.choice,
        trace_hash: quorum.trace_hash,
        ..Report::default()
    }
}

fn from_partition(partition: partition::Outcome) -> Report {
    Report {
        violations: violations(partition.violations),
        acknowledged: partition.acknowledged,
        cuts: partition.crashes,
        took_ms: partition.took_ms,
        steps: partition.steps,
        choice: partition.choice,
        trace_hash: partition.trace_hash,
        ..Report::default()
    }
}

fn from_controller(controller: controller::Outcome) -> Report {
    Report {
        violations: violations(controller.violations),
        acknowledged: controller.records,
        took_ms: controller.took_ms,
        choice: controller.choice,
        trace_hash: controller.trace_hash,
        ..Report::default()
    }
}

fn from_swarm(swarm: swarm::Outcome) -> Report {
    Report {
        violations: violations(swarm.violations),
        acknowledged: swarm.acknowledged,
        observed: swarm.observed,
        read_back: swarm.read_back,
        cuts: swarm.cuts,
        kills: swarm.kills,
        took_ms: swarm.took_ms,
        steps: swarm.steps,
        choice: swarm.choice,
        trace_hash: swarm.trace_hash,
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
        ..Report::default()
    }
}

/// The command that repeats one seed.
pub fn replay(seed: u64, plan: &Plan) -> String {
    let (height, flush) = (plan.height.words(), plan.flush.word());
    format!("cargo run -p ottla-sim -- run --height {height} --flush {flush} --seed {seed}")
}

/// One seed in one line, for a program: numbers, and the first broken promise if there is one.
fn row(seed: u64, report: &Report) -> String {
    let numbers = [
        seed,
        report.took_ms,
        report.steps,
        report.acknowledged as u64,
        report.read_back as u64,
        u64::from(report.cuts),
        u64::from(report.kills),
    ];
    let mut row = numbers.map(|number| number.to_string()).join("\t");
    let first = report.violations.first();
    let first = first
        .map_or_else(String::new, |violation| violation.to_string().replace(['\n', '\t'], " "));
    row.push_str(&format!("\t{:016x}\t{first}", report.trace_hash));
    row
}

/// One seed in one line.
pub fn line(seed: u64, report: &Report) -> String {
    let mut line = format!(
        "seed {seed}: {} acknowledged, {} observed, {} read back, {} power cuts, {} kills, {} ms",
        report.acknowledged,
        report.observed,
        report.read_back,
        report.cuts,
        report.kills,
        report.took_ms
    );
    line.push_str(&format!(", {} steps, trace {:016x}", report.steps, report.trace_hash));
    if !report.choice.is_empty() {
        line.push_str(&format!("\n  {}", report.choice));
    }
    line
}
