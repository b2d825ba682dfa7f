//! The node: opens its data, starts its parts in order, listens; and stops in the opposite order.
//!
//! It holds no logic of its own. The same code runs on the operating system and in simulation.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ottla_config::{BrokerConfig, ConfigError, FlushMode, Layers, Listener};
use ottla_env::{Env, Listener as _, Task};
use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;

use crate::drivers::channel::ControllerChannel;
use crate::drivers::controller::ControllerDriver;
use crate::drivers::coordinator::CoordinatorDriver;
use crate::drivers::directories::DirectoryDriver;
use crate::drivers::isr::{Ask, IsrDriver};
use crate::drivers::lifecycle::{LifecycleDriver, LifecycleError};
use crate::drivers::metadata::MetadataDriver;
use crate::drivers::moves::MoveDriver;
use crate::drivers::producer_ids::ProducerIds;
use crate::drivers::raft::{RaftDriver, RaftStartError};
use crate::drivers::replica::ReplicaDriver;
use crate::format::{self, FormatError};
use crate::log::{self, DataDirOptions, DataDirs, OpenError};
use crate::net::budget::Budget;
use crate::net::gate::{Gate, Limits};
use crate::net::listener::{Doorway, Sign, accept_loop};
use crate::net::pool::Pool;
use crate::node::{ConfigCell, NodeIdentity};
use crate::partition::office::Office;
use crate::partition::refused::Refusals;
use crate::partition::registry::Registry;
use crate::partition::session::Sessions;
use crate::phase::{Phase, PhaseSender};
use crate::rooms::Rooms;

/// How long requests that have begun may take once the node stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long the controller may take to move this broker's leaderships before it stops.
const LEAVE_MAX: Duration = Duration::from_secs(10);
/// How long the controller may take over a change of in-sync replicas.
const ISR_ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long connections may take to close after that.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// The share of the memory budget that requests may take while they arrive.
const REQUESTS_SHARE: usize = 4;
/// The memory budget where none is configured.
const MEMORY_BUDGET: usize = 1 << 30;

/// Connections of other nodes, and of tools, to the controller's listeners.
const CONTROLLER_CONNECTIONS: usize = 10_000;
/// What their requests may take of memory while they arrive.
const CONTROLLER_REQUESTS: usize = 64 << 20;

/// A running node.
pub struct Broker<E: Env> {
    rooms: Arc<Rooms<E>>,
    gate: Arc<Gate>,
    phase: PhaseSender,
    /// Controllers go on talking to each other until this node has left the quorum.
    controller_phase: PhaseSender,
    bound: Vec<(String, SocketAddr)>,
    /// End by themselves once the node drains.
    tasks: Vec<Task>,
    /// Needed until the last request is answered; ended then.
    drivers: Vec<Task>,
}

/// By what right a node has its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It was told: whoever has the id in the cluster may be a former process of this node.
    Own,
    /// It looked for a free one a moment ago: whoever has it in the cluster was faster.
    FirstCome,
}

/// Why a node did not start. Each says what to do next.
#[derive(Debug)]
pub enum StartError {
    /// Everything that is wrong with the configuration.
    Config(Vec<ConfigError>),
    /// No controller told which cluster to join.
    Format(FormatError),
    DataDir(OpenError),
    /// The metadata log or the quorum's state cannot be opened.
    Raft(RaftStartError),
    /// This node cannot take its place in the cluster.
    Lifecycle(LifecycleError),
    /// An address cannot be listened on.
    Listen {
        listener: String,
        address: String,
        source: std::io::Error,
    },
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Config(errors) => {
                for (at, error) in errors.iter().enumerate() {
                    if at > 0 {
                        f.write_str("\n")?;
                    }
                    error.fmt(f)?;
                }
                Ok(())
            }
            StartError::Format(error) => error.fmt(f),
            StartError::DataDir(error) => error.fmt(f),
            StartError::Raft(error) => error.fmt(f),
            StartError::Lifecycle(error) => error.fmt(f),
            StartError::Listen { listener, address, source } => {
                write!(f, "cannot listen on {address} ({listener}): {source}")?;
                if source.kind() == std::io::ErrorKind::AddrInUse {
                    f.write_str("; stop the process that does, or change `listeners`")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for StartError {}

impl<E: Env> Broker<E> {
    /// Starts a node; when this returns, clients are served.
    ///
    /// # Errors
    /// When the configuration, the data directory or an address does not allow it.
    pub async fn start(env: E, layers: Layers) -> Result<Broker<E>, StartError> {
        Self::start_as(Claim::Own, env, layers).await
    }

    /// The same; `claim` says by what right it has its `node.id`.
    ///
    /// # Errors
    /// The same.
    pub async fn start_as(claim: Claim, env: E, layers: Layers) -> Result<Broker<E>, StartError> {
        let config = BrokerConfig::build(layers).map_err(StartError::Config)?;
        let cluster_id = format::cluster_id(&env, &config).await.map_err(StartError::Format)?;
        let listeners = bind(&env, &config).await?;
        let options = data_dir_options(&config, cluster_id.as_deref());
        let data_dirs =
            DataDirs::open(&env, options, config.is_data_dir_apart).map_err(StartError::DataDir)?;
        let bound: Vec<(String, SocketAddr)> =
            listeners.iter().map(|bound| (bound.name.clone(), bound.address)).collect();
        let gate = Gate::new(connection_limits(&config));
        let budget = Budget::new(request_budget(&config));
        let rooms = furnish(env.clone(), config, data_dirs, &bound).await?;
        let phase = PhaseSender::new(Phase::Serving);
        let controller_phase = PhaseSender::new(Phase::Serving);
        let doorway = Arc::new(Doorway {
            rooms: Arc::clone(&rooms),
            gate: Arc::clone(&gate),
            budget,
            pool: Arc::new(Pool::default()),
            phase: phase.subscribe(),
        });
        // Clients that fill the node must not lock the quorum out.
        let controller_doorway = Arc::new(Doorway {
            rooms: Arc::clone(&rooms),
            gate: Gate::new(controller_limits()),
            budget: Budget::new(CONTROLLER_REQUESTS),
            pool: Arc::new(Pool::default()),
            phase: controller_phase.subscribe(),
        });
        let accept = |listener: Bound<E>| {
            let name = Arc::from(listener.name.as_str());
            let doorway = if listener.is_controller { &controller_doorway } else { &doorway };
            let sign = Sign { name, is_controller: listener.is_controller };
            env.spawn("listener", accept_loop(Arc::clone(doorway), listener.socket, sign))
        };
        // A quorum cannot form unless its members hear each other; clients wait until there is one.
        let (controllers, clients): (Vec<_>, Vec<_>) =
            listeners.into_iter().partition(|listener| listener.is_controller);
        let mut tasks: Vec<Task> = controllers.into_iter().map(accept).collect();
        let mut drivers = rooms.raft.start();
        drivers.extend(rooms.metadata.start());
        drivers.extend(rooms.controller.start());
        drivers.extend(rooms.lifecycle.start());
        if rooms.config.get().is_broker() {
            let patience = match claim {
                Claim::Own => rooms.lifecycle.patience(),
                Claim::FirstCome => Duration::ZERO,
            };
            match rooms.lifecycle.join(patience).await {
                Ok(heartbeats) => drivers.push(heartbeats),
                Err(error) => {
                    controller_phase.send_replace(Phase::Closing);
                    end(tasks).await;
                    end(drivers).await;
                    rooms.data_dirs.close().await;
                    return Err(StartError::Lifecycle(error));
                }
            }
        }
        rooms.partitions.opened();
        drivers.push(in_sync_replicas(&rooms).start());
        drivers.push(directories(&rooms).start());
        drivers.push(rooms.moves.start());
        tasks.extend(clients.into_iter().map(accept));
        tasks.push(env.spawn("limits", follow_limits(Arc::clone(&doorway))));
        tasks.extend(rooms.groups.start());
        Ok(Broker { rooms, gate, phase, controller_phase, bound, tasks, drivers })
    }

    /// The address of each listener, with the real port.
    pub fn local_addrs(&self) -> &[(String, SocketAddr)] {
        &self.bound
    }

    /// The id of the cluster this node is of.
    pub fn cluster_id(&self) -> &str {
        &self.rooms.node.cluster_id
    }

    /// Completes, with the reason, when this node can no longer follow its cluster: a record of the
    /// metadata that it does not know, or cannot carry out. It is to be stopped then, for others take
    /// its place and it does not hear of it.
    pub async fn failed(&self) -> String {
        self.rooms.metadata.until_failed().await.to_string()
    }

    /// Stops: takes in nothing new, answers what has begun, makes everything durable.
    pub async fn shutdown(self) {
        let env = self.rooms.env.clone();
        self.rooms.lifecycle.leave(LEAVE_MAX).await;
        self.phase.send_replace(Phase::Draining);
        self.rooms.groups.stop().await;
        if env.timeout(DRAIN_MAX, self.gate.empty()).await.is_err() {
            self.phase.send_replace(Phase::Closing);
            let closed = env.timeout(CLOSE_MAX, self.gate.empty()).await;
            if closed.is_err() {
                tracing::warn!(connections = self.gate.count(), "connections were cut off");
            }
        }
        self.rooms.raft.resign().await;
        self.controller_phase.send_replace(Phase::Closing);
        for task in self.tasks {
            let _stopped = task.await;
        }
        end(self.drivers).await;
        self.rooms.replica.stop().await;
        self.rooms.data_dirs.close().await;
    }
}

/// Ends tasks that would run for ever.
async fn end(tasks: Vec<Task>) {
    for task in tasks {
        task.abort();
        let _stopped = task.await;
    }
}

/// A listener that is bound and not yet served.
struct Bound<E: Env> {
    name: String,
    address: SocketAddr,
    is_controller: bool,
    socket: E::Listener,
}

/// Binds the addresses of this node's roles.
async fn bind<E: Env>(env: &E, config: &BrokerConfig) -> Result<Vec<Bound<E>>, StartError> {
    let mut listeners = Vec::new();
    let is_ours = |listener: &&Listener| match listener.is_controller {
        true => config.is_controller(),
        false => config.is_broker(),
    };
    for listener in config.listeners.iter().filter(is_ours) {
        let failed = |source| StartError::Listen {
            listener: listener.name.clone(),
            address: format!("{}:{}", listener.host, listener.port),
            source,
        };
        let address = resolve(env, listener).await.map_err(failed)?;
        let socket = env.listen(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let (name, is_controller) = (listener.name.clone(), listener.is_controller);
        listeners.push(Bound { name, address, is_controller, socket });
    }
    Ok(listeners)
}

/// The address to bind: every interface where no host is named.
async fn resolve<E: Env>(env: &E, listener: &Listener) -> std::io::Result<SocketAddr> {
    if listener.host.is_empty() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], listener.port)));
    }
    let found = env.resolve(&listener.host, listener.port).await?;
    // Clients that resolve a name try IPv4 first.
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| std::io::Error::other("the name has no address"))
}

/// Makes the node's parts, each of what it needs; none does anything yet.
async fn furnish<E: Env>(
    env: E,
    config: BrokerConfig,
    data_dirs: DataDirs<E>,
    bound: &[(String, SocketAddr)],
) -> Result<Arc<Rooms<E>>, StartError> {
    let slots = config.listener.max_incremental_fetch_session_cache_slots;
    let sessions = Sessions::new(usize::try_from(slots).unwrap_or(0));
    let node = NodeIdentity {
        node_id: config.node_id,
        cluster_id: Arc::from(data_dirs.main().cluster_id()),
        directory_id: data_dirs.main().directory_id(),
    };
    let config = ConfigCell::new(config);
    let office = Office::new(env.clone(), node.node_id, config.clone());
    let partitions = Registry::new(data_dirs.clone(), office);
    let (e, d, n, c) = (|| env.clone(), || data_dirs.clone(), || node.clone(), || config.clone());
    let raft = RaftDriver::open(e(), d().main().clone(), n(), c(), bound)
        .await
        .map_err(StartError::Raft)?;
    let p = || Arc::clone(&partitions);
    let replica = ReplicaDriver::new(e(), d(), p(), c(), n());
    let metadata = MetadataDriver::new(e(), Arc::clone(&raft), Arc::clone(&replica), c());
    let m = || Arc::clone(&metadata);
    let moves = MoveDriver::new(e(), d(), p(), Arc::clone(&replica), m(), c());
    let controller = ControllerDriver::new(e(), Arc::clone(&raft), m(), c(), n());
    let channel = ControllerChannel::new(
        e(),
        n(),
        c(),
        Arc::clone(&raft),
        Arc::clone(&metadata),
        Arc::clone(&controller),
    );
    let lifecycle = LifecycleDriver::new(
        e(),
        n(),
        d(),
        c(),
        bound,
        Arc::clone(&metadata),
        Arc::clone(&channel),
    );
    let producer_ids = ProducerIds::new(Arc::clone(&channel), Arc::clone(&lifecycle));
    let groups = CoordinatorDriver::new(e(), d(), p(), m(), Arc::clone(&channel), c());
    Ok(Arc::new(Rooms {
        env,
        node,
        config,
        data_dirs,
        partitions,
        sessions,
        refusals: Refusals::default(),
        raft,
        replica,
        moves,
        metadata,
        controller,
        channel,
        lifecycle,
        producer_ids,
        groups,
    }))
}

/// Leaders ask the controller for other ISRs.
fn in_sync_replicas<E: Env>(rooms: &Rooms<E>) -> Arc<IsrDriver<E>> {
    let (channel, metadata) = (Arc::clone(&rooms.channel), Arc::clone(&rooms.metadata));
    let ask: Ask = Arc::new(move |request| {
        let (channel, metadata) = (Arc::clone(&channel), Arc::clone(&metadata));
        Box::pin(async move {
            if planted(Plant::DedicatedControllerMissed) && !metadata.is_led_by_a_broker() {
                return Err(ErrorCode::RequestTimedOut);
            }
            channel.call(request, ISR_ANSWER_MAX).await
        })
    });
    let (env, config) = (rooms.env.clone(), rooms.config.clone());
    IsrDriver::new(env, Arc::clone(&rooms.partitions), config, ask)
}

/// The controller is told where replicas are.
fn directories<E: Env>(rooms: &Rooms<E>) -> Arc<DirectoryDriver<E>> {
    let office = Arc::clone(rooms.partitions.office());
    let (metadata, channel) = (Arc::clone(&rooms.metadata), Arc::clone(&rooms.channel));
    DirectoryDriver::new(rooms.env.clone(), office, metadata, channel)
}

/// A cluster has few controllers, but every broker fetches from them.
fn controller_limits() -> Limits {
    let per_ip_overrides = std::collections::BTreeMap::new();
    Limits { total: CONTROLLER_CONNECTIONS, per_ip: CONTROLLER_CONNECTIONS, per_ip_overrides }
}

/// How each folder is opened; the first is that of the metadata log.
fn data_dir_options(config: &BrokerConfig, cluster_id: Option<&str>) -> Vec<DataDirOptions> {
    let folders = std::iter::once(&config.data_dir).chain(&config.more_data_dirs);
    let of = |folder: &String| DataDirOptions {
        flush: match config.ottla.flush {
            FlushMode::Wal => log::FlushMode::Wal,
            FlushMode::None => log::FlushMode::None,
        },
        node_id: config.node_id,
        cluster_id: cluster_id.map(str::to_owned),
        wal_cap_bytes: u64::try_from(config.ottla.wal_size_max).unwrap_or(0),
        retention_check_ms: u64::try_from(config.log.retention_check_interval_ms).unwrap_or(1),
        producer_id_expiration_ms: config.log.producer_id_expiration_ms.into(),
        ..DataDirOptions::new(folder)
    };
    folders.map(|folder| of(folder).checked()).collect()
}

fn request_budget(config: &BrokerConfig) -> usize {
    let budget = usize::try_from(config.ottla.memory_budget).unwrap_or(MEMORY_BUDGET);
    (budget / REQUESTS_SHARE).max(1 << 20)
}

fn connection_limits(config: &BrokerConfig) -> Limits {
    let at_least_0 = |limit: i32| usize::try_from(limit).unwrap_or(0);
    Limits {
        total: at_least_0(config.listener.max_connections),
        per_ip: at_least_0(config.listener.max_connections_per_ip),
        per_ip_overrides: per_ip_overrides(&config.listener.max_connections_per_ip_overrides),
    }
}

/// `address:count` words; host names are not looked up.
fn per_ip_overrides(text: &str) -> std::collections::BTreeMap<std::net::IpAddr, usize> {
    let words = text.split(',').filter_map(|word| word.trim().rsplit_once(':'));
    let parsed = words.filter_map(|(address, count)| {
        let address = address.trim_matches(['[', ']']).parse().ok()?;
        Some((address, count.trim().parse().ok()?))
    });
    parsed.collect()
}

/// Puts changed limits in force, until the node drains.
async fn follow_limits<E: Env>(doorway: Arc<Doorway<E>>) {
    let mut changes = doorway.rooms.config.watch();
    let mut phase = doorway.phase.clone();
    loop {
        tokio::select! {
            biased;
            () = crate::phase::reached(&mut phase, Phase::Draining) => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
        let config = doorway.rooms.config.get();
        doorway.gate.set_limits(connection_limits(&config));
        let slots = config.listener.max_incremental_fetch_session_cache_slots;
        doorway.rooms.sessions.set_capacity(usize::try_from(slots).unwrap_or(0));
    }
}
