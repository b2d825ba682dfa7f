//! What must hold after every step. Raft: Ongaro, Ousterhout 2014, figure 3; KIP-595; `lessons` on truncation and the
//! high watermark (KIP-101, KAFKA-14704).

use std::collections::BTreeMap;

use ottla_raft::{ElectionState, NodeId};

use crate::disk::{Disk, Entry};

#[derive(Default)]
pub(crate) struct Promises {
    /// Election safety: one leader an epoch.
    leaders: BTreeMap<i32, NodeId>,
    /// State machine safety: what anybody saw committed.
    pub(crate) committed: Vec<Entry>,
    /// The last election state each replica persisted.
    elections: BTreeMap<NodeId, ElectionState>,
}

impl Promises {
    pub(crate) fn leads(&mut self, node: NodeId, epoch: i32) {
        let leader = *self.leaders.entry(epoch).or_insert(node);
        assert_eq!(leader, node, "two leaders of epoch {epoch}");
    }

    /// A vote is for good within its epoch, and epochs only rise.
    pub(crate) fn persisted(&mut self, node: NodeId, new: &ElectionState) {
        let old = self.elections.insert(node, new.clone()).unwrap_or_default();
        assert!(new.epoch >= old.epoch, "{node}: from epoch {} to {}", old.epoch, new.epoch);
        if new.epoch == old.epoch {
            let kept = old.voted.is_none() || new.voted == old.voted || new.leader == Some(node);
            assert!(kept, "{node}: voted for {:?}, then {:?}", old.voted, new.voted);
            let kept = old.leader.is_none() || new.leader == old.leader;
            assert!(
                kept,
                "{node}: led by {:?}, then {:?} in {}",
                old.leader, new.leader, new.epoch
            );
        }
    }

    /// `node` takes everything below `end` for committed.
    pub(crate) fn commits(&mut self, node: NodeId, end: i64, disk: &Disk) {
        let mut seen = disk.history();
        assert!(end <= seen.len() as i64, "{node}: committed more than it has");
        seen.truncate(usize::try_from(end).unwrap());
        let both = seen.len().min(self.committed.len());
        assert_eq!(seen[..both], self.committed[..both], "{node}: another history was committed");
        if seen.len() > self.committed.len() {
            self.committed = seen;
        }
    }

    /// Leader completeness, as far as disks show it: whatever is committed is on stable storage of a majority of the
    /// voters, so the loss of any minority loses none of it.
    pub(crate) fn survives(&self, voters: &[&Disk]) {
        let has = |disk: &&&Disk| {
            let mut stable = disk.history();
            stable.truncate(usize::try_from(disk.synced.max(disk.start)).unwrap());
            stable.len() >= self.committed.len()
                && stable[..self.committed.len()] == self.committed[..]
        };
        let holders = voters.iter().filter(has).count();
        assert!(
            holders > voters.len() / 2,
            "{} committed records are on stable storage of {holders} of {} voters only",
            self.committed.len(),
            voters.len()
        );
    }
}
