//! Whole brokers from a seed: workloads, faults, checkers.
//!
//! A run starts the real broker on a simulated machine, lets clients work, takes the machine's power
//! away again and again, and at last reads everything back. What clients were promised is written in
//! a history; the checkers, one file per promise, hold the end against it.
//!
//! Modules from the lowest floor up; each uses only those above it.

pub mod history;

pub mod log;

pub mod checkers;

pub mod wire;

pub mod node;

pub mod workload;

pub mod scenarios;

pub mod runner;

#[cfg(feature = "planted")]
pub mod plants;
