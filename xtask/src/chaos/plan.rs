//! What is done to a cluster, round by round: a function of the seed.

use std::time::Duration;

/// Whom it hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The leader of this partition of the first topic.
    Leader(i32),
    /// The leader of the metadata quorum.
    Controller,
    /// One that has this number, counted around.
    Node(u16),
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// SIGKILL, and a start after the pause.
    Kill,
    /// The same for this one and the next.
    KillTwo,
    /// The same for all.
    KillAll,
    /// Killed, and what it did not sync is gone.
    Power,
    /// The same for all.
    PowerAll,
    /// SIGTERM and a start.
    Restart,
    /// SIGSTOP, SIGCONT.
    Pause,
    /// Cut off from everybody.
    Unplug,
    /// Cut off from the other nodes, not from the clients.
    Split,
    /// What it sends to the other nodes is lost; what they send arrives.
    Mute,
    /// Every node loses what it sends to the next one.
    Ring,
    /// Cut off and joined again three times, and killed while it is cut off.
    Flap,
    /// A partition is given other replicas.
    Move,
    /// Its replicas of the first topic go to its other log directory. Only where it is asked for.
    Shift,
}

impl Act {
    pub(crate) const ALL: [Act; 13] = [
        Act::Kill,
        Act::KillTwo,
        Act::KillAll,
        Act::Power,
        Act::PowerAll,
        Act::Restart,
        Act::Pause,
        Act::Unplug,
        Act::Split,
        Act::Mute,
        Act::Ring,
        Act::Flap,
        Act::Move,
    ];

    /// The act of this name.
    pub(crate) fn named(name: &str) -> Option<Act> {
        Act::ALL.into_iter().chain([Act::Shift]).find(|act| act.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Act::Kill => "kill",
            Act::KillTwo => "kill-two",
            Act::KillAll => "kill-all",
            Act::Power => "power",
            Act::PowerAll => "power-all",
            Act::Restart => "restart",
            Act::Pause => "pause",
            Act::Unplug => "unplug",
            Act::Split => "split",
            Act::Mute => "mute",
            Act::Ring => "ring",
            Act::Flap => "flap",
            Act::Move => "move",
            Act::Shift => "shift",
        }
    }

    pub(crate) fn is_of_power(self) -> bool {
        matches!(self, Act::Power | Act::PowerAll)
    }

    pub(crate) fn is_of_network(self) -> bool {
        matches!(self, Act::Unplug | Act::Split | Act::Mute | Act::Ring | Act::Flap)
    }
}

/// One round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round {
    /// Nothing is done for so long.
    pub(crate) alive: Duration,
    pub(crate) act: Act,
    pub(crate) who: Who,
    /// From the deed to its undoing.
    pub(crate) held: Duration,
}

/// The rounds of a seed.
pub(crate) struct Plan {
    state: u64,
    acts: Vec<Act>,
}

impl Plan {
    /// Only `acts` are done, kills as often as all that is not one.
    pub(crate) fn new(seed: u64, acts: Vec<Act>) -> Plan {
        Plan { state: seed, acts }
    }

    /// The next one.
    pub(crate) fn round(&mut self) -> Round {
        let alive = 50.0 * 40f64.powf(self.below(1_000) as f64 / 1_000.0);
        let kills = self.acts.contains(&Act::Kill) && self.below(3) == 0;
        let act = if kills {
            Act::Kill
        } else {
            let index = self.below(self.acts.len() as u64);
            self.acts[index as usize]
        };
        let who = match self.below(4) {
            0 => Who::Controller,
            1 => Who::Node(self.below(100) as u16),
            _ => Who::Leader(self.below(4) as i32),
        };
        // A third is over before anybody can take it for a death, a third is long enough for one.
        let held = match (act, self.below(3)) {
            (Act::Kill | Act::KillTwo | Act::KillAll | Act::Restart, 0) => 0,
            (Act::Power | Act::PowerAll, 0) => 0,
            (_, 0) => 50 + self.below(400),
            (_, 1) => 400 + self.below(2_000),
            _ => 2_000 + self.below(4_000),
        };
        Round {
            alive: Duration::from_secs_f64(alive / 1_000.0),
            act,
            who,
            held: Duration::from_millis(held),
        }
    }

    /// SplitMix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

#[cfg(test)]
mod tests {
    use super::{Act, Plan};

    #[test]
    fn a_seed_is_one_plan_with_every_act_in_it() {
        let rounds = |seed: u64| {
            let mut plan = Plan::new(seed, Act::ALL.to_vec());
            (0..300).map(|_| plan.round()).collect::<Vec<_>>()
        };
        assert_eq!(rounds(7), rounds(7));
        assert_ne!(rounds(7), rounds(8));
        let of_seven = rounds(7);
        for act in Act::ALL {
            assert!(of_seven.iter().any(|round| round.act == act), "{act:?}");
        }
    }
}
