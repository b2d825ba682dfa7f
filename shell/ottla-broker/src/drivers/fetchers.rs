//! Fetches what other nodes lead and this one follows: `num.replica.fetchers` tasks for each leader, each
//! with a connection and a share of the partitions. It asks for all its partitions at once, in a fetch
//! session (KIP-227), appends the batches as they come, makes them durable by one group commit, and only
//! then asks for what follows. While one waits for the disk another asks.
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

/// A leader, and which of the fetchers that ask it.
type Which = (i32, u32);

struct State<E: Env> {
    /// A fetcher stays when its last partition leaves: it costs nothing.
    by_leader: BTreeMap<Which, Arc<Members<E>>>,
    /// Who asks whom for each partition that follows somebody.
    fetcher_of: BTreeMap<PartitionKey, (Which, Arc<Partition<E>>)>,
    /// `num.replica.fetchers`, as the partitions are shared out now.
    per_leader: u32,
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
            fetcher_of: BTreeMap::new(),
            per_leader: 0,
            tasks: Vec::new(),
            stopped: false,
        };
        let (image, state) = (Mutex::default(), Mutex::new(state));
        Arc::new(Self { env, data_dirs, config, office, image, state })
    }

    /// Follows a new image: addresses of leaders, what became of partitions, and how many fetchers
    /// there are to be.
    pub(crate) fn follow(self: &Arc<Self>, image: &Arc<MetadataImage>, assigned: Vec<Assigned<E>>) {
        *self.image.lock() = Arc::clone(image);
        self.take(assigned);
    }

    /// A replica goes on in another log: if it follows, that is what is fetched for.
    pub(crate) fn follow_again(self: &Arc<Self>, partition: &Arc<Partition<E>>) {
        let followed = partition.followed();
        let assigned = followed.map(|leader| Assigned::Follows(Arc::clone(partition), leader));
        self.take(assigned.into_iter().collect());
    }

    fn take(self: &Arc<Self>, assigned: Vec<Assigned<E>>) {
        let mut changed = BTreeMap::new();
        let mut state = self.state.lock();
        self.share_out(&mut state, &mut changed);
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

    /// Shares the partitions out anew where the number of fetchers is another now. An answer that is
    /// still on its way to the fetcher before counts: the partition knows where its log stands.
    fn share_out(
        self: &Arc<Self>,
        state: &mut State<E>,
        changed: &mut BTreeMap<Which, Arc<Members<E>>>,
    ) {
        let wanted = self.config.get().replication.num_replica_fetchers;
        let wanted = u32::try_from(wanted).unwrap_or(1).max(1);
        if std::mem::replace(&mut state.per_leader, wanted) == wanted {
            return;
        }
        let moving: Vec<_> = state.fetcher_of.values().cloned().collect();
        for ((leader, _), partition) in moving {
            self.reassign(state, partition, Some(leader), changed);
        }
    }

    fn reassign(
        self: &Arc<Self>,
        state: &mut State<E>,
        partition: Arc<Partition<E>>,
        leader: Option<i32>,
        changed: &mut BTreeMap<Which, Arc<Members<E>>>,
    ) {
        let key = (partition.topic_id(), partition.index());
        let which = leader.map(|leader| (leader, share_of(key, state.per_leader)));
        let before = match which {
            Some(which) => state.fetcher_of.insert(key, (which, Arc::clone(&partition))),
            None => state.fetcher_of.remove(&key),
        };
        if let Some((before, _)) = before.filter(|(before, _)| Some(*before) != which)
            && let Some(members) = state.by_leader.get(&before)
        {
            members.remove(key);
        }
        let Some(which) = which.filter(|_| !state.stopped) else { return };
        let members = match state.by_leader.get(&which) {
            Some(members) => Arc::clone(members),
            None => {
                let members = Arc::new(Members::default());
                state.by_leader.insert(which, Arc::clone(&members));
                let fetcher = run::run(Arc::clone(self), which.0, Arc::clone(&members));
                state.tasks.push(self.env.spawn("fetcher", fetcher));
                members
            }
        };
        members.insert(key, partition);
        changed.insert(which, members);
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

/// Which of so many fetchers has a partition: those of one topic go round, and not all topics begin
/// with the first.
fn share_of((topic_id, index): PartitionKey, per_leader: u32) -> u32 {
    let begin = topic_id.0.iter().fold(0_u32, |sum, byte| sum + u32::from(*byte));
    begin.wrapping_add(index.cast_unsigned()) % per_leader.max(1)
}

#[cfg(test)]
mod tests {
    use ottla_protocol::Uuid;

    use super::share_of;

    /// Goal: the partitions of a topic are shared out evenly, and topics of one partition are too.
    #[test]
    fn every_fetcher_has_its_share() {
        for per_leader in 1..6_u32 {
            let mut of_one_topic = vec![0_u32; per_leader as usize];
            let mut of_many = of_one_topic.clone();
            for number in 0..600 {
                let one = (Uuid::from_u128(7 << 90), number);
                of_one_topic[share_of(one, per_leader) as usize] += 1;
                let many = (Uuid::from_u128(u128::from(number.cast_unsigned()) << 80), 0);
                of_many[share_of(many, per_leader) as usize] += 1;
            }
            let even = 600 / per_leader;
            assert!(of_one_topic.iter().all(|share| share.abs_diff(even) <= 1), "{of_one_topic:?}");
            assert!(of_many.iter().all(|share| share * 2 > even), "{of_many:?}");
        }
    }
}
