//! What was once committed is the same for everybody and for ever: an offset names one record.
//!
//! Sources: Raft, figure 3, state machine safety and log matching; KIP-101, KIP-279, KAFKA-6361 (rows 1, 2),
//! KAFKA-18991 (row 3), KAFKA-14704 (row 4).

use std::collections::BTreeMap;

use super::{Log, Node, violation};
use crate::verdict::Violation;

/// A record, as far as it matters: the epoch it was written in, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    pub epoch: i32,
    pub value: u64,
}

/// See the module's first line.
#[derive(Debug, Default)]
pub struct OneHistory {
    committed: BTreeMap<Log, Vec<Entry>>,
}

impl OneHistory {
    /// All that anybody saw committed.
    pub fn committed(&self, log: Log) -> &[Entry] {
        self.committed.get(&log).map_or(&[], Vec::as_slice)
    }

    /// `node` takes `entries`, which begin at `from`, for committed.
    pub fn commits(
        &mut self,
        log: Log,
        node: Node,
        from: usize,
        entries: &[Entry],
    ) -> Option<Violation> {
        let known = self.committed.entry(log).or_default();
        if from > known.len() {
            let text =
                format!("log {log}: {node} commits from {from} on, {} are known", known.len());
            return violation("one_history", text);
        }
        for (at, entry) in (from..).zip(entries) {
            match known.get(at) {
                None => known.push(*entry),
                Some(before) if before == entry => {}
                Some(before) => {
                    let text =
                        format!("log {log}: offset {at} was {before:?}, is {entry:?} on {node}");
                    return violation("one_history", text);
                }
            }
        }
        None
    }
}
