//! The cluster itself.

use std::sync::Arc;

use ottla_env::Env;

use super::Admin;
use crate::cluster::Cluster;
use crate::error::Result;

impl<E: Env> Admin<E> {
    /// Brokers, controller and id of the cluster; its topics are as last heard of.
    ///
    /// # Errors
    /// If no broker answers.
    pub async fn describe_cluster(&self) -> Result<Arc<Cluster>> {
        self.client.metadata(Some(&[])).await
    }
}
