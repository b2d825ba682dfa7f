//! A bucket of bytes that fills evenly: what the throttled replicas of a node may be sent, or fetch
//! (KIP-73). Apache Kafka counts eleven samples of a second instead; the rate over time is the same.

/// No limit, as Kafka's keys say it.
const UNLIMITED: i64 = i64::MAX;
/// How often to look again where the rate is zero.
const LOOK_AGAIN_MS: i64 = 1_000;

/// See the module. It may be overdrawn by what one answer takes, and is closed until that is made good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    /// Bytes a second.
    rate: i64,
    /// In thousandths of a byte, so that nothing is lost between two looks.
    level: i128,
    filled_ms: i64,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle { rate: UNLIMITED, level: 0, filled_ms: 0 }
    }
}

impl Throttle {
    /// Milliseconds until something may pass again at `rate` bytes a second; nothing if it may now.
    /// Times are of a clock that does not go back.
    pub fn closed_for(&mut self, rate: i64, now_ms: i64) -> Option<i64> {
        self.fill(rate, now_ms);
        if rate == UNLIMITED || self.level > 0 {
            return None;
        }
        if rate <= 0 {
            return Some(LOOK_AGAIN_MS);
        }
        let wait = -self.level / i128::from(rate) + 1;
        Some(i64::try_from(wait).unwrap_or(LOOK_AGAIN_MS))
    }

    /// So many bytes pass.
    pub fn pass(&mut self, bytes: usize) {
        if self.rate != UNLIMITED {
            self.level -= i128::try_from(bytes).unwrap_or(i128::MAX / 2_000) * 1_000;
        }
    }

    /// A second's worth is kept at most. A throttle that is new begins with that.
    fn fill(&mut self, rate: i64, now_ms: i64) {
        let elapsed_ms = i128::from(now_ms.saturating_sub(self.filled_ms).max(0));
        self.filled_ms = now_ms;
        if rate == UNLIMITED {
            self.rate = rate;
            return;
        }
        let full = i128::from(rate) * 1_000;
        let was_unlimited = std::mem::replace(&mut self.rate, rate) == UNLIMITED;
        self.level = match was_unlimited {
            true => full,
            false => (self.level + i128::from(rate) * elapsed_ms).min(full),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_a_rate_it_is_open() {
        let mut throttle = Throttle::default();
        throttle.pass(usize::MAX);
        assert_eq!(throttle.closed_for(UNLIMITED, 0), None);
    }

    #[test]
    fn what_is_overdrawn_is_waited_for() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.closed_for(1_000, 5), None);
        throttle.pass(3_000);
        let wait = throttle.closed_for(1_000, 5).unwrap();
        assert!((2_000..=2_001).contains(&wait), "{wait}");
        assert_eq!(throttle.closed_for(1_000, 5 + wait), None);
    }

    #[test]
    fn at_rate_zero_nothing_passes() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.closed_for(0, 0), Some(LOOK_AGAIN_MS));
        assert_eq!(throttle.closed_for(0, 1 << 40), Some(LOOK_AGAIN_MS));
        assert_eq!(throttle.closed_for(UNLIMITED, 1 << 40), None);
    }

    proptest! {
        /// Over any time no more passes than a second's worth, the rate, and one answer.
        #[test]
        fn the_rate_holds(
            rate in 1..1_000_000_i64,
            looks in prop::collection::vec((0..500_i64, 1..100_000_usize), 1..200),
        ) {
            let (mut throttle, mut now_ms, mut passed) = (Throttle::default(), 0, 0_i128);
            for (pause_ms, bytes) in looks {
                now_ms += pause_ms;
                if throttle.closed_for(rate, now_ms).is_none() {
                    let allowed = i128::from(rate) * (i128::from(now_ms) + 1_000) / 1_000;
                    prop_assert!(passed <= allowed, "{passed} of {allowed}");
                    throttle.pass(bytes);
                    passed += i128::try_from(bytes).unwrap();
                }
            }
        }

        /// It opens when it said it would, and not before.
        #[test]
        fn it_opens_when_it_says(rate in 1..1_000_000_i64, bytes in 1..10_000_000_usize) {
            let mut throttle = Throttle::default();
            prop_assert_eq!(throttle.closed_for(rate, 0), None);
            throttle.pass(bytes);
            if let Some(wait) = throttle.closed_for(rate, 0) {
                let mut early = throttle.clone();
                prop_assert!(early.closed_for(rate, wait - 1).is_some());
                prop_assert_eq!(throttle.closed_for(rate, wait), None);
            }
        }
    }
}
