//! A high watermark never falls: on a leader within its epoch, and as one process passes it on.
//!
//! Sources: KIP-101, KIP-207 (monotonic reads after failover), KAFKA-2334; another broker's high watermark
//! that a new leader began at 0.

use std::collections::BTreeMap;

use super::{Log, Node, violation};
use crate::verdict::Violation;

/// See the module's first line.
#[derive(Debug, Default)]
pub struct HighWatermark {
    /// By log, node and life of its process.
    known: BTreeMap<(Log, Node, u64), i64>,
}

impl HighWatermark {
    /// `node`, in this life of its process, says so.
    pub fn says(&mut self, log: Log, node: Node, life: u64, mark: i64) -> Option<Violation> {
        let known = self.known.entry((log, node, life)).or_insert(mark);
        if mark < *known {
            let text = format!("log {log}: {node} said {known}, then {mark}");
            return violation("high_watermark", text);
        }
        *known = mark;
        None
    }
}
