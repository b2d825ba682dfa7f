//! Which partitions a data directory has: by id for callers, by number for the log. Nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::Uuid;
use parking_lot::RwLock;

use crate::options::TopicPartition;
use crate::partition::Partition;

/// The partitions. Numbers are never used twice.
pub(crate) struct Registry<E: Env> {
    inner: RwLock<Inner<E>>,
}

struct Inner<E: Env> {
    by_number: BTreeMap<u64, Arc<Partition<E>>>,
    /// Of each topic, by partition.
    by_id: BTreeMap<Uuid, Vec<Arc<Partition<E>>>>,
    next_number: u64,
}

impl<E: Env> Registry<E> {
    pub(crate) fn new(next_number: u64) -> Registry<E> {
        let (by_number, by_id) = (BTreeMap::new(), BTreeMap::new());
        Registry { inner: RwLock::new(Inner { by_number, by_id, next_number }) }
    }

    /// A number for a new partition.
    pub(crate) fn take_number(&self) -> u64 {
        let mut inner = self.inner.write();
        inner.next_number += 1;
        inner.next_number - 1
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.inner.read().next_number
    }

    pub(crate) fn insert(&self, partition: Arc<Partition<E>>) {
        self.inner.write().insert(partition);
    }

    /// Has a new partition written to the log and inserts it, as one step: a checkpoint that covers
    /// its first entry has to know the partition, or what it appends is nobody's after a restart.
    pub(crate) fn announce<F>(
        &self,
        partition: Arc<Partition<E>>,
        write: impl FnOnce(&Arc<Partition<E>>) -> Result<u64, F>,
    ) -> Result<u64, F> {
        let mut inner = self.inner.write();
        let lsn = write(&partition)?;
        inner.insert(partition);
        Ok(lsn)
    }

    pub(crate) fn remove(&self, number: u64) {
        let mut inner = self.inner.write();
        if let Some(partition) = inner.by_number.remove(&number) {
            inner.forget(partition.id());
        }
    }

    pub(crate) fn by_id(&self, topic_id: Uuid, partition: i32) -> Option<Arc<Partition<E>>> {
        let inner = self.inner.read();
        let topic = inner.by_id.get(&topic_id)?;
        let at = topic.binary_search_by_key(&partition, |known| known.id().partition).ok()?;
        Some(topic[at].clone())
    }

    pub(crate) fn by_number(&self, number: u64) -> Option<Arc<Partition<E>>> {
        self.inner.read().by_number.get(&number).cloned()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.inner.read().by_number.len()
    }

    /// All of them, by number.
    pub(crate) fn all(&self) -> Vec<Arc<Partition<E>>> {
        self.inner.read().by_number.values().cloned().collect()
    }
}

impl<E: Env> Inner<E> {
    fn insert(&mut self, partition: Arc<Partition<E>>) {
        self.next_number = self.next_number.max(partition.number() + 1);
        self.by_number.insert(partition.number(), partition.clone());
        let topic = self.by_id.entry(partition.id().topic_id).or_default();
        let index = partition.id().partition;
        match topic.binary_search_by_key(&index, |known| known.id().partition) {
            Ok(at) => topic[at] = partition,
            Err(at) => topic.insert(at, partition),
        }
    }

    fn forget(&mut self, id: &TopicPartition) {
        let Some(topic) = self.by_id.get_mut(&id.topic_id) else { return };
        if let Ok(at) = topic.binary_search_by_key(&id.partition, |known| known.id().partition) {
            topic.remove(at);
        }
        if topic.is_empty() {
            self.by_id.remove(&id.topic_id);
        }
    }
}
