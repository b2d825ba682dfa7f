//! Replicas on their way to another directory of this node (KIP-113), as far as the partitions that are
//! here are concerned: where each is bound for, and the moment in which its copy takes its place.

use std::sync::Arc;

use ottla_env::Env;
use ottla_plant::{Plant, planted};
use ottla_protocol::Uuid;

use super::{Partition, Registry, Topic};
use crate::log::{self, LogError};
use crate::partition::office::PartitionKey;

/// What became of a replica whose copy took its place.
pub(crate) struct Replaced<E: Env> {
    pub(crate) partition: Arc<Partition<E>>,
    /// Before this is durable the original is not deleted.
    pub(crate) lsn: u64,
}

impl<E: Env> Registry<E> {
    /// A copy, to follow its original as a follower does its leader. It is nobody's to find.
    pub(crate) fn host_copy(&self, copy: Arc<log::Partition<E>>) -> Arc<Partition<E>> {
        Partition::new(copy, Arc::clone(&self.office))
    }

    /// From here on the controller is told that a replica is in `directory`, where a copy of it is. It
    /// has to know before the copy takes its place (KIP-858): if that disk is lost, so is the replica,
    /// whatever is left elsewhere.
    pub(crate) fn bind_for(&self, key: PartitionKey, directory: Uuid) {
        if self.bound_for.lock().insert(key, directory) != Some(directory) {
            self.office.misplace(key, directory);
        }
    }

    /// The replica stays where it is, if it was to go elsewhere: the controller is told so.
    pub(crate) fn stays(&self, key: PartitionKey) {
        let was_bound = self.bound_for.lock().remove(&key).is_some();
        let topic = self.topic_by_id(key.0).filter(|_| was_bound);
        if let Some(partition) = topic.as_ref().and_then(|topic| topic.partition(key.1)) {
            self.office.misplace(key, partition.log.directory_id());
        }
    }

    /// Which replicas are bound for another directory.
    pub(crate) fn bound(&self) -> Vec<PartitionKey> {
        self.bound_for.lock().keys().copied().collect()
    }

    /// Puts a copy in the place of its original, if that stands still and the copy has all of it.
    ///
    /// # Errors
    /// If the copy's directory is offline, or it was given up.
    pub(crate) fn replace(
        &self,
        old: &Arc<Partition<E>>,
        copy: &Partition<E>,
    ) -> Result<Option<Replaced<E>>, LogError> {
        let _changing = self.changing.lock();
        let Some(topic) = self.topic_by_id(old.topic_id()) else { return Ok(None) };
        let is_here = topic.partition(old.index()).is_some_and(|known| Arc::ptr_eq(known, old));
        if !is_here || !old.log.stands_still() || !is_all_of(&copy.log, &old.log) {
            return Ok(None);
        }
        // A copy that is given up in this moment is given up, or is none any more.
        let (partition, lsn) = self.data_dirs.undisturbed(|| old.moved_to(&copy.log))?;
        let mut partitions = topic.partitions.clone();
        let at = usize::try_from(old.index()).expect("it was found by it");
        partitions[at] = Some(Arc::clone(&partition));
        self.put(Topic { name: topic.name.clone(), id: topic.id, partitions });
        self.bound_for.lock().remove(&(topic.id, old.index()));
        Ok(Some(Replaced { partition, lsn }))
    }
}

/// Whether a copy holds what its original does, on stable storage.
fn is_all_of<E: Env>(copy: &log::Partition<E>, original: &log::Partition<E>) -> bool {
    let (ours, theirs) = (copy.offsets(), original.offsets());
    if planted(Plant::CopyTakesOverBehind) {
        return true;
    }
    let epoch = |log: &log::Partition<E>| log.last_epoch().map(|last| last.epoch);
    ours.log_start == theirs.log_start
        && ours.log_end == theirs.log_end
        && ours.durable_end == ours.log_end
        && epoch(copy) <= epoch(original)
}
