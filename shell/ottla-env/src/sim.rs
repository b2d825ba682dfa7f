//! A world from a seed: one thread, virtual time, disks that lose what was not synced and networks
//! that misbehave. The same seed gives the same run, to the last byte.
//!
//! Nothing here touches the real clock, disk, network or chance.

mod random;

mod trace;

pub mod disk;

pub use disk::{LossPlan, Op, Recording, SimDisk, SimFile, SimLock};
pub use random::Random;
