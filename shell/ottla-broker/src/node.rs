//! Who this node is, and the configuration it runs with.

use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_protocol::Uuid;
use tokio::sync::watch;

/// Who this node is; never changes while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeIdentity {
    pub(crate) node_id: i32,
    pub(crate) cluster_id: Arc<str>,
    pub(crate) directory_id: Uuid,
}

/// The configuration in force: a snapshot to read, a new one when a dynamic value changes.
#[derive(Clone)]
pub(crate) struct ConfigCell {
    current: Arc<watch::Sender<Arc<BrokerConfig>>>,
}

impl ConfigCell {
    pub(crate) fn new(config: BrokerConfig) -> ConfigCell {
        ConfigCell { current: Arc::new(watch::Sender::new(Arc::new(config))) }
    }

    /// The snapshot in force now.
    pub(crate) fn get(&self) -> Arc<BrokerConfig> {
        Arc::clone(&self.current.borrow())
    }

    /// Puts a new snapshot in force.
    pub(crate) fn set(&self, config: BrokerConfig) {
        self.current.send_replace(Arc::new(config));
    }

    /// Sees every change after the snapshot it returns first.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<BrokerConfig>> {
        self.current.subscribe()
    }
}
