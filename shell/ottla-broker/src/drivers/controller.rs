//! Drives the controller machine: the cluster's metadata, its log, and what follows from a change.

use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::image::MetadataImage;

use crate::log::DataDir;
use crate::partition::registry::Registry;

/// The controller of this node.
pub(crate) struct ControllerDriver<E: Env> {
    pub(crate) env: E,
    pub(crate) data_dir: DataDir<E>,
    pub(crate) partitions: Arc<Registry<E>>,
}

impl<E: Env> ControllerDriver<E> {
    /// The cluster as it is known now.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        Arc::new(MetadataImage::default())
    }
}
