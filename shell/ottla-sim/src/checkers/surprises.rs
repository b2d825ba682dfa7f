//! No client was given an answer that a working broker never gives: a sequence out of order from a
//! producer that kept the order, a node that does not start on its own disk.

use crate::history::{Ending, History};

pub(super) fn check(history: &History, _ending: &Ending) -> Vec<String> {
    history.surprises.clone()
}
