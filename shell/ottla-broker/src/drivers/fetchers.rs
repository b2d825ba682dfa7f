//! Fetches what other nodes lead and this one follows: one task and one connection for each leader. It
//! asks for all its partitions at once, in a fetch session (KIP-227), appends the batches as they come,
//! makes them durable by one group commit, and only then asks for what follows.
//!
//! The partitions' machines decide what an answer means; a task here only carries messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_client::ClientOptions;
use ottla_env::{Env, Task};
use ottla_metadata::image::MetadataImage;
use parking_lot::Mutex;

use crate::log::DataDirs;
use crate::node::ConfigCell;
use crate::partition::office::{Office, PartitionKey};
use crate::partition::registry::{Assigned, Partition};

mod session;

mod members;

mod line;

mod absorb;

mod run;

use members::Members;

/// The fetchers of this node.
pub(crate) struct Fetchers<E: Env> {
    env: E,
    data_dirs: DataDirs<E>,
    config: ConfigCell,
    office: Arc<Office<E>>,
    image: Mutex<Arc<MetadataImage>>,
    state: Mutex<State<E>>,
}

struct State<E: Env> {
    /// By leader. A fetcher stays when its last partition leaves: it costs nothing.
    by_leader: BTreeMap<i32, Arc<Members<E>>>,
    /// Who is asked for each partition that follows somebody.
    leader_of: BTreeMap<PartitionKey, i32>,
    tasks: Vec<Task>,
    stopped: bool,
}

impl<E: Env> Fetchers<E> {
    pub(crate) fn new(
        env: E,
        data_dirs: DataDirs<E>,
        config: ConfigCell,
        office: Arc<Office<E>>,
    ) -> Arc<Self> {
        let state = State {
            by_leader: BTreeMap::new(),
            leader_of: BTreeMap::new(),
            tasks: Vec::new(),
            stopped: false,
        };
        let (image, state) = (Mutex::default(), Mutex::new(state));
        Arc::new(Self { env, data_dirs, config, office, image, state })
    }

    /// Follows a new image: addresses of leaders, and what became of partitions.
    pub(crate) fn follow(self: &Arc<Self>, image: &Arc<MetadataImage>, assigned: Vec<Assigned<E>>) {
        *self.image.lock() = Arc::clone(image);
        let mut changed: BTreeMap<i32, Arc<Members<E>>> = BTreeMap::new();
        let mut state = self.state.lock();
        for assigned in assigned {
            let (partition, leader) = match assigned {
                Assigned::Follows(partition, leader) if leader >= 0 => (partition, Some(leader)),
                Assigned::Follows(partition, _)
                | Assigned::Led(partition)
                | Assigned::Gone(partition) => (partition, None),
            };
            self.reassign(&mut state, partition, leader, &mut changed);
        }
        drop(state);
        changed.values().for_each(|members| members.tell());
    }

    fn reassign(
        self: &Arc<Self>,
        state: &mut State<E>,
        partition: Arc<Partition<E>>,
        leader: Option<i32>,
        changed: &mut BTreeMap<i32, Arc<Members<E>>>,
    ) {
        let key = (partition.topic_id(), partition.index());
        let before = match leader {
            Some(leader) => state.leader_of.insert(key, leader),
            None => state.leader_of.remove(&key),
        };
        if let Some(before) = before.filter(|before| Some(*before) != leader)
            && let Some(members) = state.by_leader.get(&before)
        {
            members.remove(key);
        }
        let Some(leader) = leader.filter(|_| !state.stopped) else { return };
        let members = match state.by_leader.get(&leader) {
            Some(members) => Arc::clone(members),
            None => {
                let members = Arc::new(Members::default());
                state.by_leader.insert(leader, Arc::clone(&members));
                let fetcher = run::run(Arc::clone(self), leader, Arc::clone(&members));
                state.tasks.push(self.env.spawn("fetcher", fetcher));
                members
            }
        };
        members.insert(key, partition);
        changed.insert(leader, members);
    }

    /// Ends all fetchers where they are.
    pub(crate) async fn stop(&self) {
        let tasks = {
            let mut state = self.state.lock();
            state.stopped = true;
            std::mem::take(&mut state.tasks)
        };
        for task in tasks {
            task.abort();
            let _ended = task.await;
        }
    }

    /// Where a leader serves other brokers.
    fn address(&self, leader: i32) -> Option<String> {
        let config = self.config.get();
        let listener = &config.inter_broker_listener()?.name;
        let image = Arc::clone(&self.image.lock());
        let endpoint = image.brokers.get(leader)?.endpoint(listener)?;
        Some(match endpoint.host.contains(':') {
            true => format!("[{}]:{}", endpoint.host, endpoint.port),
            false => format!("{}:{}", endpoint.host, endpoint.port),
        })
    }

    /// Milliseconds for which a partition is not to be asked for, if it is throttled and its replica
    /// here is not in sync: one that is follows without a throttle (KIP-73).
    fn throttled_for(&self, partition: &Partition<E>) -> Option<i64> {
        if !partition.fetches_throttled() {
            return None;
        }
        let image = Arc::clone(&self.image.lock());
        let known = image.topics.by_id(partition.topic_id())?.partitions.get(&partition.index())?;
        if known.isr.contains(&self.office.node_id()) {
            return None;
        }
        self.office.fetching_closed_for()
    }

    fn client_options(&self) -> ClientOptions {
        let millis = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let timeout = millis(self.config.get().replication.replica_socket_timeout_ms);
        ClientOptions {
            client_id: format!("broker-{}-fetcher", self.office.node_id()),
            topics_by_id: true,
            connect_timeout: timeout,
            request_timeout: timeout,
            ..ClientOptions::default()
        }
    }
}
