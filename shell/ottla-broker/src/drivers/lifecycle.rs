//! This node's place in the cluster: registered, fenced, serving, leaving. It tells the controller
//! that the broker lives and how far it has come; the controller alone decides what follows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ottla_config::FlushMode;
use ottla_env::{Env, Task};
use ottla_metadata::image::Endpoint;
use ottla_protocol::{ErrorCode, Uuid};
use tokio::sync::watch;

use super::channel::ControllerChannel;
use super::metadata::{MetadataDriver, MetadataError};
use super::raft::RaftDriver;
use crate::log::DataDirs;
use crate::node::{ConfigCell, NodeIdentity};

mod controllers;
mod endpoints;
mod heartbeat;
mod quorum_watch;
mod registration;

/// The broker epoch of a broker that is not registered.
const NO_EPOCH: i64 = -1;

/// Why this node cannot take its place in the cluster. Each says what to do next.
#[derive(Debug)]
pub enum LifecycleError {
    /// Another broker that lives has this node's id.
    DuplicateId { node_id: i32 },
    /// The quorum belongs to another cluster.
    OtherCluster {
        own: String,
        /// Nothing where they did not say.
        theirs: Option<String>,
    },
    /// The controller will not have it.
    Refused(String),
    /// The metadata cannot be followed.
    Metadata(MetadataError),
}

impl std::fmt::Display for LifecycleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DuplicateId { node_id } => write!(
                f,
                "another live broker of the cluster has node.id {node_id}; give this node an id of \
                 its own (DUPLICATE_BROKER_REGISTRATION)"
            ),
            Self::OtherCluster { own, theirs } => write!(
                f,
                "this node's data is of cluster {own}, and the controllers are of {}; point \
                 controller.quorum.voters or controller.quorum.bootstrap.servers at its own cluster, \
                 or start with an empty data directory (INCONSISTENT_CLUSTER_ID)",
                theirs.as_deref().unwrap_or("another")
            ),
            Self::Refused(message) => write!(f, "the controller refuses this broker: {message}"),
            Self::Metadata(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LifecycleError {}

/// This process of the node, as the cluster knows it.
pub(crate) struct LifecycleDriver<E: Env> {
    env: E,
    node: NodeIdentity,
    data_dirs: DataDirs<E>,
    config: ConfigCell,
    raft: Arc<RaftDriver<E>>,
    metadata: Arc<MetadataDriver<E>>,
    channel: Arc<ControllerChannel<E>>,
    /// Made anew by each process.
    incarnation_id: Uuid,
    /// What clients and other brokers are told.
    endpoints: Vec<Endpoint>,
    /// What brokers and controllers are told of the controller's own listeners.
    controller_endpoints: Vec<Endpoint>,
    broker_epoch: watch::Sender<i64>,
    /// Of which cluster the controllers are, if of another.
    other_cluster: watch::Sender<Option<String>>,
    wants_shutdown: watch::Sender<bool>,
    /// The controller agrees that this broker stops.
    may_shut_down: watch::Sender<bool>,
}

impl<E: Env> LifecycleDriver<E> {
    /// `bound` has the real port of each listener.
    pub(crate) fn new(
        env: E,
        node: NodeIdentity,
        data_dirs: DataDirs<E>,
        config: ConfigCell,
        bound: &[(String, SocketAddr)],
        metadata: Arc<MetadataDriver<E>>,
        channel: Arc<ControllerChannel<E>>,
    ) -> Arc<Self> {
        let mut incarnation = [0; 16];
        env.fill_random(&mut incarnation);
        let listeners = config.get().listeners.clone();
        let (controllers, clients): (Vec<_>, Vec<_>) =
            listeners.iter().partition(|listener| listener.is_controller);
        Arc::new(Self {
            env,
            node,
            data_dirs,
            config,
            raft: Arc::clone(channel.raft()),
            metadata,
            channel,
            incarnation_id: Uuid::from_random(incarnation),
            endpoints: endpoints::endpoints(&clients, bound),
            controller_endpoints: endpoints::endpoints(&controllers, bound),
            broker_epoch: watch::Sender::new(NO_EPOCH),
            other_cluster: watch::Sender::new(None),
            wants_shutdown: watch::Sender::new(false),
            may_shut_down: watch::Sender::new(false),
        })
    }

    pub(crate) fn broker_id(&self) -> i32 {
        self.node.node_id
    }

    /// This life of the broker; -1 before it is registered.
    pub(crate) fn broker_epoch(&self) -> i64 {
        *self.broker_epoch.borrow()
    }

    /// What a node does whether it is a broker or not: says where the quorum is not to be reached,
    /// and makes a controller known.
    pub(crate) fn start(self: &Arc<Self>) -> Vec<Task> {
        let mut tasks = vec![self.env.spawn("quorum watch", quorum_watch::run(Arc::clone(self)))];
        if !self.controller_endpoints.is_empty() {
            let register = controllers::register(Arc::clone(self));
            tasks.push(self.env.spawn("controller registration", register));
        }
        tasks
    }

    /// Registers the broker; when this returns, it has caught up and may serve.
    pub(crate) async fn join(self: &Arc<Self>, patience: Duration) -> Result<Task, LifecycleError> {
        let joined = async {
            self.metadata.loaded().await.map_err(LifecycleError::Metadata)?;
            self.register(patience).await?;
            self.unfence().await?;
            self.renew_leader_epochs().await
        };
        tokio::select! {
            biased;
            joined = joined => joined?,
            error = self.metadata.until_failed() => return Err(LifecycleError::Metadata(error)),
            error = self.until_elsewhere() => return Err(error),
        }
        Ok(self.env.spawn("heartbeats", heartbeat::run(Arc::clone(self))))
    }

    /// Until it is known that the controllers are of another cluster.
    async fn until_elsewhere(&self) -> LifecycleError {
        let mut other = self.other_cluster.subscribe();
        match other.wait_for(Option::is_some).await {
            Ok(other) => self.elsewhere(other.clone()),
            Err(_) => LifecycleError::Metadata(MetadataError::Stopped),
        }
    }

    fn elsewhere(&self, theirs: Option<String>) -> LifecycleError {
        LifecycleError::OtherCluster { own: self.node.cluster_id.to_string(), theirs }
    }

    /// Without a log that is on stable storage when it is answered from, what a node on its own
    /// acknowledged last may be gone after a power cut: the same epoch must not name two histories.
    async fn renew_leader_epochs(&self) -> Result<(), LifecycleError> {
        let is_alone = self.metadata.image().brokers.len() == 1;
        if self.config.get().ottla.flush != FlushMode::None || !is_alone {
            return Ok(());
        }
        let refused = |text: String| Err(LifecycleError::Refused(text));
        loop {
            match self.channel.renew_leader_epochs(self.node.node_id).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // Decided elsewhere, so not alone.
                Err(ErrorCode::NotController) => return Ok(()),
                Err(code) => return refused(code.name().to_owned()),
            }
        }
    }

    /// Hands leadership over before the broker stops, where others can take it; for at most `limit`.
    pub(crate) async fn leave(&self, limit: Duration) {
        let image = self.metadata.image();
        let others = image.live_brokers().any(|broker| broker.id != self.node.node_id);
        let hands_over = self.config.get().node.controlled_shutdown_enable;
        let is_silent = self.broker_epoch() == NO_EPOCH || self.metadata.failed().is_some();
        if !others || !hands_over || is_silent {
            return;
        }
        self.wants_shutdown.send_replace(true);
        let mut may = self.may_shut_down.subscribe();
        let agreed = async move { may.wait_for(|may| *may).await.is_ok() };
        if !self.env.timeout(limit, agreed).await.unwrap_or(false) {
            tracing::warn!("the controller did not move this broker's leaderships in time");
        }
    }
}
