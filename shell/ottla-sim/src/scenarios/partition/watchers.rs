//! The judge's watchers at one partition.

use std::collections::BTreeMap;

use ottla_judge::Violation;
use ottla_judge::watch::{
    Entry, Equal, HighWatermark, InSync, Log, Node, OneHistory, OneLeader, Stable,
};

use super::disk::Disk;

/// The partition, the only one here.
const LOG: Log = 0;

/// See the module's first line.
#[derive(Default)]
pub(super) struct Watchers {
    pub(super) found: Vec<Violation>,
    leaders: OneLeader,
    marks: HighWatermark,
    history: OneHistory,
    acknowledged: Vec<(i64, Entry)>,
}

impl Watchers {
    pub(super) fn is_content(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    pub(super) fn liveness(&mut self, text: String) {
        self.found.push(Violation { promise: "liveness", text });
    }

    pub(super) fn broken(&mut self, text: String) {
        self.found.push(Violation { promise: "replica", text });
    }

    pub(super) fn leads(&mut self, node: Node, epoch: i32) {
        self.found.extend(self.leaders.leads(LOG, epoch, node));
    }

    /// `node` serves its log up to `mark` to consumers.
    pub(super) fn commits(&mut self, node: Node, term: u64, from: i64, mark: i64, disk: &Disk) {
        self.found.extend(self.marks.says(LOG, node, term, mark));
        let known = self.history.committed(LOG).len();
        let from = usize::try_from(from).unwrap_or(0).min(known);
        let to = usize::try_from(mark).unwrap_or(0).min(disk.entries.len());
        if from < to {
            let entries = &disk.entries[from..to];
            self.found.extend(self.history.commits(LOG, node, from, entries));
        }
    }

    pub(super) fn acknowledges(&mut self, offset: i64, entry: Entry) {
        self.acknowledged.push((offset, entry));
    }

    /// Everybody in sync has what is committed, and enough of all have it on stable storage.
    pub(super) fn in_sync<'a>(
        &mut self,
        isr: &[Node],
        all: impl Iterator<Item = (Node, &'a Disk)>,
        enough: usize,
    ) {
        let committed = self.history.committed(LOG);
        let count = committed.len() as i64;
        let mut holders: Vec<Node> = Vec::new();
        let mut found = Vec::new();
        for (id, disk) in all {
            let both = disk.entries.iter().zip(committed).take_while(|(one, other)| one == other);
            let same = both.count() as i64;
            if isr.contains(&id) {
                found.extend(InSync::is_in(LOG, id, same, count));
            }
            if same.min(disk.synced) >= count {
                holders.push(id);
            }
        }
        found.extend(Stable::holds(LOG, committed.len(), &holders, enough));
        self.found.extend(found);
    }

    /// The end: one log, with all that was acknowledged in its place.
    pub(super) fn end(&mut self, logs: &BTreeMap<Node, Vec<Entry>>) {
        self.found.extend(Equal::all("the partition", logs));
        let Some(log) = logs.values().next() else { return };
        for (offset, entry) in &self.acknowledged {
            let there = usize::try_from(*offset).ok().and_then(|at| log.get(at));
            if there != Some(entry) {
                let text = format!("{entry:?} was acknowledged at {offset}, there is {there:?}");
                self.found.push(Violation { promise: "lost", text });
                return;
            }
        }
    }
}
