//! Drives the controller machine where this node leads the quorum: takes commands, appends what the
//! machine decides, and answers once that is committed and known. Decides nothing itself.
//!
//! The machine runs ahead of the image: it holds what is appended, the image what is committed. It
//! is made from the image when leadership is gained, and dropped when it is lost.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::{Env, Task};
use ottla_metadata::controller::{Command, Refusal, Reply};
use ottla_plant::{Plant, planted};
use ottla_protocol::{ErrorCode, Request};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::metadata::MetadataDriver;
use super::raft::RaftDriver;
use crate::node::{ConfigCell, NodeIdentity};

mod leadership;

mod machine;

mod suspects;

/// How long an answer waits for live brokers that have not applied the change. One that takes longer
/// is slow or dead, and others must not wait for it for ever.
const SEEN_MAX: Duration = Duration::from_secs(1);

/// Commands that may wait for their turn; who has more waits to send them.
const COMMANDS_MAX: usize = 1024;

/// A request that the active controller decides, wherever it arrived.
pub(crate) trait ControllerRequest:
    Request<Response: Send> + Clone + Send + Sync + 'static
{
    /// Whether its answer waits until every live broker knows what it changed.
    const SEEN_EVERYWHERE: bool;

    fn into_command(self, version: i16) -> Command;

    /// The answer, if that is what the machine replied.
    fn response(reply: Reply) -> Option<Self::Response>;

    /// The answer where the machine could not be asked, or refused the whole request.
    fn refused(&self, refusal: &Refusal, version: i16) -> Self::Response;

    /// The broker, and its epoch, that says with this request that it lives.
    fn heartbeat_of(&self) -> Option<(i32, i64)> {
        None
    }

    /// The level of `kraft.version` that it asks for, which is the quorum's to raise, and whether it only asks if that
    /// could be.
    fn kraft_version(&self) -> Option<(i16, bool)> {
        None
    }

    /// The same request, changing nothing.
    fn dry(&self) -> Option<Self> {
        None
    }

    /// What the answer says of the whole request.
    fn outcome(response: &Self::Response) -> ErrorCode;
}

/// The controller of this node, which decides only while the node leads the quorum.
pub(crate) struct ControllerDriver<E: Env> {
    env: E,
    raft: Arc<RaftDriver<E>>,
    metadata: Arc<MetadataDriver<E>>,
    config: ConfigCell,
    node: NodeIdentity,
    commands: mpsc::Sender<Submission>,
    /// The other end, until the task takes it.
    queue: Mutex<Option<mpsc::Receiver<Submission>>>,
    /// The epoch in which this node decides.
    active: watch::Sender<Option<i32>>,
}

/// A command on its way to the machine.
struct Submission {
    command: Command,
    answer: oneshot::Sender<Result<Decided, ErrorCode>>,
}

/// What a command led to, and the records its answer has to wait for.
struct Decided {
    reply: Reply,
    epoch: i32,
    last_offset: i64,
    is_change: bool,
}

impl<E: Env> ControllerDriver<E> {
    pub(crate) fn new(
        env: E,
        raft: Arc<RaftDriver<E>>,
        metadata: Arc<MetadataDriver<E>>,
        config: ConfigCell,
        node: NodeIdentity,
    ) -> Arc<Self> {
        let (commands, queue) = mpsc::channel(COMMANDS_MAX);
        let queue = Mutex::new(Some(queue));
        let active = watch::Sender::new(None);
        Arc::new(Self { env, raft, metadata, config, node, commands, queue, active })
    }

    /// Gains and loses leadership with the quorum, takes commands, and sees to what is due by time.
    pub(crate) fn start(self: &Arc<Self>) -> Vec<Task> {
        let queue = self.queue.lock().take();
        let tasks = queue
            .map(|queue| self.env.spawn("controller", leadership::run(Arc::clone(self), queue)));
        tasks.into_iter().collect()
    }

    /// Whether this node decides.
    pub(crate) fn is_active(&self) -> bool {
        self.active.borrow().is_some()
    }

    /// Has a request decided here; its answer is NOT_CONTROLLER where this node does not lead.
    pub(crate) async fn answer<R: ControllerRequest>(
        &self,
        request: R,
        version: i16,
    ) -> R::Response {
        if let (Some((level, is_dry)), Some(dry)) = (request.kraft_version(), request.dry()) {
            // All of the request holds or nothing: it is tried before the quorum is raised, which is not undone. If the
            // leadership is lost between the two, the request comes to the next leader, and there is only the rest to do.
            let tried = self.decided(dry, version).await;
            if R::outcome(&tried) != ErrorCode::None {
                return tried;
            }
            if let Err(code) = self.raft.upgrade(level, is_dry).await {
                if code == ErrorCode::NotLeaderOrFollower {
                    return request.refused(&Refusal::bare(ErrorCode::NotController), version);
                }
                let message = "the quorum cannot be raised to that kraft.version now: each of its voters must have told \
                               its leader that it knows that version, which it does on its own";
                return request.refused(&Refusal::new(code, message), version);
            }
        }
        self.decided(request, version).await
    }

    async fn decided<R: ControllerRequest>(&self, request: R, version: i16) -> R::Response {
        let command = request.clone().into_command(version);
        let refused = |code| request.refused(&Refusal::bare(code), version);
        match self.submit(command, R::SEEN_EVERYWHERE).await {
            Ok(Reply::Refused(refusal)) => request.refused(&refusal, version),
            Ok(reply) => {
                R::response(reply).unwrap_or_else(|| refused(ErrorCode::UnknownServerError))
            }
            Err(code) => refused(code),
        }
    }

    /// Has a command decided. When this returns, its records are committed and hold on this node, and
    /// where `seen_everywhere`, every live broker has applied them or has had its time to.
    pub(crate) async fn submit(
        &self,
        command: Command,
        seen_everywhere: bool,
    ) -> Result<Reply, ErrorCode> {
        let (answer, decided) = oneshot::channel();
        let submission = Submission { command, answer };
        self.commands.send(submission).await.map_err(|_| ErrorCode::NotController)?;
        let decided = decided.await.map_err(|_| ErrorCode::NotController)??;
        if decided.is_change && planted(Plant::MetadataAnsweredEarly) {
            return Ok(decided.reply);
        }
        // Also where nothing changed: the answer may rest on records that are not committed yet.
        self.raft.committed(decided.epoch, decided.last_offset).await?;
        if !decided.is_change {
            return Ok(decided.reply);
        }
        let end = decided.last_offset + 1;
        let applied = self.metadata.applied_to(end).await;
        applied.map_err(|_| ErrorCode::KafkaStorageError)?;
        if seen_everywhere {
            let image = self.metadata.image();
            let live = image.brokers.iter().filter(|broker| !broker.fenced);
            let live: Vec<i32> = live.map(|broker| broker.id).collect();
            if !self.raft.seen_by(&live, end, SEEN_MAX).await {
                tracing::debug!(offset = end, "not every live broker knows of a change in time");
            }
        }
        Ok(decided.reply)
    }
}
