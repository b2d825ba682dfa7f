//! The states of a classic group. A dead group is simply not there.

use std::fmt;

/// Where a group stands between two assignments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum State {
    /// No members; offsets may live on.
    #[default]
    Empty,
    /// Waiting for members to join.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// Every member may have its assignment.
    Stable,
}

impl State {
    /// Kafka's spelling.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }

    pub(crate) fn may_follow(self, before: State) -> bool {
        match self {
            State::Empty | State::CompletingRebalance => before == State::PreparingRebalance,
            State::PreparingRebalance => before != State::PreparingRebalance,
            State::Stable => before == State::CompletingRebalance,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
