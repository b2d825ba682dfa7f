//! Drives the group coordinator's shards, one for each partition of `__consumer_offsets` led here.
//! It never decides: commands go in, and what the machine says is appended, replayed and answered.

use std::collections::BTreeMap;
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
use crate::log::DataDirs;
use crate::node::ConfigCell;
use crate::partition::office::PartitionKey;
use crate::partition::registry::{Partition, Registry};

mod batch;

mod hash;

mod settings;

mod committed;

mod room;

mod load;

mod timer;

mod topic;

mod leadership;

mod elsewhere;

mod locate;

pub(crate) use topic::OFFSETS_TOPIC;

use committed::led_in;
use elsewhere::Elsewhere;
use room::{Led, Room};

/// How long a request waits for its shard to be read. Reading goes on.
const LOAD_WAIT: Duration = Duration::from_secs(10);

/// The group coordinator of this node.
pub(crate) struct CoordinatorDriver<E: Env> {
    env: E,
    data_dirs: DataDirs<E>,
    registry: Arc<Registry<E>>,
    metadata: Arc<MetadataDriver<E>>,
    channel: Arc<ControllerChannel<E>>,
    config: ConfigCell,
    /// Each is read when its partition comes to be led here, or when it is first needed. A topic made
    /// again has other shards.
    shards: Mutex<Shards<E>>,
    elsewhere: Elsewhere<E>,
    /// Wakes the timer's task: there is a deadline before the one it sleeps until.
    timer: Notify,
    /// What the timer's task sleeps until, in monotonic milliseconds.
    sleeps_until: AtomicI64,
    /// When the log was last told that the offsets topic cannot be made, in monotonic milliseconds.
    complained: AtomicI64,
    stopped: watch::Sender<bool>,
}

/// By topic id and partition.
type Shards<E> = BTreeMap<(Uuid, i32), Arc<Shard<E>>>;

/// A shard in one epoch of its partition.
struct Shard<E: Env> {
    epoch: i32,
    /// Once it has been read; or why it cannot be served, which does not change in this epoch.
    read: OnceCell<Result<Arc<Room<E>>, ErrorCode>>,
}

impl<E: Env> Shard<E> {
    /// Whether it was read from this partition's log, if it was read.
    fn is_of(&self, partition: &Partition<E>) -> bool {
        match self.read.get() {
            Some(Ok(room)) => room.is_of(partition),
            Some(Err(_)) | None => true,
        }
    }
}

impl<E: Env> CoordinatorDriver<E> {
    /// A coordinator that serves no one yet; see [`CoordinatorDriver::start`].
    pub(crate) fn new(
        env: E,
        data_dirs: DataDirs<E>,
        registry: Arc<Registry<E>>,
        metadata: Arc<MetadataDriver<E>>,
        channel: Arc<ControllerChannel<E>>,
        config: ConfigCell,
    ) -> Arc<Self> {
        Arc::new(Self {
            env,
            data_dirs,
            registry,
            metadata,
            channel,
            config,
            shards: Mutex::default(),
            elsewhere: Elsewhere::default(),
            timer: Notify::new(),
            sleeps_until: AtomicI64::new(i64::MAX),
            complained: AtomicI64::new(i64::MIN),
            stopped: watch::Sender::new(false),
        })
    }

    /// Starts the timers, and reads every shard that is led here: the sessions of their members run.
    /// The metadata must have been loaded.
    pub(crate) fn start(self: &Arc<Self>) -> Vec<Task> {
        let timers = self.env.spawn("group timers", timer::run(Arc::clone(self)));
        let topics = self.env.spawn("group topics", topic::follow_deletions(Arc::clone(self)));
        let shards = self.env.spawn("group shards", leadership::follow(Arc::clone(self)));
        vec![timers, topics, shards]
    }

    /// Nobody waits here any longer: parked requests are sent away, new ones refused.
    pub(crate) async fn stop(&self) {
        self.stopped.send_replace(true);
        for room in self.rooms() {
            room.close(&self.env).await;
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
            let asked = async {
                let room = self.room_in_time(partition).await?;
                self.ask_room(&room, &command).await
            };
            match asked.await {
                Ok(reply) => replies.push(reply),
                // Another node leads it since, and answers for it.
                Err(ErrorCode::NotCoordinator) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(replies)
    }

    /// The node that serves `group`, once it can; `own_id` is this one's. Makes the offsets topic if
    /// there is none.
    pub(crate) async fn locate(&self, own_id: i32, group: &Str) -> Result<i32, ErrorCode> {
        if self.is_stopped() {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        locate::locate(self, own_id, group).await
    }

    async fn ask_room(
        &self,
        room: &Arc<Room<E>>,
        command: impl FnOnce(Token) -> Command,
    ) -> Result<Reply, ErrorCode> {
        let answer = room.ask(&self.env, &self.data_dirs, command).await;
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

    /// The shard of a partition that is led here, read first if need be. Of several callers one reads.
    async fn room(&self, partition: Arc<Partition<E>>) -> Result<Arc<Room<E>>, ErrorCode> {
        let shard = self.shard(&partition)?;
        let read = shard.read.get_or_init(|| self.read(Arc::clone(&partition), shard.epoch));
        let room = read.await.clone()?;
        // Whoever reads for long may have lost the leadership meanwhile.
        let is_led = led_in(&partition) == Some(shard.epoch);
        if is_led { Ok(room) } else { Err(ErrorCode::NotCoordinator) }
    }

    async fn read(
        &self,
        partition: Arc<Partition<E>>,
        epoch: i32,
    ) -> Result<Arc<Room<E>>, ErrorCode> {
        let settings = settings::group_settings(&self.config.get(), self.live_brokers());
        let index = partition.index();
        let commit_limit_ms = self.config.get().group.offsets_commit_timeout_ms;
        let commit_limit = Duration::from_millis(commit_limit_ms.try_into().unwrap_or(0));
        let led = Led { partition, epoch, commit_limit };
        let room = load::load(&self.env, led, settings).await.map_err(|error| {
            tracing::error!(%error, partition = index, "cannot read a partition of committed \
                offsets; its groups are not served");
            ErrorCode::CoordinatorNotAvailable
        })?;
        let room = Arc::new(room);
        topic::forget_deleted(self, &room).await;
        self.reschedule(&room);
        Ok(room)
    }

    /// A partition's shard in the epoch in which it is led here.
    fn shard(&self, partition: &Partition<E>) -> Result<Arc<Shard<E>>, ErrorCode> {
        let epoch = led_in(partition).ok_or(ErrorCode::NotCoordinator)?;
        let key = (partition.topic_id(), partition.index());
        let mut shards = self.shards.lock();
        let new = || Arc::new(Shard { epoch, read: OnceCell::new() });
        let shard = shards.entry(key).or_insert_with(new);
        if shard.epoch < epoch || shard.epoch == epoch && !shard.is_of(partition) {
            let old = std::mem::replace(shard, new());
            if let Some(Ok(room)) = old.read.get().cloned() {
                let env = self.env.clone();
                self.env.spawn("group unload", async move { room.close(&env).await });
            }
        }
        if shard.epoch == epoch { Ok(Arc::clone(shard)) } else { Err(ErrorCode::NotCoordinator) }
    }

    /// Sends the shards away that are led here no more, or in a newer epoch.
    async fn close_lost(&self) {
        let led: BTreeMap<PartitionKey, Arc<Partition<E>>> = self
            .led_partitions()
            .into_iter()
            .map(|led| ((led.topic_id(), led.index()), led))
            .collect();
        let mut lost = Vec::new();
        self.shards.lock().retain(|key, shard| {
            let is_led = led.get(key).is_some_and(|partition| {
                led_in(partition).is_some_and(|epoch| epoch <= shard.epoch)
                    && shard.is_of(partition)
            });
            if !is_led {
                lost.push(Arc::clone(shard));
            }
            is_led
        });
        for shard in lost {
            if let Some(Ok(room)) = shard.read.get() {
                room.close(&self.env).await;
            }
        }
    }

    /// A partition that is led here and whose shard has not been read.
    fn next_unread(&self) -> Option<Arc<Partition<E>>> {
        if self.is_stopped() {
            return None;
        }
        let is_read = |partition: &Partition<E>| {
            let shards = self.shards.lock();
            let shard = shards.get(&(partition.topic_id(), partition.index()));
            shard.is_some_and(|shard| {
                shard.read.initialized() && Some(shard.epoch) >= led_in(partition)
            })
        };
        self.led_partitions().into_iter().find(|partition| !is_read(partition))
    }

    fn led_partitions(&self) -> Vec<Arc<Partition<E>>> {
        let topic = self.registry.topic(&Str::from(OFFSETS_TOPIC));
        let partitions = topic.iter().flat_map(|topic| topic.partitions());
        partitions.filter(|here| led_in(here).is_some()).cloned().collect()
    }

    /// The shards that have been read.
    fn rooms(&self) -> Vec<Arc<Room<E>>> {
        let shards = self.shards.lock();
        shards.values().filter_map(|shard| shard.read.get()?.clone().ok()).collect()
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
