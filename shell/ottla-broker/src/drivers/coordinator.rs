//! Drives the group coordinator's shards, one for each partition of `__consumer_offsets` led here.

use std::sync::Arc;

use ottla_env::Env;

use crate::log::DataDir;
use crate::partition::registry::Registry;

/// The group coordinator of this node.
pub(crate) struct CoordinatorDriver<E: Env> {
    pub(crate) env: E,
    pub(crate) data_dir: DataDir<E>,
    pub(crate) partitions: Arc<Registry<E>>,
}
