//! How far the nodes have come in applying what is committed, as they told: so that an answer can wait until it is true
//! wherever somebody may ask next.

use std::collections::BTreeMap;

use tokio::sync::watch;

/// By node: everything below was applied there.
#[derive(Debug)]
pub(super) struct Seen {
    applied: watch::Sender<BTreeMap<i32, i64>>,
}

/// Nodes that are remembered: more than any cluster has; tools that make ids up must not fill the memory.
const NODES_MAX: usize = 100_000;

impl Seen {
    pub(super) fn new() -> Self {
        Self { applied: watch::Sender::new(BTreeMap::new()) }
    }

    /// The last word counts: a node that was restarted begins anew.
    pub(super) fn note(&self, node: i32, offset: i64) {
        self.applied.send_if_modified(|applied| {
            if applied.len() >= NODES_MAX && !applied.contains_key(&node) {
                return false;
            }
            applied.insert(node, offset) != Some(offset)
        });
    }

    /// Completes once all `nodes` have applied everything below `offset`.
    pub(super) async fn reached(&self, nodes: &[i32], offset: i64) {
        let has = |applied: &BTreeMap<i32, i64>, node: &i32| {
            applied.get(node).is_some_and(|reached| *reached >= offset)
        };
        let mut applied = self.applied.subscribe();
        // The sender lives as long as this borrow of it.
        let _ = applied.wait_for(|applied| nodes.iter().all(|node| has(applied, node))).await;
    }
}
