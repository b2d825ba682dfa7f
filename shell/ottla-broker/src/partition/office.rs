//! What all replicas of this node share: who it is, the time, the settings of replication, and where
//! leaders leave the ISRs they ask for. The replica driver takes those away and asks the controller.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use ottla_env::Env;
use ottla_protocol::Uuid;
use ottla_replica::leader::{Proposal, Settings};
use ottla_replica::{Member, Throttle};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::node::ConfigCell;

/// A partition of this cluster: its topic's id and its index.
pub(crate) type PartitionKey = (Uuid, i32);

/// See the module.
pub(crate) struct Office<E: Env> {
    env: E,
    node_id: i32,
    config: ConfigCell,
    /// This life of the broker, once it is registered.
    broker_epoch: AtomicI64,
    proposals: Mutex<BTreeMap<PartitionKey, Proposal>>,
    asked: Notify,
    /// Replicas of this node that the image has in another directory, and where they are.
    misplaced: Mutex<BTreeMap<PartitionKey, Uuid>>,
    told: Notify,
    /// What throttled followers may be sent by this node, and what it may fetch as one.
    sending: Mutex<Throttle>,
    fetching: Mutex<Throttle>,
}

impl<E: Env> Office<E> {
    pub(crate) fn new(env: E, node_id: i32, config: ConfigCell) -> Office<E> {
        Office {
            env,
            node_id,
            config,
            broker_epoch: AtomicI64::new(-1),
            proposals: Mutex::default(),
            asked: Notify::new(),
            misplaced: Mutex::default(),
            told: Notify::new(),
            sending: Mutex::default(),
            fetching: Mutex::default(),
        }
    }

    pub(crate) fn node_id(&self) -> i32 {
        self.node_id
    }

    /// This replica, in the life of its broker as far as the image knows it.
    pub(crate) fn me(&self) -> Member {
        Member { id: self.node_id, broker_epoch: self.broker_epoch.load(Ordering::SeqCst) }
    }

    /// The image shows this broker in another life.
    pub(crate) fn set_broker_epoch(&self, epoch: i64) {
        self.broker_epoch.store(epoch, Ordering::SeqCst);
    }

    /// Milliseconds of a clock that never goes back.
    pub(crate) fn now_ms(&self) -> i64 {
        i64::try_from(self.env.now().as_millis()).unwrap_or(i64::MAX)
    }

    /// What leaders go by, in a topic that wants so many replicas in sync.
    pub(crate) fn settings(&self, min_insync_replicas: i32) -> Settings {
        Settings {
            lag_max_ms: self.config.get().replication.replica_lag_time_max_ms,
            min_insync: usize::try_from(min_insync_replicas).unwrap_or(1),
        }
    }

    /// How long a follower pauses that was refused.
    pub(crate) fn backoff_ms(&self) -> i64 {
        self.config.get().replication.replica_fetch_backoff_ms.into()
    }

    /// A leader asks for another ISR; what it asked for before is void.
    pub(crate) fn propose(&self, key: PartitionKey, proposal: Proposal) {
        self.proposals.lock().insert(key, proposal);
        self.asked.notify_one();
    }

    /// Everything that was asked for since.
    pub(crate) fn take_proposals(&self) -> BTreeMap<PartitionKey, Proposal> {
        std::mem::take(&mut self.proposals.lock())
    }

    /// Until something is asked for.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Milliseconds until throttled followers may be sent something again (KIP-73).
    pub(crate) fn sending_closed_for(&self) -> Option<i64> {
        let rate = self.config.get().replication.leader_replication_throttled_rate;
        self.sending.lock().closed_for(rate, self.now_ms())
    }

    /// A throttled follower is sent so many bytes.
    pub(crate) fn sends(&self, bytes: usize) {
        self.sending.lock().pass(bytes);
    }

    /// Milliseconds until something may be fetched for throttled replicas again (KIP-73).
    pub(crate) fn fetching_closed_for(&self) -> Option<i64> {
        let rate = self.config.get().replication.follower_replication_throttled_rate;
        self.fetching.lock().closed_for(rate, self.now_ms())
    }

    /// So many bytes came for a throttled replica.
    pub(crate) fn fetches(&self, bytes: usize) {
        self.fetching.lock().pass(bytes);
    }

    /// The image does not have a replica of this node in the directory it is in.
    pub(crate) fn misplace(&self, key: PartitionKey, directory: Uuid) {
        self.misplaced.lock().insert(key, directory);
        self.told.notify_one();
    }

    /// Everything that was said to be misplaced since.
    pub(crate) fn take_misplaced(&self) -> BTreeMap<PartitionKey, Uuid> {
        std::mem::take(&mut self.misplaced.lock())
    }

    /// These are to be said again; what was said meanwhile is newer.
    pub(crate) fn put_back(&self, mut misplaced: BTreeMap<PartitionKey, Uuid>) {
        let mut known = self.misplaced.lock();
        misplaced.append(&mut known);
        *known = misplaced;
    }

    /// Until a replica is said to be misplaced.
    pub(crate) async fn misplaced(&self) {
        self.told.notified().await;
    }
}
