//! Replicas that may be on a disk that this node misses: an empty log must not take the place of one.

use std::collections::BTreeSet;

use ottla_env::Env;
use ottla_metadata::image::{self, directory};
use ottla_plant::{Plant, planted};

use super::Registry;
use crate::partition::office::PartitionKey;

/// Which replicas this node did not find.
#[derive(Default)]
pub(super) struct Reach {
    /// All that was there when this process began has been opened.
    is_open: bool,
    /// Not found at the start, while a disk was missing: they stay out of reach until the next one.
    missed: BTreeSet<PartitionKey>,
}

impl<E: Env> Registry<E> {
    /// This node has caught up with the cluster, and with that opened all that was there when it began: what
    /// appears now is new. Before that, what was made long ago may be read as if it were made now.
    pub(crate) fn opened(&self) {
        self.reach.lock().is_open = true;
    }

    /// Whether a replica may be on a disk that this node misses: an empty log must not take its place. What
    /// the controller has written down may be wrong: it was not told yet, or the level has no directories
    /// (before 3.7), or the replica was about to move, of which it hears before that is done. So only a
    /// replica that is new may be anywhere else.
    pub(super) fn is_out_of_reach(&self, key: PartitionKey, state: &image::Partition) -> bool {
        if !self.data_dirs.misses_some() || planted(Plant::EmptyForMissing) {
            return false;
        }
        let known =
            state.directory(self.office.node_id()).filter(|id| !directory::is_reserved(*id));
        if known.is_some_and(|known| self.data_dirs.is_out_of_reach(known)) {
            return true;
        }
        if self.data_dirs.partition(key.0, key.1).is_some() {
            return false;
        }
        let mut reach = self.reach.lock();
        if !reach.is_open {
            reach.missed.insert(key);
        }
        reach.missed.contains(&key)
    }
}
