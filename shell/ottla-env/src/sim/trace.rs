//! A running hash over everything that happens: two runs are the same if their hashes are.

use super::random::mix;

/// The hash so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Trace(u64);

impl Trace {
    pub(super) fn add(&mut self, value: u64) {
        self.0 = mix(self.0.rotate_left(5) ^ value);
    }

    /// Four lanes side by side, for every byte on the wires passes here.
    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(bytes.len() as u64);
        let (mut lanes, (blocks, rest)) = ([1_u64, 2, 3, 4], bytes.as_chunks::<32>());
        for block in blocks {
            for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                let word = u64::from_le_bytes(*word);
                *lane = (lane.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            }
        }
        let mut last = [0; 32];
        last[..rest.len()].copy_from_slice(rest);
        let words = last.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        lanes.into_iter().chain(words).for_each(|word| self.add(word));
    }

    pub(super) fn hash(self) -> u64 {
        self.0
    }
}
