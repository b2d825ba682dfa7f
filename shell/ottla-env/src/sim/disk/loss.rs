//! What a power cut takes: a plan as plain data, and the dice that carry it out.

use crate::sim::random::Random;

/// What becomes of everything that was not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossPlan {
    keep: Keep,
    in_flight: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// The process died, the page cache lives on.
    All,
    /// Only what is durable.
    Nothing,
    /// By the dice.
    Some { seed: u64 },
}

impl LossPlan {
    /// The process dies and the machine stays up: nothing is lost.
    pub fn kill() -> LossPlan {
        LossPlan { keep: Keep::All, in_flight: false }
    }

    /// Everything that was not durable is gone.
    pub fn lose_all() -> LossPlan {
        LossPlan { keep: Keep::Nothing, in_flight: false }
    }

    /// Of what was not durable some is there, by the seed: any subset of pages and sectors, any
    /// length, any prefix of the changes to names.
    pub fn seeded(seed: u64) -> LossPlan {
        LossPlan { keep: Keep::Some { seed }, in_flight: false }
    }

    /// Moreover one more effect was being carried out and may have left traces.
    pub fn in_flight(self) -> LossPlan {
        LossPlan { in_flight: true, ..self }
    }

    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight
    }

    pub(super) fn keeps_all(&self) -> bool {
        self.keep == Keep::All
    }

    pub(super) fn dice(&self) -> Chance {
        match self.keep {
            Keep::All => {
                Chance { random: Random::new(0), data: 100, latest: true, names: Names::All }
            }
            Keep::Nothing => {
                Chance { random: Random::new(0), data: 0, latest: true, names: Names::None }
            }
            Keep::Some { seed } => Chance::seeded(seed),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    All,
    None,
    Some,
}

/// The dice of one power cut.
pub(super) struct Chance {
    random: Random,
    /// How many of a hundred un-synced pages survive.
    data: u64,
    /// Whole latest versions only.
    latest: bool,
    names: Names,
}

impl Chance {
    /// A cut has a character: most of everything lost, or little, with or without its names. Dice
    /// thrown page by page alone would never lose all of a hundred pages but one.
    fn seeded(seed: u64) -> Chance {
        let mut random = Random::new(seed);
        let data = [0, 10, 50, 90, 100][random.index(5)];
        let latest = random.chance(25);
        let names = [Names::All, Names::None, Names::Some, Names::Some][random.index(4)];
        Chance { random, data, latest, names }
    }

    pub(super) fn pick_len(&mut self, durable: u64, lens: &[u64]) -> u64 {
        let Some(last) = lens.last() else { return durable };
        if self.data == 100 && self.latest {
            return *last;
        }
        if self.data == 0 {
            return durable;
        }
        match self.random.index(lens.len() + 2) {
            0 => durable,
            index if index <= lens.len() => lens[index - 1],
            _ => *last,
        }
    }

    pub(super) fn pick_version(&mut self, versions: usize) -> Option<usize> {
        if versions == 0 || !self.random.chance(self.data) {
            return None;
        }
        let back = if self.latest { 0 } else { self.random.index(versions) };
        Some(versions - 1 - back)
    }

    pub(super) fn tears(&mut self) -> bool {
        !self.latest && self.random.chance(40)
    }

    pub(super) fn sector_survives(&mut self) -> bool {
        self.random.chance(50)
    }

    /// How many of the un-synced changes to names are there, counted from the oldest.
    pub(super) fn pick_names(&mut self, changes: usize) -> usize {
        match self.names {
            Names::All => changes,
            Names::None => 0,
            Names::Some => self.random.index(changes + 1),
        }
    }
}
