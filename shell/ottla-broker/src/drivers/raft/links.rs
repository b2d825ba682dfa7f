//! Connections to other replicas. Each carries one request at a time: an answer that is held back must not hold back
//! what is asked after it.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_client::{ClientOptions, Connection};
use ottla_env::Env;
use ottla_raft::message::{Request, Response};
use ottla_raft::{Endpoint, Event, NodeId};
use parking_lot::Mutex;

use super::endpoints::host_and_port;
use super::{RaftDriver, outgoing};

/// Connections to one address that are kept for later.
const IDLE_MAX: usize = 2;

pub(super) struct Links<E: Env> {
    options: ClientOptions,
    idle: Mutex<BTreeMap<String, Vec<Connection<E>>>>,
}

impl<E: Env> Links<E> {
    /// `limit` for everything: a connection, a request.
    pub(super) fn new(node_id: i32, limit: Duration) -> Self {
        let options = ClientOptions {
            client_id: format!("raft-client-{node_id}"),
            topics_by_id: true,
            connect_timeout: limit,
            request_timeout: limit,
            ..ClientOptions::default()
        };
        Self { options, idle: Mutex::default() }
    }

    /// A connection of one's own, until it is given back.
    pub(super) async fn take(
        &self,
        env: &E,
        address: &str,
    ) -> Result<Connection<E>, ottla_client::Error> {
        let idle = self.idle.lock().get_mut(address).and_then(Vec::pop);
        match idle {
            Some(connection) if !connection.is_failed() => Ok(connection),
            _ => Connection::open(env, address, &self.options).await,
        }
    }

    pub(super) fn give_back(&self, connection: Connection<E>) {
        if connection.is_failed() {
            return;
        }
        let mut idle = self.idle.lock();
        let kept = idle.entry(connection.address().to_owned()).or_default();
        if kept.len() < IDLE_MAX {
            kept.push(connection);
        }
    }
}

impl<E: Env> RaftDriver<E> {
    /// Sends a request; what comes of it is a later step.
    pub(super) fn send(&self, to: NodeId, endpoint: Endpoint, correlation: u64, request: Request) {
        let Some(driver) = self.this.upgrade() else { return };
        let exchange = async move {
            let address = host_and_port(&endpoint);
            let limit = driver.links.options.request_timeout;
            let exchange = outgoing::exchange(&driver, &address, request);
            let response = match driver.env.timeout(limit, exchange).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => {
                    tracing::debug!(%address, %error, "a peer of the metadata quorum does not answer");
                    Response::Failed
                }
                Err(_) => Response::Failed,
            };
            driver.step(Event::Response { from: to, correlation, response });
        };
        drop(self.env.spawn("raft-send", exchange));
    }
}
