//! What a replica must never forget of elections, and the count of votes.

use std::collections::BTreeSet;

use crate::replica::{NodeId, ReplicaKey};

/// Kafka's `quorum-state`: on stable storage before anything that rests on it leaves the node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ElectionState {
    pub epoch: i32,
    /// The elected leader of `epoch`, once known.
    pub leader: Option<NodeId>,
    /// Whom this replica gave its vote in `epoch`; never changed within an epoch.
    pub voted: Option<ReplicaKey>,
}

/// One count of votes, over the voters at its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    voters: BTreeSet<NodeId>,
    granted: BTreeSet<NodeId>,
    rejected: BTreeSet<NodeId>,
}

impl Tally {
    /// `me` has voted for itself, which counts if it is a voter.
    pub(crate) fn new(voters: BTreeSet<NodeId>, me: NodeId) -> Self {
        let granted = voters.get(&me).copied().into_iter().collect();
        Self { voters, granted, rejected: BTreeSet::new() }
    }

    /// Votes of nodes that were no voters do not count; the last word of a voter counts.
    pub(crate) fn record(&mut self, from: NodeId, granted: bool) {
        if !self.voters.contains(&from) {
            return;
        }
        if granted {
            self.rejected.remove(&from);
            self.granted.insert(from);
        } else if !self.granted.contains(&from) {
            self.rejected.insert(from);
        }
    }

    pub(crate) fn is_won(&self) -> bool {
        self.granted.len() >= self.majority()
    }

    /// The rest can no longer make a majority.
    pub(crate) fn is_lost(&self) -> bool {
        self.voters.len() - self.rejected.len() < self.majority()
    }

    pub(crate) fn silent(&self) -> impl Iterator<Item = NodeId> {
        let spoken = |id: &&NodeId| !self.granted.contains(id) && !self.rejected.contains(id);
        self.voters.iter().filter(spoken).copied()
    }

    pub(crate) fn granted(&self) -> &BTreeSet<NodeId> {
        &self.granted
    }

    fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }
}
