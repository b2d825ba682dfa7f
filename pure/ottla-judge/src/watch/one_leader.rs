//! An epoch of a log has one leader.
//!
//! Sources: Raft (Ongaro, Ousterhout 2014), figure 3, election safety; KIP-595; KIP-101 for partitions, whose
//! leader epochs the controller gives out.

use std::collections::BTreeMap;

use super::{Log, Node, violation};
use crate::verdict::Violation;

/// See the module's first line.
#[derive(Debug, Default)]
pub struct OneLeader {
    leaders: BTreeMap<(Log, i32), Node>,
}

impl OneLeader {
    /// `node` leads, or is said to.
    pub fn leads(&mut self, log: Log, epoch: i32, node: Node) -> Option<Violation> {
        let leader = *self.leaders.entry((log, epoch)).or_insert(node);
        if leader == node {
            return None;
        }
        violation("one_leader", format!("log {log}: {leader} and {node} lead epoch {epoch}"))
    }
}
