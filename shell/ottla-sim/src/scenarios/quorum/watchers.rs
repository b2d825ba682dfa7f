//! The judge's watchers at a quorum of machines.

use std::collections::BTreeMap;

use ottla_judge::Violation;
use ottla_judge::watch::{
    Ballot, Entry, Equal, HighWatermark, Log, Node, OneHistory, OneLeader, OneVote, Stable,
};
use ottla_raft::{ElectionState, NodeId};

use super::disk::Disk;

/// The metadata log, the only one here.
const LOG: Log = 0;

/// See the module's first line.
#[derive(Default)]
pub(super) struct Watchers {
    pub(super) found: Vec<Violation>,
    pub(super) epoch_max: i32,
    leaders: OneLeader,
    votes: OneVote,
    marks: HighWatermark,
    history: OneHistory,
    /// Up to where each replica's log was looked at, in this life of it.
    looked: BTreeMap<(NodeId, u64), i64>,
}

impl Watchers {
    pub(super) fn is_content(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn committed(&self) -> &[Entry] {
        self.history.committed(LOG)
    }

    pub(super) fn liveness(&mut self, text: String) {
        self.found.push(Violation { promise: "liveness", text });
    }

    pub(super) fn fault(&mut self, text: String) {
        self.found.push(Violation { promise: "fault", text });
    }

    pub(super) fn leads(&mut self, node: NodeId, epoch: i32) {
        self.epoch_max = self.epoch_max.max(epoch);
        self.found.extend(self.leaders.leads(LOG, epoch, node.0));
    }

    pub(super) fn writes(&mut self, node: NodeId, election: &ElectionState) {
        let ballot = Ballot {
            epoch: election.epoch,
            leader: election.leader.map(|leader| leader.0),
            voted: election.voted.map(|voted| voted.id.0),
        };
        self.found.extend(self.votes.writes(node.0, ballot));
    }

    pub(super) fn grants(&mut self, node: NodeId, epoch: i32, to: NodeId) {
        self.found.extend(self.votes.grants(node.0, epoch, to.0));
    }

    /// `node` takes everything below `mark` for committed.
    pub(super) fn commits(&mut self, node: NodeId, life: u64, mark: i64, disk: &Disk) {
        self.found.extend(self.marks.says(LOG, node.0, life, mark));
        let from = self.looked.insert((node, life), mark).unwrap_or(0).min(mark);
        let entries = disk.range(from, mark);
        if entries.len() as i64 != mark - from {
            let text = format!("{node} commits up to {mark}, its log ends at {}", disk.end());
            return self.found.push(Violation { promise: "one_history", text });
        }
        let from = usize::try_from(from).unwrap_or(0);
        self.found.extend(self.history.commits(LOG, node.0, from, &entries));
    }

    /// What is committed is on stable storage of a majority of the voters.
    pub(super) fn stable<'a>(&mut self, voters: impl Iterator<Item = (NodeId, &'a Disk)>) {
        let committed = self.history.committed(LOG);
        let mut count = 0;
        let mut holders: Vec<Node> = Vec::new();
        for (id, disk) in voters {
            count += 1;
            let stable = disk.range(0, disk.synced.max(disk.start));
            if stable.len() >= committed.len() && stable[..committed.len()] == *committed {
                holders.push(id.0);
            }
        }
        let found = Stable::holds(LOG, committed.len(), &holders, count / 2 + 1);
        self.found.extend(found);
    }

    pub(super) fn equal(&mut self, logs: &BTreeMap<Node, Vec<Entry>>) {
        self.found.extend(Equal::all("the metadata log", logs));
    }
}
