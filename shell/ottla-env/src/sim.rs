//! A world from a seed: one thread, virtual time, disks that lose what was not synced and networks
//! that misbehave. The same seed gives the same run, to the last byte.
//!
//! Nothing here touches the real clock, disk, network or chance. Two things are the caller's part
//! in that: `select!` starts with `biased;`, and no order of a std `HashMap` matters.

// Lowest floor first; a module uses only those above it.
mod random;

mod trace;

pub mod disk;

mod timers;

mod network;

mod core;

mod stream;

mod env;

mod simulation;

#[cfg(test)]
mod tests;

pub use core::here;
pub use disk::{LossPlan, Op, Recording, SimDisk, SimFile, SimLock};
pub use env::{SimEnv, SimSleep};
pub use random::Random;
pub use simulation::Sim;
pub use stream::{SimListener, SimReader, SimStream, SimWriter};
