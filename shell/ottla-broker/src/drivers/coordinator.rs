//! Drives the group coordinator's shards, one for each partition of `__consumer_offsets` led here.
//! It never decides: commands go in, and what the machine says is appended, replayed and answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ottla_coordinator::{Command, Reply, Token};
use ottla_env::{Env, Task};
use ottla_protocol::{ErrorCode, Str, Uuid};
use parking_lot::Mutex;
use tokio::sync::{Notify, OnceCell, watch};

use crate::drivers::channel::ControllerChannel;
use crate::drivers::metadata::MetadataDriver;
use crate::log::DataDir;
use crate::node::ConfigCell;
use crate::partition::registry::{Partition, Registry};

mod batch;

mod hash;

mod settings;

mod load;

mod room;

mod timer;

mod topic;

pub(crate) use topic::OFFSETS_TOPIC;

use room::Room;

/// How long a request waits for its shard to be read. Reading goes on.
const LOAD_WAIT: Duration = Duration::from_secs(10);

/// The group coordinator of this node.
pub(crate) struct CoordinatorDriver<E: Env> {
    env: E,
    data_dir: DataDir<E>,
    registry: Arc<Registry<E>>,
    metadata: Arc<MetadataDriver<E>>,
    channel: Arc<ControllerChannel<E>>,
    config: ConfigCell,
    /// Each is read when it is first needed. A topic made again has other shards.
    shards: Mutex<Shards<E>>,
    /// Wakes the timer's task: there is a deadline before the one it sleeps until.
    timer: Notify,
    /// What the timer's task sleeps until, in monotonic milliseconds.
    sleeps_until: AtomicI64,
    stopped: watch::Sender<bool>,
}

/// By topic id and partition.
type Shards<E> = HashMap<(Uuid, i32), Arc<Shard<E>>>;

/// A shard, once it has been read; or why it cannot be served, which does not change by itself.
type Shard<E> = OnceCell<Result<Arc<Room<E>>, ErrorCode>>;

impl<E: Env> CoordinatorDriver<E> {
    /// A coordinator that serves no one yet; see [`CoordinatorDriver::start`].
    pub(crate) fn new(
        env: E,
        data_dir: DataDir<E>,
        registry: Arc<Registry<E>>,
        metadata: Arc<MetadataDriver<E>>,
        channel: Arc<ControllerChannel<E>>,
        config: ConfigCell,
    ) -> Arc<Self> {
        Arc::new(Self {
            env,
            data_dir,
            registry,
            metadata,
            channel,
            config,
            shards: Mutex::default(),
            timer: Notify::new(),
            sleeps_until: AtomicI64::new(i64::MAX),
            stopped: watch::Sender::new(false),
        })
    }

    /// Starts the timers, and reads every shard that is here: the sessions of their members run.
    /// The metadata must have been loaded.
    pub(crate) fn start(self: &Arc<Self>) -> Vec<Task> {
        let timers = self.env.spawn("group timers", timer::run(Arc::clone(self)));
        let topics = self.env.spawn("group topics", topic::follow_deletions(Arc::clone(self)));
        let driver = Arc::clone(self);
        let load = self.env.spawn("group load", async move {
            for partition in driver.led_partitions() {
                if driver.is_stopped() {
                    return;
                }
                let _served_or_logged = driver.room(partition).await;
            }
        });
        vec![timers, topics, load]
    }

    /// Nobody waits here any longer: parked requests are sent away, new ones refused.
    pub(crate) async fn stop(&self) {
        self.stopped.send_replace(true);
        for room in self.rooms() {
            room.tell(&self.env, &self.data_dir, Command::Unload).await;
        }
    }

    /// Asks the shard of `group`, and waits for its answer: that of a rebalance may take as long as
    /// its members do. What is answered is durable.
    pub(crate) async fn ask(
        &self,
        group: &Str,
        command: impl FnOnce(Token) -> Command,
    ) -> Result<Reply, ErrorCode> {
        let room = self.room_of(group).await?;
        self.ask_room(&room, command).await
    }

    /// Asks every shard that is led here.
    pub(crate) async fn ask_all(
        &self,
        command: impl Fn(Token) -> Command,
    ) -> Result<Vec<Reply>, ErrorCode> {
        let mut replies = Vec::new();
        for partition in self.led_partitions() {
            let room = self.room_in_time(partition).await?;
            replies.push(self.ask_room(&room, &command).await?);
        }
        Ok(replies)
    }

    /// The partition of the offsets topic that `group` belongs to, by its number of partitions.
    pub(crate) fn partition_of(group: &str, partitions: usize) -> i32 {
        hash::partition_of(group, partitions)
    }

    /// Waits until the shard of `group` can serve, where that is here.
    pub(crate) async fn ready(&self, group: &Str) -> Result<(), ErrorCode> {
        self.room_of(group).await.map(drop)
    }

    /// Makes the offsets topic if there is none.
    pub(crate) async fn ensure_topic(&self) -> Result<(), ErrorCode> {
        topic::ensure(self).await
    }

    async fn ask_room(
        &self,
        room: &Arc<Room<E>>,
        command: impl FnOnce(Token) -> Command,
    ) -> Result<Reply, ErrorCode> {
        let answer = room.ask(&self.env, &self.data_dir, command).await;
        self.reschedule(room);
        // A shard that goes away drops the other end.
        answer.await.unwrap_or(Err(ErrorCode::NotCoordinator))
    }

    async fn room_of(&self, group: &str) -> Result<Arc<Room<E>>, ErrorCode> {
        if self.is_stopped() {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let image = self.metadata.image();
        let topic = image.topics.get(OFFSETS_TOPIC).ok_or(ErrorCode::NotCoordinator)?;
        let index = hash::partition_of(group, topic.partitions.len());
        let here = self.registry.topic_by_id(topic.id);
        let partition = here.and_then(|topic| topic.partition(index).cloned());
        self.room_in_time(partition.ok_or(ErrorCode::NotCoordinator)?).await
    }

    async fn room_in_time(&self, partition: Arc<Partition<E>>) -> Result<Arc<Room<E>>, ErrorCode> {
        let loading = self.env.timeout(LOAD_WAIT, self.room(partition)).await;
        loading.unwrap_or(Err(ErrorCode::CoordinatorLoadInProgress))
    }

    /// The shard of a partition, read first if need be. Of several callers one reads.
    async fn room(&self, partition: Arc<Partition<E>>) -> Result<Arc<Room<E>>, ErrorCode> {
        let key = (partition.topic_id, partition.index);
        let shard = Arc::clone(self.shards.lock().entry(key).or_default());
        let read = shard.get_or_init(|| async {
            let settings = settings::group_settings(&self.config.get(), self.live_brokers());
            let room = load::load(&self.env, Arc::clone(&partition), settings).await;
            let room = room.map_err(|error| {
                let partition = partition.index;
                tracing::error!(%error, partition, "cannot read a partition of committed offsets; \
                    its groups are not served");
                ErrorCode::CoordinatorNotAvailable
            })?;
            let room = Arc::new(room);
            topic::forget_deleted(self, &room).await;
            self.reschedule(&room);
            Ok(room)
        });
        read.await.clone()
    }

    fn led_partitions(&self) -> Vec<Arc<Partition<E>>> {
        let topic = self.registry.topic(&Str::from(OFFSETS_TOPIC));
        topic.map(|topic| topic.partitions().cloned().collect()).unwrap_or_default()
    }

    /// The shards that have been read.
    fn rooms(&self) -> Vec<Arc<Room<E>>> {
        let shards = self.shards.lock();
        shards.values().filter_map(|shard| shard.get()?.clone().ok()).collect()
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    fn live_brokers(&self) -> usize {
        self.metadata.image().live_brokers().count()
    }

    /// Sees to it that the timer's task is awake at the shard's next deadline.
    fn reschedule(&self, room: &Room<E>) {
        if room.deadline() < self.sleeps_until.load(Ordering::SeqCst) {
            self.timer.notify_one();
        }
    }
}
