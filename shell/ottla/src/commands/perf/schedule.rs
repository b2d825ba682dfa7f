//! When records are due at a rate, and what is in them. Knows no clock.

use std::time::Duration;

use bytes::Bytes;

/// Records at even distances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Schedule {
    /// Records a second.
    pub(super) rate: f64,
}

impl Schedule {
    /// When a record, counted from 0, is due after the beginning.
    pub(super) fn due(self, number: u64) -> Duration {
        Duration::try_from_secs_f64(number as f64 / self.rate).unwrap_or(Duration::MAX)
    }

    /// How many records are due within a time; at least one.
    pub(super) fn count(self, within: Duration) -> u64 {
        let exact = within.as_secs_f64() * self.rate;
        // What the product of two decimal fractions is off by must not make one more.
        ((exact - exact * 1e-12).ceil() as u64).max(1)
    }
}

/// What records consist of: letters without a pattern, so that compression has some work and does
/// not win too easily.
pub(super) struct Payload {
    letters: Bytes,
    record_bytes: usize,
}

/// Of a record that says when it was due: the run's number and the time.
pub(super) const STAMP_BYTES: usize = 16;

impl Payload {
    /// How many random bytes [`Payload::new`] wants for records of this size.
    pub(super) fn random_bytes(record_bytes: usize) -> usize {
        const VARIETY: usize = 1 << 16;
        record_bytes + VARIETY
    }

    /// Records of `record_bytes` out of at least as many `random` ones.
    pub(super) fn new(mut random: Vec<u8>, record_bytes: usize) -> Payload {
        random.iter_mut().for_each(|byte| *byte = b'A' + *byte % 26);
        Payload { record_bytes: record_bytes.min(random.len()), letters: random.into() }
    }

    /// The value of a record; shares its memory with all others.
    pub(super) fn value(&self, number: u64) -> Bytes {
        // A prime, so that all places have their turn.
        const STEP: u64 = 7919;
        let places = (self.letters.len() - self.record_bytes + 1) as u64;
        let at = (number.wrapping_mul(STEP) % places) as usize;
        self.letters.slice(at..at + self.record_bytes)
    }

    /// The same with a stamp over its beginning.
    pub(super) fn stamped(&self, number: u64, run: u64, due_ns: u64) -> Bytes {
        let mut value = self.value(number).to_vec();
        value.resize(self.record_bytes.max(STAMP_BYTES), b'A');
        value[..8].copy_from_slice(&run.to_be_bytes());
        value[8..STAMP_BYTES].copy_from_slice(&due_ns.to_be_bytes());
        value.into()
    }
}

/// When a record of this run was due; `None` for somebody else's.
pub(super) fn due_ns(value: &[u8], run: u64) -> Option<u64> {
    let (of, rest) = value.split_first_chunk::<8>()?;
    let due = rest.first_chunk::<8>()?;
    (u64::from_be_bytes(*of) == run).then(|| u64::from_be_bytes(*due))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_due_at_even_distances_without_drift() {
        let schedule = Schedule { rate: 3.0 };
        let due: Vec<u128> = (0..4).map(|number| schedule.due(number).as_micros()).collect();
        assert_eq!(due, [0, 333_333, 666_666, 1_000_000]);
        assert_eq!(schedule.due(3_000_000_000), Duration::from_secs(1_000_000_000));
        assert_eq!(Schedule { rate: 0.001 }.due(u64::MAX), Duration::MAX);
    }

    #[test]
    fn as_many_are_due_as_lie_before_the_end() {
        for (rate, seconds, count) in
            [(200.0, 10.0, 2000), (3.0, 1.0, 3), (3.0, 1.1, 4), (0.1, 1.0, 1), (10.0, 0.1, 1)]
        {
            let schedule = Schedule { rate };
            let within = Duration::from_secs_f64(seconds);
            assert_eq!(schedule.count(within), count, "{rate}/s for {seconds} s");
            assert!(count == 1 || schedule.due(count - 1) < within);
        }
    }

    #[test]
    fn records_have_their_size_and_differ() {
        let random = (0..Payload::random_bytes(100)).map(|at| (at * at / 7) as u8).collect();
        let payload = Payload::new(random, 100);
        assert!((0..5000).all(|number| payload.value(number).len() == 100));
        assert_ne!(payload.value(0), payload.value(1));
        assert!(payload.value(7).iter().all(u8::is_ascii_uppercase));
    }

    #[test]
    fn a_stamp_is_read_by_its_own_run() {
        let payload = Payload::new(vec![0; 10], 4);
        let value = payload.stamped(0, 5, 77);
        assert_eq!(value.len(), STAMP_BYTES);
        assert_eq!(due_ns(&value, 5), Some(77));
        assert_eq!(due_ns(&value, 6), None);
        assert_eq!(due_ns(&value[..15], 5), None);
    }
}
