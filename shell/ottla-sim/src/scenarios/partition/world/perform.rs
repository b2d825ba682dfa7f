//! What a machine asks for is done.

use ottla_judge::watch::Entry;
use ottla_replica::{follower, leader};

use super::super::controller::Decision;
use super::super::node::Role;
use super::{LOST_MS, Letter, WAIT_MS, World};

impl World {
    pub(super) fn perform_leading(&mut self, id: i32, actions: Vec<leader::Action>) {
        for action in actions {
            match action {
                leader::Action::RaiseHighWatermark(mark) => {
                    self.node(id).disk.raise(mark);
                    self.settle(id);
                }
                leader::Action::AlterPartition(proposal) => {
                    let boot = self.nodes[&id].boot;
                    self.send(Letter::Alter { from: id, boot, proposal: proposal.clone() });
                    // An answer that does not come is one that says nothing.
                    let decision = Decision::Unknown;
                    let lost = Letter::Altered { to: id, boot, proposal, decision };
                    self.post(lost, LOST_MS);
                }
                leader::Action::IsrChanged => {}
            }
        }
    }

    /// The leader's high watermark may have moved: consumers see it, and producers are answered.
    pub(super) fn settle(&mut self, id: i32) {
        let node = &self.nodes[&id];
        let Role::Leader(leader) = &node.role else { return };
        let (mark, epoch) = (leader.high_watermark(), leader.leader_epoch());
        let enough = leader.has_enough_in_sync();
        // Until it knows what was committed before its epoch a leader tells nobody where the log ends.
        if leader.knows_what_is_committed() {
            let term = u64::from(epoch.unsigned_abs()) << 32 | node.boot;
            let from = node.disk.written_mark.min(mark);
            self.watchers.commits(id, term, from, mark, &node.disk);
        }
        let node = self.node(id);
        let mut acknowledged = Vec::new();
        while let Some(first) = node.waiting.first_entry()
            && *first.key() < mark
        {
            let (last, (of, values)) = first.remove_entry();
            if of == epoch && enough {
                let base = last + 1 - values.len() as i64;
                let entry = |value| Entry { epoch, value };
                acknowledged.extend((base..).zip(values.into_iter().map(entry)));
            }
        }
        for (offset, entry) in acknowledged {
            self.watchers.acknowledges(offset, entry);
        }
        self.check_in_sync();
    }

    pub(super) fn perform_following(
        &mut self,
        id: i32,
        actions: &[follower::Action],
        log: &[Entry],
    ) {
        let mut changed = false;
        for action in actions {
            let node = self.node(id);
            match *action {
                follower::Action::Append => {
                    node.disk.entries.extend_from_slice(log);
                    changed = true;
                    self.sync_later(id);
                }
                follower::Action::Truncate { to, below_high_watermark } => {
                    node.life += 1;
                    node.disk.truncate(to);
                    changed = true;
                    // What is left is as durable as it was; what was staged before is reported anew.
                    self.sync_later(id);
                    if below_high_watermark {
                        self.watchers
                            .broken(format!("{id} cuts its log to {to}, below its high watermark"));
                    }
                    self.check_in_sync();
                }
                follower::Action::Restart { at } => {
                    node.life += 1;
                    node.disk.truncate(at);
                    changed = true;
                    self.check_in_sync();
                }
                follower::Action::RaiseHighWatermark(mark) => {
                    node.disk.raise(mark);
                    let (boot, mark) = (node.boot, node.disk.high_watermark);
                    let term = 1 << 62 | boot;
                    let from = node.disk.written_mark.min(mark);
                    let disk = node.disk.clone();
                    self.watchers.commits(id, term, from, mark, &disk);
                }
                follower::Action::RaiseLogStart(_) | follower::Action::AskBounds => {}
            }
        }
        if changed {
            self.follow(id, follower::Event::Done, &[]);
        }
        let boot = self.nodes[&id].boot;
        let empty = actions.is_empty();
        let delay_ms = if empty { self.random.between(1, WAIT_MS) } else { 0 };
        self.post(Letter::Look { node: id, boot }, delay_ms);
    }
}
