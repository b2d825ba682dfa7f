//! `Soft`: what the controller knows besides the log. Lost with the process, and no loss.

use std::sync::Arc;

use ottla_config::BrokerConfig;

use super::entropy::Entropy;

#[derive(Debug, Clone)]
pub struct Soft {
    /// The node the controller runs on.
    pub node_id: i32,
    /// That node's configuration, with the cluster's dynamic values in it.
    pub config: Arc<BrokerConfig>,
    pub(super) entropy: Entropy,
    /// How far the renewal of leader epochs has come, in the life of the broker with that epoch.
    pub(super) renewal: Option<(i64, usize)>,
}

impl Soft {
    /// `seed` makes topic ids: no two processes may have the same.
    pub fn new(node_id: i32, config: Arc<BrokerConfig>, seed: [u64; 4]) -> Self {
        Self { node_id, config, entropy: Entropy::new(seed), renewal: None }
    }
}
