//! Every replica that is called in sync has all that is committed, so that each may lead next.
//!
//! Sources: KIP-101, KIP-841 (a fenced broker in the ISR), KIP-903, KAFKA-13916 (row 26); an ISR that was
//! taken over without a look at who had caught up.

use super::{Log, Node, violation};
use crate::verdict::Violation;

/// See the module's first line.
#[derive(Debug, Default)]
pub struct InSync;

impl InSync {
    /// `node` is in sync by the word of the controller; its log ends at `end`.
    pub fn is_in(log: Log, node: Node, end: i64, committed: i64) -> Option<Violation> {
        if end >= committed {
            return None;
        }
        let text =
            format!("log {log}: {node} is in sync with {end} of {committed} committed records");
        violation("in_sync", text)
    }
}
