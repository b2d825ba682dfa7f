//! One connection, one task: requests are served in the order they arrive and answered in it.
//!
//! Produce requests overlap: each is appended at once and answered when what it wrote is durable, so
//! that one connection fills a group commit. Every other request starts when those before it are
//! answered. A peer that does not read is not served further; one that does not write is closed
//! after `connections.max.idle.ms`.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::{Env, MonoTime};
use tokio::sync::Notify;

use super::intake::{Frame, FrameError};
use super::pool::BUFFER_BYTES;
use super::socket::{Socket, SocketError};
use crate::api::answer::{Answer, RequestError};
use crate::api::context::RequestContext;
use crate::api::produce::{self, Step, Unacknowledged};
use crate::api::table::{Call, PlainFuture};
use crate::api::{dispatch, fetch};
use crate::phase::{Phase, PhaseWatch, reached};
use crate::rooms::Rooms;

mod waiting;

/// Produce requests of one connection that wait for the disk.
const UNACKNOWLEDGED_MAX: usize = 256;
/// Unsent answers beyond which a connection is not served further.
const UNSENT_MAX: usize = 256 * 1024;
/// How long a half-received frame may hold memory that others wait for without growing.
const STALL_MAX: Duration = Duration::from_secs(5);

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The peer closed it.
    Left,
    /// Nothing happened for `connections.max.idle.ms`.
    Idle,
    /// It held memory for a frame that did not arrive.
    Stalled,
    /// The node stops.
    Stopping,
    /// The peer sent what no request can be, or asked for what is not served.
    Refused(RequestError),
    /// The frame cannot be.
    Frame(FrameError),
    /// The socket failed.
    Io(std::io::Error),
}

impl From<SocketError> for End {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                End::Left
            }
            SocketError::Io(error) => End::Io(error),
            SocketError::Frame(error) => End::Frame(error),
        }
    }
}

/// The limits a connection lives under, as configured when it began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// `socket.request.max.bytes`
    pub(crate) frame_bytes: usize,
    /// `connections.max.idle.ms`
    pub(crate) idle: Duration,
}

/// A connected client.
pub(crate) struct Connection<E: Env> {
    rooms: Arc<Rooms<E>>,
    context: RequestContext,
    socket: Socket<E::Stream>,
    limits: ConnectionLimits,
    phase: PhaseWatch,
    /// Appended and not yet committed, in order.
    unacknowledged: VecDeque<Unacknowledged>,
    /// Told when replicas have what one of them waits for.
    replicated: Arc<Notify>,
    /// Something was appended that nobody was told to write: one write for all that has arrived.
    uncommitted: bool,
    active_at: MonoTime,
    /// When the deadlines were last looked at.
    checked_at: MonoTime,
    /// One timer for all deadlines: never later than the earliest of them.
    alarm: E::Sleep,
    alarm_at: MonoTime,
}

impl<E: Env> Connection<E> {
    pub(crate) fn new(
        rooms: Arc<Rooms<E>>,
        context: RequestContext,
        socket: Socket<E::Stream>,
        limits: ConnectionLimits,
        phase: PhaseWatch,
    ) -> Connection<E> {
        let now = rooms.env.now();
        let alarm_at = now + limits.idle;
        let alarm = rooms.env.sleep_until(alarm_at);
        let unacknowledged = VecDeque::new();
        Connection {
            rooms,
            context,
            socket,
            limits,
            phase,
            unacknowledged,
            replicated: Arc::new(Notify::new()),
            uncommitted: false,
            active_at: now,
            checked_at: now,
            alarm,
            alarm_at,
        }
    }

    /// Serves until the peer leaves, misbehaves or the node stops.
    pub(crate) async fn run(mut self) -> End {
        let end = self.serve_all().await;
        if let Some((broker_id, broker_epoch)) = self.context.heartbeats_of {
            self.rooms.controller.suspect(broker_id, broker_epoch);
        }
        end
    }

    async fn serve_all(&mut self) -> End {
        loop {
            if let Err(end) = self.serve_arrived().await {
                // What was answered before the end is still sent, as far as the socket takes it.
                let _ = self.settle().await;
                let _ = self.socket.send();
                return end;
            }
            if let Err(end) = self.wait().await {
                return end;
            }
        }
    }

    /// Serves whole frames while there are any, and the limits allow.
    async fn serve_arrived(&mut self) -> Result<(), End> {
        while self.may_serve() {
            match self.socket.next_frame(self.limits.frame_bytes).map_err(End::Frame)? {
                Some(frame) => self.serve(frame).await?,
                None => break,
            }
        }
        Ok(())
    }

    fn may_serve(&self) -> bool {
        self.socket.outgoing.bytes() < UNSENT_MAX
            && self.unacknowledged.len() < UNACKNOWLEDGED_MAX
            && *self.phase.borrow() == Phase::Serving
    }

    async fn serve(&mut self, frame: Frame) -> Result<(), End> {
        let Frame { bytes, share } = frame;
        let request = dispatch::request::<E>(bytes, &mut self.context).map_err(End::Refused)?;
        let row = request.row;
        let call = match row.call {
            Call::Produce => return self.produce(request.body).await,
            Call::Fetch => None,
            Call::Plain(call) => Some(call),
        };
        let body = unpinned(request.body);
        self.settle().await?;
        let Connection { rooms, context, socket, phase, limits, .. } = self;
        let limit = limits.frame_bytes;
        match call {
            None => {
                let work = pin!(fetch::serve(rooms, context, body, phase));
                let answer = socket.drive(work, limit, true).await?.map_err(End::Refused)?;
                socket.outgoing.push_parts(answer.parts, answer.length);
            }
            Some(call) => {
                let work = dispatch::serve(rooms, context, row, call, body);
                let work = pin!(unless_closing(work, phase));
                let answer = socket.drive(work, limit, false).await??;
                socket.outgoing.push(answer.chunks, answer.length);
            }
        }
        drop(share);
        self.active_at = self.rooms.env.now();
        Ok(())
    }

    /// Appends now; the answer follows when the disk has it.
    async fn produce(&mut self, body: Bytes) -> Result<(), End> {
        self.active_at = self.rooms.env.now();
        let mut append =
            produce::begin(&self.context, body, self.active_at).map_err(End::Refused)?;
        self.uncommitted = true;
        while append.step(&self.rooms, &self.context) == Step::Busy {
            self.wait_for_log().await?;
        }
        let appended = append.finish(&self.rooms, &self.context, &self.replicated);
        self.unacknowledged.extend(appended.map_err(End::Refused)?);
        Ok(())
    }
}

/// A request's body without the read buffer around it: the request may wait for long, and the
/// buffer is wanted. Bodies too large for that buffer have one of their own.
fn unpinned(body: Bytes) -> Bytes {
    if body.len() < BUFFER_BYTES { Bytes::copy_from_slice(&body) } else { body }
}

/// Runs a handler to its end, or until the node's time is over.
async fn unless_closing(work: PlainFuture<'_>, phase: &mut PhaseWatch) -> Result<Answer, End> {
    tokio::select! {
        biased;
        answer = work => answer.map_err(End::Refused),
        () = reached(phase, Phase::Closing) => Err(End::Stopping),
    }
}
