//! The controller's machine alone: what it promises of every partition, whatever happens to its brokers.

use ottla_sim::scenarios::controller;

#[test]
fn the_controller_keeps_its_promises() {
    for seed in 0..200 {
        let outcome = controller::run(seed);
        let first = outcome.violations.first();
        assert!(first.is_none(), "seed {seed}, {}: {first:?}", outcome.choice);
        assert!(outcome.records > 50, "seed {seed} did too little");
    }
}

#[test]
fn a_controller_is_the_same_every_time() {
    for seed in 0..10 {
        let [first, second] = [(); 2].map(|()| controller::run(seed));
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
    }
}
