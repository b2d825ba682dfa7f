//! Administration: topics, configurations, groups, records, the cluster.

use ottla_env::Env;

use crate::client::Client;

mod cluster;
mod configs;
mod groups;
mod records;
mod replicas;
mod topics;

pub use cluster::{BrokerListing, ClusterDescription, Quorum, QuorumReplica};
pub use configs::{ConfigChange, ConfigEntry, ConfigSource, Resource};
pub use groups::{GroupDescription, GroupListing, GroupMember};
pub use replicas::{Election, Fates, Reassignment};
pub use topics::NewTopic;

/// Administers one cluster. Every call is retried within the client's API time-out where a retry
/// may help.
pub struct Admin<E: Env> {
    client: Client<E>,
}

impl<E: Env> Admin<E> {
    /// Administration through a client.
    pub fn new(client: Client<E>) -> Admin<E> {
        Admin { client }
    }

    /// What it works through.
    pub fn client(&self) -> &Client<E> {
        &self.client
    }

    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.client.options().request_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}
