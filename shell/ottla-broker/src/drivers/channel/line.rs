//! One line to the active controller: a connection on which requests are answered in their order. What
//! must not wait for something slower has a line of its own.

use std::sync::Arc;
use std::time::Duration;

use ottla_client::{ClientOptions, Connection, Error};
use ottla_env::Env;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, oneshot, watch};

use crate::drivers::raft::QuorumView;

/// How long a connection to the controller may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Line<E: Env> {
    held: Arc<Mutex<Option<Arc<Connection<E>>>>>,
}

/// Clients' requests that are with the controller at the same time; further ones wait here.
const CLIENTS_MAX: usize = 16;

/// The lines of a node.
pub(super) struct Lines<E: Env> {
    /// Heartbeats: a broker is dead if they wait.
    pub(super) beats: Line<E>,
    /// What this node itself wants to know or to have.
    pub(super) own: Line<E>,
    /// Clients' requests, some of which wait until every broker knows what they changed: each has a
    /// line of its own.
    idle: parking_lot::Mutex<Vec<Line<E>>>,
    clients: Semaphore,
}

/// A line that is nobody else's until this is dropped.
pub(super) struct Taken<'a, E: Env> {
    line: Line<E>,
    lines: &'a Lines<E>,
    _turn: SemaphorePermit<'a>,
}

impl<E: Env> Lines<E> {
    pub(super) fn new() -> Self {
        Self {
            beats: Line::new(),
            own: Line::new(),
            idle: parking_lot::Mutex::default(),
            clients: Semaphore::new(CLIENTS_MAX),
        }
    }

    /// The line that was in use last of those that are free.
    pub(super) async fn take(&self) -> Taken<'_, E> {
        let turn = self.clients.acquire().await.expect("it is never closed");
        let line = self.idle.lock().pop().unwrap_or_else(Line::new);
        Taken { line, lines: self, _turn: turn }
    }
}

impl<E: Env> std::ops::Deref for Taken<'_, E> {
    type Target = Line<E>;

    fn deref(&self) -> &Line<E> {
        &self.line
    }
}

impl<E: Env> Drop for Taken<'_, E> {
    fn drop(&mut self) {
        let line = Line { held: Arc::clone(&self.line.held) };
        self.lines.idle.lock().push(line);
    }
}

impl<E: Env> Line<E> {
    fn new() -> Self {
        Self { held: Arc::default() }
    }

    /// The connection to that address, opened where there is none in order. It is opened to its end,
    /// also when whoever wants it has no more time: the next one would have no more of it either.
    pub(super) async fn connection(
        &self,
        env: &E,
        address: &str,
        options: &ClientOptions,
        mut view: watch::Receiver<QuorumView>,
    ) -> Result<Arc<Connection<E>>, Error> {
        let mut held = Arc::clone(&self.held).lock_owned().await;
        if let Some(connection) = &*held
            && connection.address() == address
            && !connection.is_failed()
        {
            return Ok(Arc::clone(connection));
        }
        *held = None;
        let options = ClientOptions { connect_timeout: CONNECT_MAX, ..options.clone() };
        let address = address.to_owned();
        let (tell, opened) = oneshot::channel();
        let opening = {
            let (env, address) = (env.clone(), address.clone());
            async move {
                let connection = tokio::select! {
                    biased;
                    connection = Connection::open(&env, &address, &options) => connection.map(Arc::new),
                    // Nobody is to wait for one who no longer leads.
                    () = moved(&mut view, &address) => Err(gone(&address)),
                };
                if let Ok(connection) = &connection {
                    *held = Some(Arc::clone(connection));
                }
                drop(held);
                // Whoever wanted it may have no more time.
                let _gone = tell.send(connection);
            }
        };
        drop(env.spawn("controller-connect", opening));
        opened.await.unwrap_or_else(|_| Err(gone(&address)))
    }

    /// A connection that gave no answer is of no use to the next request: its other end may be gone
    /// without a word.
    pub(super) async fn forget(&self, silent: &Arc<Connection<E>>) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, silent)) {
            *held = None;
        }
    }
}

/// Completes when the leader is no longer to be found there.
pub(super) async fn moved(view: &mut watch::Receiver<QuorumView>, address: &str) {
    let is_other = |now: &QuorumView| now.leader_address.as_deref() != Some(address);
    let _ = view.wait_for(is_other).await;
}

fn gone(address: &str) -> Error {
    let reason = "the controller is another by now".to_owned();
    Error::Connect { address: address.to_owned(), reason }
}
