//! Every effect on a disk in order, and the disk as it would be had the power gone in between.

use std::sync::Arc;

use parking_lot::Mutex;

use super::effect::Effect;
use super::handle::SimDisk;
use super::loss::LossPlan;
use super::state::DiskState;

/// Effects between two kept states: what a jump to any moment replays at most.
const CHECKPOINT_EFFECTS: usize = 128;

/// What is recorded; the disk appends, recordings read.
#[derive(Debug)]
pub(super) struct Tape {
    effects: Vec<Effect>,
    /// The state before effect 0, 128, 256 and so on. Shares its pages with the live one.
    checkpoints: Vec<DiskState>,
}

impl Tape {
    pub(super) fn new(base: DiskState) -> Tape {
        Tape { effects: Vec::new(), checkpoints: vec![base] }
    }

    /// Appends an effect, `after` being the state with it.
    pub(super) fn push(&mut self, effect: Effect, after: &DiskState) {
        self.effects.push(effect);
        if self.effects.len().is_multiple_of(CHECKPOINT_EFFECTS) {
            self.checkpoints.push(after.clone());
        }
    }
}

/// A handle on what is recorded. Each clone remembers its own place, so walking through the
/// effects in order is cheap, in as many threads as there are clones.
pub struct Recording {
    tape: Arc<Mutex<Tape>>,
    /// The state before effect number `.0`.
    cursor: Mutex<Option<(usize, DiskState)>>,
}

impl Recording {
    pub(super) fn new(tape: Arc<Mutex<Tape>>) -> Recording {
        Recording { tape, cursor: Mutex::new(None) }
    }

    /// How many effects there were so far.
    pub fn len(&self) -> usize {
        self.tape.lock().effects.len()
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What effect number `index` was, in words; empty past the end.
    pub fn effect(&self, index: usize) -> String {
        self.tape.lock().effects.get(index).map(|effect| format!("{effect:?}")).unwrap_or_default()
    }

    /// The disk a restarted machine finds if the power went after the first `prefix` effects (all
    /// of them, if there are fewer), un-synced things lost by `plan`.
    pub fn state_at(&self, prefix: usize, plan: &LossPlan) -> SimDisk {
        let tape = self.tape.lock();
        let prefix = prefix.min(tape.effects.len());
        let mut cursor = self.cursor.lock();
        let (mut at, mut state) = match cursor.take() {
            Some((at, state)) if at <= prefix && prefix - at <= CHECKPOINT_EFFECTS => (at, state),
            _ => {
                let checkpoint = prefix / CHECKPOINT_EFFECTS;
                (checkpoint * CHECKPOINT_EFFECTS, tape.checkpoints[checkpoint].clone())
            }
        };
        while at < prefix {
            state.apply(&tape.effects[at]);
            at += 1;
        }
        let in_flight = tape.effects.get(prefix).filter(|_| plan.is_in_flight());
        let survivor = state.survivor(in_flight, plan);
        *cursor = Some((at, state));
        SimDisk::holding(survivor, prefix as u64)
    }
}

impl Clone for Recording {
    fn clone(&self) -> Recording {
        Recording::new(self.tape.clone())
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("effects", &self.len()).finish()
    }
}
