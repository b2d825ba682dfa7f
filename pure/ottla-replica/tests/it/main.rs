//! Replicas, a controller and a network that loses, delays and reorders, from a seed.

#![allow(clippy::unwrap_used)] // A test that meets the unexpected has to fail.

mod cluster;
mod controller;
mod log;
mod model;
mod node;
mod random;

use cluster::Cluster;

/// Goal: a committed record is never lost or another, whatever happens. Method: elections between every
/// few fetches, crashes that lose what was not synced, zombies, delayed answers; after each step the
/// promises are checked, and at the end, healed, everybody has everything.
#[test]
fn committed_records_outlive_elections_and_crashes() {
    for seed in 0..300 {
        let mut cluster = Cluster::new(seed);
        cluster.run(600);
        cluster.heal();
    }
}
