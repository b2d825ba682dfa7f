//! Clients that work while machines fail, and write down what they were told.

pub mod committer;
pub mod consumer;
pub mod producer;
pub mod reader;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_env::Env;

use crate::history::SharedHistory;
use crate::wire::Connection;

/// The one topic.
pub const TOPIC: &str = "orders";
/// The one group.
pub const GROUP: &str = "billing";
/// The newest versions that name topics by name.
pub(crate) const PRODUCE_NEWEST: i16 = 12;
pub(crate) const FETCH_NEWEST: i16 = 12;
pub(crate) const COMMIT_NEWEST: i16 = 9;

/// How long a client waits before it tries again.
const RETRY: Duration = Duration::from_millis(50);

/// What all clients of a run share.
pub struct Setup {
    /// The broker's.
    pub address: SocketAddr,
    pub partitions: i32,
    pub history: SharedHistory,
    /// Clients begin nothing new.
    pub stopping: AtomicBool,
    /// A producer that the broker forgot is a broken promise.
    pub forgetting_is_wrong: bool,
}

impl Setup {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn surprise(&self, text: String) {
        self.history.lock().surprises.push(text);
    }
}

/// Connects, however long it takes; `None` when the run stops.
pub(crate) async fn connect<E: Env>(env: &E, setup: &Arc<Setup>) -> Option<Connection<E>> {
    while !setup.is_stopping() {
        match Connection::open(env, setup.address).await {
            Ok(connection) => return Some(connection),
            Err(_) => env.sleep(RETRY).await,
        }
    }
    None
}
