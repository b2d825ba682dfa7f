//! A voter gives one vote an epoch, and its epoch never falls, whatever happens to its power.
//!
//! Sources: Raft, figure 2 (persistent state); KIP-595 (`quorum-state`); KIP-996 (a pre-vote is no vote).

use std::collections::BTreeMap;

use super::{Node, violation};
use crate::verdict::Violation;

/// What a voter has written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ballot {
    pub epoch: i32,
    pub leader: Option<Node>,
    pub voted: Option<Node>,
}

/// See the module's first line.
#[derive(Debug, Default)]
pub struct OneVote {
    written: BTreeMap<Node, Ballot>,
    given: BTreeMap<(Node, i32), Node>,
}

impl OneVote {
    /// `node` writes down `new`.
    pub fn writes(&mut self, node: Node, new: Ballot) -> Option<Violation> {
        let old = self.written.insert(node, new).unwrap_or_default();
        let fell = new.epoch < old.epoch;
        let same = new.epoch == old.epoch;
        let led_by_another = same && old.leader.is_some() && new.leader != old.leader;
        if fell || led_by_another {
            return violation("one_vote", format!("{node} had {old:?}, then {new:?}"));
        }
        None
    }

    /// `node` answers `to` that it has its vote in `epoch`.
    pub fn grants(&mut self, node: Node, epoch: i32, to: Node) -> Option<Violation> {
        let first = *self.given.entry((node, epoch)).or_insert(to);
        if first == to {
            return None;
        }
        violation("one_vote", format!("{node} votes for {first} and for {to} in epoch {epoch}"))
    }
}
