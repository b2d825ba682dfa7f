//! The whole broker, with clients on the wire.

use ottla_sim::node::Flush;
use ottla_sim::runner::Height;
use ottla_sim::scenarios::power_cut;

use super::{is_caught_losing, keeps_its_promises};

#[test]
fn nothing_acknowledged_is_lost() {
    keeps_its_promises(Height::Broker, 0, 6);
}

/// Goal: show that the checkers can fail. Method: acknowledge before anything is durable.
#[test]
fn without_flush_losses_are_found() {
    is_caught_losing(Height::Broker, 20);
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..2 {
        let [first, second] = [(); 2].map(|()| power_cut::run(seed, Flush::Wal));
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
        assert_eq!(first.acknowledged, second.acknowledged);
    }
}
