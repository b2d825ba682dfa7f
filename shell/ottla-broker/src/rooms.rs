//! What a request handler may reach: the rooms of the house, by name.

use std::sync::Arc;

use ottla_env::Env;

use crate::drivers::controller::ControllerDriver;
use crate::drivers::coordinator::CoordinatorDriver;
use crate::log::DataDir;
use crate::node::{ConfigCell, NodeIdentity};
use crate::partition::registry::Registry;
use crate::partition::session::Sessions;

/// One node's parts. Handlers borrow it and keep nothing.
pub(crate) struct Rooms<E: Env> {
    pub(crate) env: E,
    pub(crate) node: NodeIdentity,
    pub(crate) config: ConfigCell,
    pub(crate) data_dir: DataDir<E>,
    pub(crate) partitions: Arc<Registry<E>>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) controller: Arc<ControllerDriver<E>>,
    pub(crate) groups: Arc<CoordinatorDriver<E>>,
}
