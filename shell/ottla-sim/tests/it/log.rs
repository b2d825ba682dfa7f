//! The log alone.

use ottla_sim::node::Flush;
use ottla_sim::runner::Height;
use ottla_sim::scenarios::{group_life, log_life, log_power_cut};

use super::{is_caught_losing, keeps_its_promises};

#[test]
fn nothing_acknowledged_is_lost() {
    keeps_its_promises(Height::Log, 0, 40);
}

/// Goal: show that the checkers can fail. Method: acknowledge before anything is durable.
#[test]
fn without_flush_losses_are_found() {
    is_caught_losing(Height::Log, 30);
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..4 {
        let [first, second] = [(); 2].map(|()| log_power_cut::run(seed, Flush::Wal));
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
        assert_eq!(first.acknowledged, second.acknowledged);
    }
}

#[test]
fn a_log_keeps_its_promises_through_everything() {
    keeps_its_promises(Height::LogLife, 0, 20);
}

#[test]
fn a_log_life_is_the_same_every_time() {
    for seed in 0..3 {
        let [first, second] = [(); 2].map(|()| log_life::run(seed));
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
    }
}

#[test]
fn a_shard_of_groups_keeps_its_promises() {
    let mut generations = 0;
    for seed in 0..60 {
        let outcome = group_life::run(seed);
        assert_eq!(outcome.violations, [], "seed {seed}");
        generations += outcome.generation;
    }
    assert!(generations > 100, "members came and went");
}
