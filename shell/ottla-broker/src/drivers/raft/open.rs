//! The start: what the disk remembers, who votes, and the machine that takes up from there.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_env::{Disk, Env};
use ottla_protocol::records::{BatchError, batches};
use ottla_raft::{ElectionState, NodeId, Raft, ReplicaKey, RoleName, Settings, Start, VoterSet};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::core::Core;
use super::links::Links;
use super::metadata_log::MetadataLog;
use super::seen::Seen;
use super::{QuorumView, RaftDriver, endpoints, quorum_state, snapshot, voters};
use crate::log::{DataDir, LogError, ReadError};
use crate::node::NodeIdentity;

/// How long a leader may hold an empty fetch back, as Kafka's followers ask for.
const FETCH_WAIT_MAX_MS: i64 = 500;
/// Bytes of the log read at once in search of voters.
const READ_BYTES: usize = 1 << 20;

/// Why this node cannot take part in the quorum. Each says what to do next.
#[derive(Debug)]
pub enum RaftStartError {
    Log(LogError),
    Read(ReadError),
    Batch {
        offset: i64,
        error: BatchError,
    },
    /// A file beside the log.
    File {
        path: PathBuf,
        what: String,
    },
    /// The log begins after what its latest snapshot holds.
    Gap {
        log_start: i64,
        snapshot_end: i64,
    },
    Stopped,
}

impl fmt::Display for RaftStartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => write!(f, "cannot open the metadata log: {error}"),
            Self::Read(error) => write!(f, "cannot read the metadata log: {error}"),
            Self::Batch { offset, error } => {
                write!(f, "the metadata log is damaged at offset {offset}: {error}")
            }
            Self::File { path, what } => write!(
                f,
                "{}: {what}. Without it this node may not vote: restore it, or let the node join the quorum anew with \
                 an empty data directory",
                path.display()
            ),
            Self::Gap { log_start, snapshot_end } => write!(
                f,
                "the metadata log begins at offset {log_start}, but its latest snapshot ends at {snapshot_end}: \
                 records are missing. Let this node join the quorum anew with an empty data directory"
            ),
            Self::Stopped => f.write_str("this node was stopped while it started"),
        }
    }
}

impl std::error::Error for RaftStartError {}

impl From<LogError> for RaftStartError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// See [`RaftDriver::open`].
pub(super) async fn open<E: Env>(
    env: E,
    data_dir: DataDir<E>,
    node: NodeIdentity,
    config: &BrokerConfig,
    bound: &[(String, SocketAddr)],
) -> Result<Arc<RaftDriver<E>>, RaftStartError> {
    let log = MetadataLog::open(&data_dir)?;
    let folder = data_dir.path().join(format!("{}", log.partition.id()));
    make_folder(&env, data_dir.path(), &folder)?;
    let election = read_election(&env, &folder)?;
    let snapshots = snapshot::open(&env, &data_dir, &log, &folder).await?;
    let mut log_view = log.view();
    log_view.earliest_snapshot = snapshots.first().copied();
    log_view.latest_snapshot = snapshots.last().copied();
    let own_endpoints = endpoints::own(config, bound);
    let me = ReplicaKey::new(NodeId(node.node_id), node.directory_id);
    if log_view.end == 0
        && election == ElectionState::default()
        && let Some(founder) = voters::founder(config, me, &own_endpoints)
    {
        snapshot::format(&env, &folder, &founder).map_err(|error| file_error(&folder, &error))?;
    }
    let mut sets = Vec::new();
    sets.extend(snapshot::voters(&env, &folder, snapshots.last().copied())?);
    sets.extend(voters_in(&env, &log, sets.last().map_or(i64::MIN, |(offset, _)| *offset)).await?);
    let start = Start {
        me,
        listener: endpoints::listener_name(config),
        endpoints: own_endpoints.clone(),
        settings: settings(config),
        bootstrap: voters::bootstrap(config, &own_endpoints),
        static_voters: voters::configured(config, &own_endpoints),
        kraft_versions: voters::KRAFT_VERSIONS,
        auto_join: config.quorum.auto_join_enable && config.is_controller(),
        voters: sets,
        election,
        log: log_view,
        seed: env.random_u64(),
    };
    let mut actions = Vec::new();
    let now_ms = i64::try_from(env.now().as_millis()).unwrap_or(i64::MAX);
    let limit = u64::try_from(start.settings.request_timeout_ms).unwrap_or(1);
    let listener = start.listener.clone();
    let raft = Raft::new(now_ms, start, &mut actions);
    let view = first_view(&raft, &listener);
    let driver = Arc::new_cyclic(|this| RaftDriver {
        links: Links::new(node.node_id, Duration::from_millis(limit)),
        env,
        data_dir,
        node,
        log,
        folder,
        listener,
        own_endpoints,
        core: Mutex::new(Core::new(raft)),
        view: watch::Sender::new(view),
        seen: Seen::new(),
        work: Notify::new(),
        drained: Notify::new(),
        farewell: Notify::new(),
        this: this.clone(),
    });
    driver.take(&mut driver.core.lock(), actions);
    // A quorum of one has nobody to wait for.
    while driver.do_next().await {}
    Ok(driver)
}

/// What the disk remembers: a leader that is followed already is no change that will be told.
fn first_view(raft: &Raft, listener: &str) -> QuorumView {
    let log = raft.log();
    let follows = raft.role() == RoleName::Follower;
    let endpoint = raft.leader_endpoints().get(listener).filter(|_| follows);
    QuorumView {
        epoch: raft.election().epoch,
        leader: raft.election().leader.filter(|_| follows).map(|leader| leader.0),
        leader_address: endpoint.map(endpoints::host_and_port),
        high_watermark: log.start,
        log_start: log.start,
        log_end: log.end,
        ..QuorumView::default()
    }
}

/// The folder is there before the log's first flush makes it.
fn make_folder<E: Env>(env: &E, root: &Path, folder: &Path) -> Result<(), RaftStartError> {
    let disk = env.disk();
    if disk.exists(folder) {
        return Ok(());
    }
    let made = disk.create_dir_all(folder).and_then(|()| disk.sync_dir(root));
    made.map_err(|error| file_error(folder, &error))
}

fn read_election<E: Env>(env: &E, folder: &Path) -> Result<ElectionState, RaftStartError> {
    let path = folder.join(quorum_state::FILE);
    match env.disk().read_file(&path, quorum_state::BYTES_MAX) {
        Ok(text) => quorum_state::parse(&text).map_err(|what| RaftStartError::File { path, what }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ElectionState::default()),
        Err(error) => Err(file_error(&path, &error)),
    }
}

pub(super) fn file_error(path: &Path, error: &io::Error) -> RaftStartError {
    RaftStartError::File { path: path.to_path_buf(), what: error.to_string() }
}

/// The sets of voters in the log, by the offset of their record, those after `after`.
async fn voters_in<E: Env>(
    env: &E,
    log: &MetadataLog<E>,
    after: i64,
) -> Result<Vec<(i64, VoterSet)>, RaftStartError> {
    let offsets = log.partition.offsets();
    let mut found = Vec::new();
    let mut from = offsets.log_start;
    while from < offsets.log_end {
        let read = log.read(env, from, READ_BYTES, offsets.log_end).await;
        let chunk = read.map_err(RaftStartError::Read)?;
        let before = from;
        for batch in batches(&chunk) {
            let damaged = |error| RaftStartError::Batch { offset: before, error };
            let (header, batch) = batch.map_err(damaged)?;
            let set = voters::of_batch(&header, &batch).map_err(damaged)?;
            found.extend(set.filter(|(offset, _)| *offset > after));
            from = header.next_offset();
        }
        if from <= before {
            let error = BatchError::Truncated { needed: 1, remaining: 0 };
            return Err(RaftStartError::Batch { offset: from, error });
        }
    }
    Ok(found)
}

fn settings(config: &BrokerConfig) -> Settings {
    let quorum = &config.quorum;
    let ms = |value: i32| i64::from(value.max(1));
    Settings {
        election_timeout_ms: ms(quorum.election_timeout_ms),
        fetch_timeout_ms: ms(quorum.fetch_timeout_ms),
        election_backoff_max_ms: ms(quorum.election_backoff_max_ms),
        request_timeout_ms: ms(quorum.request_timeout_ms),
        retry_backoff_ms: ms(quorum.retry_backoff_ms),
        fetch_max_wait_ms: FETCH_WAIT_MAX_MS,
        fetch_max_bytes: quorum.fetch_max_bytes,
        snapshot_max_bytes: quorum.fetch_snapshot_max_bytes,
    }
}
