//! Promises that replicas make to each other, watched while a cluster runs: what a simulation, or a
//! reader of many nodes' answers, sees goes in, and what contradicts it comes out. Nothing here waits
//! for a closing read.
//!
//! A log is named by a number: a partition, or the metadata log.

mod equal;
mod high_watermark;
mod in_sync;
mod one_history;
mod one_leader;
mod one_place;
mod one_vote;
mod same_files;
mod stable;

pub use equal::Equal;
pub use high_watermark::HighWatermark;
pub use in_sync::InSync;
pub use one_history::{Entry, OneHistory};
pub use one_leader::OneLeader;
pub use one_place::OnePlace;
pub use one_vote::{Ballot, OneVote};
pub use same_files::{Files, SameFiles, Stored};
pub use stable::Stable;

use crate::verdict::Violation;

/// A node of the cluster.
pub type Node = i32;
/// A log of the cluster.
pub type Log = u32;

/// What a watcher says to what it was shown.
pub(crate) fn violation(promise: &'static str, text: String) -> Option<Violation> {
    Some(Violation { promise, text })
}

#[cfg(test)]
mod tests;
