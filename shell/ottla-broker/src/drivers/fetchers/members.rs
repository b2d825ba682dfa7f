//! The partitions that one fetcher asks for. Changed by whoever follows the image, read by the fetcher.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_env::Env;
use ottla_replica::FetchPoint;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::partition::office::PartitionKey;
use crate::partition::registry::Partition;

/// See the module.
pub(super) struct Members<E: Env> {
    partitions: Mutex<BTreeMap<PartitionKey, Arc<Partition<E>>>>,
    changes: watch::Sender<u64>,
}

impl<E: Env> Default for Members<E> {
    fn default() -> Self {
        Self { partitions: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

/// A partition and where to fetch it from.
pub(super) struct Due<E: Env> {
    pub(super) partition: Arc<Partition<E>>,
    pub(super) point: FetchPoint,
}

/// What there is to fetch, and when there may be more.
pub(super) struct Plan<E: Env> {
    pub(super) due: BTreeMap<PartitionKey, Due<E>>,
    pub(super) next_ms: Option<i64>,
    /// Something may be fetched only after so many milliseconds, by a throttle (KIP-73).
    pub(super) closed_for: Option<i64>,
}

impl<E: Env> Members<E> {
    pub(super) fn insert(&self, key: PartitionKey, partition: Arc<Partition<E>>) {
        self.partitions.lock().insert(key, partition);
    }

    pub(super) fn remove(&self, key: PartitionKey) {
        self.partitions.lock().remove(&key);
    }

    /// Something came that is not asked for yet.
    pub(super) fn tell(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Sees whether something comes.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What to ask for now. `throttled_for` says for how many milliseconds a partition is not to be
    /// asked for.
    pub(super) fn plan(
        &self,
        now_ms: i64,
        throttled_for: impl Fn(&Partition<E>) -> Option<i64>,
    ) -> Plan<E> {
        let mut plan = Plan { due: BTreeMap::new(), next_ms: None, closed_for: None };
        for (key, partition) in self.partitions.lock().iter() {
            if let Some(wait) = throttled_for(partition) {
                plan.closed_for = plan.closed_for.into_iter().chain([wait]).min();
                plan.next_ms = plan.next_ms.into_iter().chain([now_ms + wait]).min();
                continue;
            }
            match partition.fetch_point(now_ms) {
                Some(point) => {
                    let partition = Arc::clone(partition);
                    plan.due.insert(*key, Due { partition, point });
                }
                None => {
                    let pause = partition.pauses_until();
                    plan.next_ms = plan.next_ms.into_iter().chain(pause).min();
                }
            }
        }
        plan
    }
}
