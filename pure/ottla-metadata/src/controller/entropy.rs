//! `Entropy`: random numbers from a seed that the driver drew. Never used for secrets.

use ottla_protocol::Uuid;

/// xoshiro256++.
#[derive(Debug, Clone)]
pub(super) struct Entropy {
    state: [u64; 4],
}

impl Entropy {
    pub(super) fn new(seed: [u64; 4]) -> Self {
        // All zeroes is the one state that never leaves itself.
        let state = if seed == [0; 4] { [1, 2, 3, 4] } else { seed };
        Self { state }
    }

    pub(super) fn next(&mut self) -> u64 {
        let [s0, s1, s2, s3] = &mut self.state;
        let result = s0.wrapping_add(*s3).rotate_left(23).wrapping_add(*s0);
        let shifted = *s1 << 17;
        *s2 ^= *s0;
        *s3 ^= *s1;
        *s1 ^= *s2;
        *s0 ^= *s3;
        *s2 ^= shifted;
        *s3 = s3.rotate_left(45);
        result
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// An id as Kafka makes them: never one whose text begins with a dash, which command lines
    /// would take for an option.
    pub(super) fn topic_id(&mut self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&self.next().to_be_bytes());
            bytes[8..].copy_from_slice(&self.next().to_be_bytes());
            let id = Uuid::from_random(bytes);
            if !id.to_string().starts_with('-') {
                return id;
            }
        }
    }
}
