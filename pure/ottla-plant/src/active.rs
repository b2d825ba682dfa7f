//! Which bug is in the code now: a matter of the thread, as a simulation is one thread.

use std::cell::Cell;

use crate::Plant;

thread_local! {
    static ACTIVE: Cell<Option<Plant>> = const { Cell::new(None) };
}

/// Puts a bug into the code for this thread, in place of the one before; `None` takes it out.
pub fn activate(plant: Option<Plant>) {
    ACTIVE.set(plant);
}

/// Whether the bug is in the code.
#[must_use]
pub fn planted(plant: Plant) -> bool {
    ACTIVE.get() == Some(plant)
}
