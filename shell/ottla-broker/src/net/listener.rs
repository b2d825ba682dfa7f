//! The accept loop of one listener: a task for each connection it lets in.
//!
//! It never gives up: where accept fails it waits a little longer each time. At `max.connections` it
//! waits for somebody to leave; an address above its own limit is closed at once.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ottla_env::{Env, Stream as _};

use super::budget::Budget;
use super::connection::{Connection, ConnectionLimits, End};
use super::gate::{Gate, Pass};
use super::pool::Pool;
use super::socket::Socket;
use crate::api::context::RequestContext;
use crate::api::principal::Principal;
use crate::phase::{Phase, PhaseWatch, reached};
use crate::rooms::Rooms;

const BACK_OFF_MIN: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What all listeners of a node share.
pub(crate) struct Doorway<E: Env> {
    pub(crate) rooms: Arc<Rooms<E>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) phase: PhaseWatch,
}

/// Which listener it is.
#[derive(Debug, Clone)]
pub(crate) struct Sign {
    pub(crate) name: Arc<str>,
    /// Named in `controller.listener.names`.
    pub(crate) is_controller: bool,
}

/// Accepts until the node drains.
pub(crate) async fn accept_loop<E: Env>(
    doorway: Arc<Doorway<E>>,
    listener: E::Listener,
    sign: Sign,
) {
    let name = &sign.name;
    let mut phase = doorway.phase.clone();
    let mut back_off = BACK_OFF_MIN;
    loop {
        let accepted = tokio::select! {
            biased;
            () = reached(&mut phase, Phase::Draining) => return,
            accepted = accept(&doorway.gate, &listener) => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                back_off = BACK_OFF_MIN;
                let Some(pass) = doorway.gate.enter(peer.ip()) else {
                    tracing::info!(%peer, listener = %name, "too many connections from this address");
                    continue;
                };
                admit(&doorway, stream, peer, &sign, pass);
            }
            Err(error) => {
                tracing::warn!(%error, listener = %name, "cannot accept a connection");
                let env = &doorway.rooms.env;
                tokio::select! {
                    biased;
                    () = reached(&mut phase, Phase::Draining) => return,
                    () = env.sleep(back_off) => {}
                }
                back_off = (back_off * 2).min(BACK_OFF_MAX);
            }
        }
    }
}

async fn accept<L: ottla_env::Listener>(
    gate: &Gate,
    listener: &L,
) -> std::io::Result<(L::Stream, SocketAddr)> {
    gate.has_room().await;
    listener.accept().await
}

/// Starts the task of a connection.
fn admit<E: Env>(
    doorway: &Arc<Doorway<E>>,
    stream: E::Stream,
    peer: SocketAddr,
    sign: &Sign,
    pass: Pass,
) {
    let Ok(local) = stream.local_addr() else { return };
    let context = RequestContext {
        version: 0,
        correlation_id: 0,
        client_id: None,
        client_software: None,
        peer,
        local,
        listener: Arc::clone(&sign.name),
        is_controller: sign.is_controller,
        principal: Principal::anonymous(),
        heartbeats_of: None,
        undecided: None,
    };
    let socket = Socket::new(stream, Arc::clone(&doorway.pool), Arc::clone(&doorway.budget));
    let rooms = Arc::clone(&doorway.rooms);
    let limits = limits(&rooms);
    let connection = Connection::new(rooms, context, socket, limits, doorway.phase.clone());
    doorway.rooms.env.spawn("connection", async move {
        let outcome = UnlessPanic(pin!(connection.run())).await;
        farewell(peer, outcome);
        drop(pass);
    });
}

/// The limits as configured now.
fn limits<E: Env>(rooms: &Rooms<E>) -> ConnectionLimits {
    let config = rooms.config.get();
    ConnectionLimits {
        frame_bytes: usize::try_from(config.listener.socket_request_max_bytes).unwrap_or(0),
        idle: idle_max(config.listener.connections_max_idle_ms),
    }
}

/// `connections.max.idle.ms`; a negative one means never, which is a long time.
fn idle_max(ms: i64) -> Duration {
    u64::try_from(ms).map_or(NEVER, |ms| Duration::from_millis(ms).min(NEVER))
}

/// One line for an end somebody may want to know of.
fn farewell(peer: SocketAddr, outcome: Option<End>) {
    match outcome {
        None => tracing::error!(%peer, "a request handler panicked; its connection is closed"),
        Some(End::Refused(error)) => tracing::info!(%peer, %error, "connection closed"),
        Some(End::Frame(error)) => tracing::info!(%peer, %error, "connection closed"),
        Some(End::Stalled) => tracing::info!(
            %peer,
            "connection closed: it holds memory for a request that does not arrive"
        ),
        Some(End::Io(error)) => tracing::debug!(%peer, %error, "connection lost"),
        Some(End::Left | End::Idle | End::Stopping) => {}
    }
}

/// A future that ends with `None` where the one inside panics: a fault in one handler must not
/// cost more than its connection.
struct UnlessPanic<F>(F);

impl<F: Future + Unpin> Future for UnlessPanic<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = &mut self.0;
        match catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll(cx))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests;
