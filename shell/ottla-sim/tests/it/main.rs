//! The short forms of the simulations, as `cargo test` runs them; `ottla-sim run` has the long ones.

mod broker;
mod client;
mod controller;
mod log;
mod swarm;

use ottla_sim::node::Flush;
use ottla_sim::runner::{Height, Plan, Summary, replay, run};

/// Runs seeds that must keep every promise.
fn keeps_its_promises(height: Height, start: u64, seeds: u64) -> Summary {
    let plan = Plan { start, seeds, flush: Flush::Wal, height, verbose: false, each: false };
    let summary = run(&plan);
    if let Some((seed, report)) = &summary.failed {
        let shown: Vec<String> =
            report.violations.iter().take(10).map(ToString::to_string).collect();
        panic!("{}\nagain with: {}", shown.join("\n"), replay(*seed, &plan));
    }
    let troubles = summary.cuts + summary.kills;
    let did_something = summary.acknowledged > 0 && (troubles > 0 || seeds == 1);
    assert!(did_something, "the runs did something: {summary:?}");
    summary
}

/// Runs seeds of which one must be caught losing acknowledged records.
fn is_caught_losing(height: Height, seeds: u64) {
    let plan = Plan { start: 0, seeds, flush: Flush::None, height, verbose: false, each: false };
    let (_, report) = run(&plan).failed.expect("ottla.flush=none loses records in a power cut");
    let lost = |violation: &ottla_sim::checkers::Violation| {
        ["acknowledged", "lost"].contains(&violation.promise)
    };
    assert!(report.violations.iter().any(lost), "{:?}", report.violations.first());
}
