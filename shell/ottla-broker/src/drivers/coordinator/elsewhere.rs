//! Shards that other nodes serve. A coordinator that was found must be able to serve, so its node is
//! asked, once for each epoch of its partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_client::{ClientOptions, Connection};
use ottla_env::Env;
use ottla_protocol::messages::DescribeGroupsRequest;
use ottla_protocol::{ErrorCode, Str, Uuid};
use parking_lot::Mutex;

/// How long a node has to answer.
const ASK_MAX: Duration = Duration::from_secs(2);

/// What is known of other nodes' shards, and the connections to ask by.
pub(super) struct Elsewhere<E: Env> {
    /// The epoch in which each is known to be served, by topic id and partition.
    served: Mutex<BTreeMap<(Uuid, i32), i32>>,
    /// By the node's address: no more than there are brokers, and their former addresses.
    connections: Mutex<BTreeMap<String, Arc<Connection<E>>>>,
}

impl<E: Env> Default for Elsewhere<E> {
    fn default() -> Self {
        Self { served: Mutex::default(), connections: Mutex::default() }
    }
}

impl<E: Env> Elsewhere<E> {
    /// Whether the node at `address` serves a group's shard, which it leads in `epoch`.
    pub(super) async fn serves(
        &self,
        env: &E,
        address: &str,
        shard: (Uuid, i32, i32),
        group: &Str,
    ) -> bool {
        let (topic_id, partition, epoch) = shard;
        let key = (topic_id, partition);
        if self.served.lock().get(&key).is_some_and(|known| *known >= epoch) {
            return true;
        }
        let serves = self.ask(env, address, group).await;
        if serves {
            self.served.lock().insert(key, epoch);
        }
        serves
    }

    async fn ask(&self, env: &E, address: &str, group: &Str) -> bool {
        let Some(connection) = self.connection(env, address).await else { return false };
        // Any answer about the group comes from a coordinator that serves it.
        let request = DescribeGroupsRequest { groups: vec![group.clone()], ..Default::default() };
        let Ok(response) = connection.call(&request, Duration::ZERO).await else { return false };
        let code = response.groups.first().map_or(-1, |described| described.error_code);
        !matches!(
            ErrorCode::from_code(code),
            None | Some(
                ErrorCode::NotCoordinator
                    | ErrorCode::CoordinatorNotAvailable
                    | ErrorCode::CoordinatorLoadInProgress
            )
        )
    }

    async fn connection(&self, env: &E, address: &str) -> Option<Arc<Connection<E>>> {
        let kept = self.connections.lock().get(address).cloned();
        if let Some(connection) = kept.filter(|connection| !connection.is_failed()) {
            return Some(connection);
        }
        let options = ClientOptions {
            connect_timeout: ASK_MAX,
            request_timeout: ASK_MAX,
            ..ClientOptions::new(address)
        };
        let opened = Arc::new(Connection::open(env, address, &options).await.ok()?);
        self.connections.lock().insert(address.to_owned(), Arc::clone(&opened));
        Some(opened)
    }
}
