//! What is committed is on stable storage of enough replicas: the loss of power of all of them at once
//! loses none of it.
//!
//! Sources: Raft, leader completeness; KIP-966 (the last replica standing, row 5); the reliability promise (1).

use super::{Log, Node, violation};
use crate::verdict::Violation;

/// See the module's first line.
#[derive(Debug, Default)]
pub struct Stable;

impl Stable {
    /// `holders` have all `committed` records of the log on stable storage; `enough` must.
    pub fn holds(log: Log, committed: usize, holders: &[Node], enough: usize) -> Option<Violation> {
        if holders.len() >= enough {
            return None;
        }
        let text = format!(
            "log {log}: {committed} committed records are on stable storage of {holders:?} only, not of {enough} nodes"
        );
        violation("stable", text)
    }
}
