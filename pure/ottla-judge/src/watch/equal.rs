//! When all is well again, replicas have the same bytes and nodes the same metadata.
//!
//! Sources: KIP-279 (two fast failovers), KIP-595; an observer that a batch of many records left behind, and an
//! ISR change that never reached a dedicated controller (late bugs of another broker).

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{Node, violation};
use crate::verdict::Violation;

/// See the module's first line.
#[derive(Debug, Default)]
pub struct Equal;

impl Equal {
    /// What each node has of one thing.
    pub fn all<T: PartialEq + Debug>(what: &str, by_node: &BTreeMap<Node, T>) -> Option<Violation> {
        let (first, has) = by_node.first_key_value()?;
        let (other, differs) = by_node.iter().find(|(_, other)| *other != has)?;
        let text = format!("{what}: {first} has {has:?}, {other} has {differs:?}");
        violation("equal", text)
    }
}
