//! Replicas on their way in and out (KIP-455): what a reassignment needs, when it is complete, and
//! what a cancelled one goes back to. Looks at lists of replicas only.

use ottla_plant::{Plant, planted};

/// A reassignment from one list of replicas to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reassignment {
    /// Those that are wanted, and behind them those that leave once the others are in sync.
    pub(super) replicas: Vec<i32>,
    pub(super) removing: Vec<i32>,
    pub(super) adding: Vec<i32>,
}

impl Reassignment {
    pub(super) fn new(current: &[i32], target: &[i32]) -> Self {
        let mut removing: Vec<i32> =
            current.iter().filter(|id| !target.contains(id)).copied().collect();
        let mut adding: Vec<i32> =
            target.iter().filter(|id| !current.contains(id)).copied().collect();
        removing.sort_unstable();
        adding.sort_unstable();
        let replicas = target.iter().chain(&removing).copied().collect();
        Self { replicas, removing, adding }
    }
}

/// The replicas and the ISR of a reassignment that this ISR completes: all that stay or come are in
/// sync.
pub(super) fn completed(
    replicas: &[i32],
    removing: &[i32],
    adding: &[i32],
    isr: &[i32],
) -> Option<(Vec<i32>, Vec<i32>)> {
    if removing.is_empty() && adding.is_empty() {
        return None;
    }
    let stays = |id: &&i32| !removing.contains(id);
    let isr: Vec<i32> = isr.iter().filter(stays).copied().collect();
    let replicas: Vec<i32> = replicas.iter().filter(stays).copied().collect();
    let is_in_sync = |id: &i32| isr.contains(id);
    let is_complete = match planted(Plant::ReassignedTooEarly) {
        true => replicas.iter().any(is_in_sync),
        false => !replicas.is_empty() && replicas.iter().all(is_in_sync),
    };
    is_complete.then_some((replicas, isr))
}

/// What a cancelled reassignment goes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reverted {
    pub(super) replicas: Vec<i32>,
    /// Empty where nobody of them is in sync.
    pub(super) isr: Vec<i32>,
    /// Somebody was in sync, and nobody who stays: what only those had is lost.
    pub(super) is_unclean: bool,
}

pub(super) fn reverted(replicas: &[i32], adding: &[i32], isr: &[i32]) -> Reverted {
    let was_there = |id: &&i32| !adding.contains(id);
    let replicas = replicas.iter().filter(was_there).copied().collect();
    let kept: Vec<i32> = isr.iter().filter(was_there).copied().collect();
    let is_unclean = kept.is_empty() && !isr.is_empty();
    Reverted { replicas, isr: kept, is_unclean }
}
