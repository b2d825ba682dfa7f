//! What a request handler may reach: the rooms of the house, by name.

use std::sync::Arc;

use ottla_env::Env;

use crate::drivers::channel::ControllerChannel;
use crate::drivers::controller::ControllerDriver;
use crate::drivers::coordinator::CoordinatorDriver;
use crate::drivers::lifecycle::LifecycleDriver;
use crate::drivers::metadata::MetadataDriver;
use crate::drivers::moves::MoveDriver;
use crate::drivers::producer_ids::ProducerIds;
use crate::drivers::raft::RaftDriver;
use crate::drivers::replica::ReplicaDriver;
use crate::log::DataDirs;
use crate::node::{ConfigCell, NodeIdentity};
use crate::partition::refused::Refusals;
use crate::partition::registry::Registry;
use crate::partition::session::Sessions;

/// One node's parts. Handlers borrow it and keep nothing.
pub(crate) struct Rooms<E: Env> {
    pub(crate) env: E,
    pub(crate) node: NodeIdentity,
    pub(crate) config: ConfigCell,
    pub(crate) data_dirs: DataDirs<E>,
    pub(crate) partitions: Arc<Registry<E>>,
    pub(crate) sessions: Arc<Sessions>,
    /// Batches that are to come again before those behind them.
    pub(crate) refusals: Refusals,
    /// The metadata quorum.
    pub(crate) raft: Arc<RaftDriver<E>>,
    /// The replicas of this node.
    pub(crate) replica: Arc<ReplicaDriver<E>>,
    /// Those on their way to another directory.
    pub(crate) moves: Arc<MoveDriver<E>>,
    /// The cluster as this node has it.
    pub(crate) metadata: Arc<MetadataDriver<E>>,
    /// Decides about the cluster where this node leads the quorum.
    pub(crate) controller: Arc<ControllerDriver<E>>,
    /// The way to the controller that does.
    pub(crate) channel: Arc<ControllerChannel<E>>,
    pub(crate) lifecycle: Arc<LifecycleDriver<E>>,
    pub(crate) producer_ids: Arc<ProducerIds<E>>,
    pub(crate) groups: Arc<CoordinatorDriver<E>>,
}
