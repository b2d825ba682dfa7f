//! A disk in memory that keeps POSIX's word and not a bit more.
//!
//! | promise | durable after |
//! | --- | --- |
//! | bytes and length of a file | `sync_data`, `sync_all`, a write through a `dsync` handle |
//! | a name made, moved or removed | `sync_dir` of its folder |
//!
//! When the power goes, of what is not durable any subset of pages survives (or of a page's
//! 512-byte sectors), with any of the lengths the file had since, and of the changes to names a
//! prefix in the order they were made. A failed sync makes its pages un-syncable: a later sync that
//! succeeds says nothing about them.

mod effect;
mod faults;
mod file;
mod handle;
mod live;
mod loss;
mod paths;
mod recording;
mod state;
mod tree;

#[cfg(test)]
mod tests;

pub use faults::Op;
pub use handle::{SimDisk, SimFile, SimLock};
pub use loss::LossPlan;
pub use recording::Recording;
