//! A seeded source of values for tests: the same seed gives the same message, everywhere.

use bytes::Bytes;

/// Arrays nested deeper than this are kept short, so that messages stay small.
const DEEP: u32 = 2;

#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
    depth: u32,
    with_records: bool,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { state: seed, depth: 0, with_records: true }
    }

    /// Leaves fields of type `records` null: Kafka's JSON cannot give them.
    pub fn without_records(seed: u64) -> Self {
        Self { with_records: false, ..Self::new(seed) }
    }

    /// The next number of the sequence (SplitMix64).
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next_u64() % limit.max(1) as u64) as usize
    }

    /// True once in `one_in` times.
    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    /// Small, at an edge, or anything.
    pub fn number(&mut self) -> i64 {
        match self.below(6) {
            0 => 0,
            1 => -1,
            2 => self.below(300) as i64,
            3 => i64::MAX >> (8 * self.below(8)),
            4 => i64::MIN >> (8 * self.below(8)),
            _ => self.next_u64() as i64,
        }
    }

    pub fn text(&mut self) -> String {
        const LETTERS: [char; 12] = ['a', 'Z', '0', '-', '_', '.', ' ', '"', '\\', 'ß', '語', '😀'];
        // Long enough now and then for a length of two bytes in the compact form.
        let length = if self.chance(20) { 127 + self.below(3) } else { self.below(9) };
        (0..length).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }

    pub fn bytes(&mut self) -> Bytes {
        let length = if self.chance(20) { 126 + self.below(3) } else { self.below(12) };
        (0..length).map(|_| self.next_u64() as u8).collect()
    }

    pub fn records(&mut self) -> Option<Bytes> {
        if !self.with_records {
            return None;
        }
        if self.chance(8) { Some(Bytes::from(vec![7; 1500])) } else { Some(self.bytes()) }
    }

    pub(crate) fn array_length(&mut self) -> usize {
        self.depth += 1;
        self.below(if self.depth > DEEP { 3 } else { 4 })
    }

    pub(crate) fn array_done(&mut self) {
        self.depth -= 1;
    }
}
