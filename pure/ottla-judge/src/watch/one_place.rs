//! A replica lies in exactly one of its node's log directories, and the controller knows in which: when a
//! disk fails, that is how it knows what is gone.
//!
//! Sources: KIP-112, KIP-113 (a copy takes the place of the replica, never stands beside it), KIP-858 (a
//! replica in a directory the controller does not know of keeps its leadership when that disk is lost).

use super::{Node, violation};
use crate::verdict::Violation;

/// See the module's first line.
#[derive(Debug, Default)]
pub struct OnePlace;

impl OnePlace {
    /// Where a node has its replica of `what`.
    pub fn holds(what: &str, node: Node, places: &[&str]) -> Option<Violation> {
        match places {
            [_] => None,
            [] => violation("one_place", format!("{what} of node {node} is in no directory")),
            _ => violation("one_place", format!("{what} of node {node} is in {places:?}")),
        }
    }

    /// Where the controller believes it is, when all is well again.
    pub fn knows(what: &str, node: Node, place: &str, believed: &str) -> Option<Violation> {
        if place == believed {
            return None;
        }
        let text =
            format!("{what} of node {node} is in {place}, the controller believes {believed}");
        violation("one_place", text)
    }
}
