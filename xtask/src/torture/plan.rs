//! What is done to the broker, round by round: a function of the seed.

use std::time::Duration;

/// One round: it lives, is killed, and is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round {
    /// From serving to the kill.
    pub(crate) alive: Duration,
    /// From the kill to the next start.
    pub(crate) pause: Duration,
    /// It is started and killed so soon that it may be in the middle of its recovery.
    pub(crate) during_start: Option<Duration>,
    /// It is killed again so soon after it serves.
    pub(crate) once_more: Option<Duration>,
}

/// The rounds of a seed.
pub(crate) struct Plan {
    state: u64,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Plan {
        Plan { state: seed }
    }

    /// The next one.
    pub(crate) fn round(&mut self) -> Round {
        // As many short lives as long ones: 50 ms to 3 s, evenly in the logarithm.
        let alive = 50.0 * 60f64.powf(self.below(1_000) as f64 / 1_000.0);
        let pause = if self.below(4) == 0 { self.below(400) } else { self.below(20) };
        let during_start = (self.below(4) == 0).then(|| Duration::from_micros(self.below(60_000)));
        let once_more = (self.below(6) == 0).then(|| Duration::from_millis(20 + self.below(300)));
        Round {
            alive: Duration::from_secs_f64(alive / 1_000.0),
            pause: Duration::from_millis(pause),
            during_start,
            once_more,
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
    use std::time::Duration;

    use super::Plan;

    #[test]
    fn a_seed_is_one_plan_with_all_kinds_of_rounds() {
        let rounds = |seed: u64| {
            let mut plan = Plan::new(seed);
            (0..500).map(|_| plan.round()).collect::<Vec<_>>()
        };
        assert_eq!(rounds(7), rounds(7));
        assert_ne!(rounds(7), rounds(8));
        let lives = Duration::from_millis(50)..=Duration::from_millis(3_000);
        let of_seven = rounds(7);
        assert!(of_seven.iter().all(|round| lives.contains(&round.alive)));
        assert!(of_seven.iter().any(|round| round.during_start.is_some()));
        assert!(of_seven.iter().any(|round| round.once_more.is_some()));
    }
}
