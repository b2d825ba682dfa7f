//! Drives the consensus machine (`ottla-raft`) over the log `__cluster_metadata-0`: one select, then one synchronous
//! step. The machine decides; what it decides is carried out in its order, and what must not be forgotten is on stable
//! storage before anything that rests on it leaves the node.
//!
//! ```text
//!   peers' requests ──► ask ──┐                      ┌──► quorum-state, snapshots (blocking pool)
//!   peers' answers ──► step ──┼─► Core (a lock) ─► queue of actions ──► log, links to peers
//!   append, durable, time ────┘                      └──► replies, the view others watch
//! ```
//!
//! Actions that need no disk are done at once by whoever made the step; the others wait in the queue for the loop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ottla_env::{Env, Task};
use ottla_metadata::MetadataRecord;
use ottla_protocol::ErrorCode;
use ottla_raft::Event;
use ottla_raft::replica::Endpoints;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::log::{self, DataDir};
use crate::node::{ConfigCell, NodeIdentity};

mod append;
mod carry_out;
mod core;
mod describe;
mod election_file;
mod endpoints;
mod fetch;
mod links;
mod metadata_log;
mod open;
mod outgoing;
mod quorum_state;
mod run;
mod seen;
mod serve;
mod snapshot;
mod voter_change;
mod voters;

pub(crate) use append::Unplaced;
pub(crate) use open::RaftStartError;
pub(crate) use snapshot::SnapshotFile;

use core::Core;
use links::Links;
use metadata_log::MetadataLog;
use seen::Seen;

/// How long an orderly stop waits for the other voters to hear of it.
const FAREWELL_MAX: Duration = Duration::from_millis(500);

/// What the quorum looks like from here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct QuorumView {
    pub(crate) epoch: i32,
    pub(crate) leader: Option<i32>,
    /// host:port of the leader's controller listener, where that is known.
    pub(crate) leader_address: Option<String>,
    /// This node leads, and the first record of its epoch is in its log.
    pub(crate) is_me: bool,
    /// The offset of that record, while `is_me`.
    pub(crate) epoch_start: i64,
    /// Everything below is committed.
    pub(crate) high_watermark: i64,
    /// The first offset of this node's log: whoever reads from further back reads the latest snapshot first.
    pub(crate) log_start: i64,
    /// The end of this node's log.
    pub(crate) log_end: i64,
}

/// This node's replica of the metadata log.
pub(crate) struct RaftDriver<E: Env> {
    env: E,
    data_dir: DataDir<E>,
    node: NodeIdentity,
    log: MetadataLog<E>,
    /// The log's folder, where `quorum-state` and the snapshots lie.
    folder: PathBuf,
    /// The listener that replicas speak over: the first of `controller.listener.names`.
    listener: String,
    own_endpoints: Endpoints,
    links: Links<E>,
    core: Mutex<Core>,
    view: watch::Sender<QuorumView>,
    seen: Seen,
    /// Something for the loop: an action, a position to wait for, an earlier deadline, the end.
    work: Notify,
    /// The queue is empty, or it is over.
    drained: Notify,
    /// A voter heard that this leader goes.
    farewell: Notify,
    /// For the tasks that wait for peers.
    this: Weak<Self>,
}

impl<E: Env> RaftDriver<E> {
    /// Opens the log and what lies beside it, and takes up where they say this replica was. A quorum of one leads when
    /// this returns. `bound` has the real port of each listener.
    pub(crate) async fn open(
        env: E,
        data_dir: DataDir<E>,
        node: NodeIdentity,
        config: ConfigCell,
        bound: &[(String, SocketAddr)],
    ) -> Result<Arc<Self>, RaftStartError> {
        open::open(env, data_dir, node, &config.get(), bound).await
    }

    /// The loop. It ends after [`RaftDriver::resign`].
    pub(crate) fn start(self: &Arc<Self>) -> Vec<Task> {
        vec![self.env.spawn("raft", run::run(Arc::clone(self)))]
    }

    /// Sees every later state of the quorum too.
    pub(crate) fn watch(&self) -> watch::Receiver<QuorumView> {
        self.view.subscribe()
    }

    /// The ids of the quorum's voters as the log has them now.
    pub(crate) fn voters(&self) -> Vec<i32> {
        self.core.lock().raft.voters().ids().into_iter().map(|id| id.0).collect()
    }

    /// The level of `kraft.version` that this node's log says.
    pub(crate) fn kraft_version(&self) -> i16 {
        self.core.lock().raft.kraft_version()
    }

    /// The log, to read what is committed: records below the view's high watermark.
    pub(crate) fn log(&self) -> &Arc<log::Partition<E>> {
        &self.log.partition
    }

    /// The newest snapshot: to be read before the log where the log does not begin at 0, or the reader is behind its
    /// start.
    pub(crate) fn latest_snapshot(&self) -> Option<SnapshotFile> {
        let latest = self.core.lock().raft.log().latest_snapshot;
        latest.map(|at| SnapshotFile::new(&self.folder, at))
    }

    /// The offset of the next record, should this node lead.
    pub(crate) fn next_offset(&self) -> i64 {
        self.core.lock().raft.log().end
    }

    /// Appends records as one batch, all of them or none, as the leader of `epoch`, in the versions that all members of a
    /// cluster at this level of `metadata.version` can read. What they say may rest on their place, the epoch of a
    /// broker is the offset of its registration: it is at `place` or not at all. Answers the offset of the last.
    pub(crate) async fn append(
        &self,
        epoch: i32,
        place: i64,
        records: &[MetadataRecord],
        metadata_version: i16,
    ) -> Result<i64, Unplaced> {
        append::append(self, (epoch, place), records, metadata_version).await
    }

    /// Waits until `offset`, which the leader of `epoch` appended, is committed. NotController where that leadership
    /// ended first: the records may be lost.
    pub(crate) async fn committed(&self, epoch: i32, offset: i64) -> Result<(), ErrorCode> {
        append::committed(self, epoch, offset).await
    }

    /// Waits, but no longer than `limit`, until every node of `nodes` has told in a fetch that it applied everything
    /// below `offset`: by KIP-1166's high watermark, or by its fetch offset where its version cannot say it.
    pub(crate) async fn seen_by(&self, nodes: &[i32], offset: i64, limit: Duration) -> bool {
        self.env.timeout(limit, self.seen.reached(nodes, offset)).await.is_ok()
    }

    /// This node's state machine has everything below `offset`.
    pub(crate) fn applied(&self, offset: i64) {
        self.seen.note(self.node.node_id, offset);
        self.step(Event::Applied { offset });
    }

    /// Gives leadership up and ends: before an orderly stop. The other voters are told, as far as that goes quickly.
    pub(crate) async fn resign(&self) {
        self.step(Event::Resign);
        let told = async {
            loop {
                let heard = self.farewell.notified();
                if !self.core.lock().raft.is_leaving() {
                    return;
                }
                heard.await;
            }
        };
        let _in_time = self.env.timeout(FAREWELL_MAX, told).await;
        let mut core = self.core.lock();
        self.end(&mut core);
    }

    /// The machine's clock.
    fn now_ms(&self) -> i64 {
        i64::try_from(self.env.now().as_millis()).unwrap_or(i64::MAX)
    }
}
