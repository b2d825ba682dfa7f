//! A data directory: opened once, shared by everyone. Opens nothing but the checkpoint and the
//! write-ahead log; partitions' files are opened when someone needs them.

use std::path::Path;
use std::sync::Arc;

use ottla_env::{Disk, Env, LockError, Task};
use ottla_plant::{Plant, planted};
use ottla_protocol::{ErrorCode, Uuid};
use parking_lot::Mutex;

use crate::checkpoint::{Copying, encode_name};
use crate::config::LogConfig;
use crate::fault::{Failed, LogError, OpenError};
use crate::flusher::{Flusher, run_retention};
use crate::handles::Handles;
use crate::kafka_dir::META_PROPERTIES;
use crate::kafka_dir::dir_name;
use crate::kafka_dir::meta_properties::{self, MetaProperties};
use crate::names::Names;
use crate::options::{DataDirOptions, FlushMode, TopicPartition};
use crate::partition::Partition;
use crate::recovery::{Begin, Case, Plan, apply, plan, survey};
use crate::registry::Registry;
use crate::volume::Volume;
use crate::wal::{Session, Wal};

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecoveryReport {
    /// Which case of `recovery::plan` it was.
    pub case: String,
    pub partitions: usize,
    pub replayed_entries: u64,
    pub replayed_bytes: u64,
    /// Unacknowledged groups that a power cut tore out (`flush=none`).
    pub lost_groups: usize,
}

/// An open data directory. Cheap to clone.
pub struct DataDir<E: Env> {
    inner: Arc<Inner<E>>,
}

impl<E: Env> Clone for DataDir<E> {
    fn clone(&self) -> DataDir<E> {
        DataDir { inner: self.inner.clone() }
    }
}

struct Inner<E: Env> {
    volume: Arc<Volume<E>>,
    registry: Arc<Registry<E>>,
    identity: MetaProperties,
    directory_id: Uuid,
    /// Of live partitions; creation and deletion are serialized by it.
    names: Mutex<Names>,
    tasks: Mutex<Vec<Task>>,
    lock: Mutex<Option<<E::Disk as Disk>::Lock>>,
}

impl<E: Env> Drop for Inner<E> {
    /// Not an orderly stop: the loops end, the next start replays.
    fn drop(&mut self) {
        self.volume.wal.abandon();
    }
}

impl<E: Env> DataDir<E> {
    /// Opens a directory, recovers what a crash left, and starts the background loops.
    ///
    /// # Errors
    /// If it is in use, belongs to another node, or lost something that was acknowledged.
    pub fn open(
        env: E,
        options: DataDirOptions,
    ) -> Result<(DataDir<E>, RecoveryReport), OpenError> {
        let options = options.checked();
        let root = options.path.clone();
        env.disk().create_dir_all(&root).map_err(OpenError::io(&root))?;
        let lock = env.disk().lock(&root.join(".lock")).map_err(|error| match error {
            LockError::Held => OpenError::Locked { path: root.clone() },
            LockError::Io(error) => OpenError::Io { path: root.clone(), what: error.to_string() },
        })?;
        let identity = identify(&env, &options)?;
        let directory_id = identity.directory_id.unwrap_or(Uuid::ZERO);
        let survey = survey(env.disk(), &root, directory_id)?;
        let (case, groups, end_lsn, lost_groups) = match plan(&survey) {
            Plan::Go { case, groups, end_lsn, lost_groups } => (case, groups, end_lsn, lost_groups),
            Plan::Refuse { case, why } => {
                tracing::error!(?case, why, "the data directory is not opened");
                return Err(OpenError::Corrupt { path: root, what: why });
            }
        };
        if case == Case::New {
            refuse_kafka(&env, &root)?;
        }
        let known_epoch = survey.checkpoint.as_ref().map_or(0, |c| c.header.epoch);
        let old_epoch = survey.epoch.map_or(known_epoch, |file| file.epoch.max(known_epoch));
        // Above every leftover file's name, so that no name is given twice.
        let above = survey.files.last().map_or(0, |file| file.start_lsn + 1);
        // A flush puts entries into segments that their group never made durable. No new entry may
        // bear a position that a checkpointed partition believes to hold.
        let covered = survey.checkpoint.iter().flat_map(|checkpoint| &checkpoint.partitions);
        let covered = covered.map(|partition| partition.applied_lsn).max().unwrap_or(0);
        let start_lsn = end_lsn.max(above).max(covered);
        let begin = Begin { old_epoch, end_lsn, start_lsn };
        let session = Session { directory: directory_id, epoch: old_epoch + 1 };
        let next_number = survey.checkpoint.as_ref().map_or(1, |c| c.header.next_number);
        let wal = Arc::new(Wal::new(env.clone(), &options, session, begin.start_lsn));
        let handles = Handles::new(env.disk().clone(), options.handles_max);
        let (dirty, doomed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let volume = Arc::new(Volume { env, options, directory_id, wal, handles, dirty, doomed });
        let registry = Arc::new(Registry::new(next_number));
        let recovered = apply(&volume, &registry, survey, case, groups, &begin, directory_id)?;
        let report = RecoveryReport {
            case: format!("{case:?}"),
            partitions: registry.all().len(),
            replayed_entries: recovered.entries,
            replayed_bytes: recovered.bytes,
            lost_groups,
        };
        let data_dir = DataDir::start(volume, registry, identity, session, lock);
        Ok((data_dir, report))
    }

    fn start(
        volume: Arc<Volume<E>>,
        registry: Arc<Registry<E>>,
        identity: MetaProperties,
        session: Session,
        lock: <E::Disk as Disk>::Lock,
    ) -> DataDir<E> {
        let mut tasks = Vec::new();
        if volume.options.flush == FlushMode::Wal {
            let writer = volume.wal.clone().run_writer();
            tasks.push(volume.env.spawn_dedicated("ottla-wal", writer));
        }
        let flusher = Flusher::new(volume.clone(), registry.clone(), session);
        tasks.push(volume.env.spawn_dedicated("ottla-flusher", flusher.run()));
        let mut names = Names::default();
        registry.all().iter().for_each(|partition| names.add(partition.id()));
        let names = Mutex::new(names);
        let (tasks, lock) = (Mutex::new(tasks), Mutex::new(Some(lock)));
        let directory_id = session.directory;
        let inner = Inner { volume, registry, identity, directory_id, names, tasks, lock };
        DataDir { inner: Arc::new(inner) }
    }

    /// The cluster it belongs to.
    pub fn cluster_id(&self) -> &str {
        &self.inner.identity.cluster_id
    }

    /// Its own id.
    pub fn directory_id(&self) -> Uuid {
        self.inner.directory_id
    }

    /// The node it belongs to.
    pub fn node_id(&self) -> i32 {
        self.inner.identity.node_id
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.inner.volume.path()
    }

    /// Makes a partition, or gives the one that is there the configuration. Touches no file: its
    /// folder is made at the first flush.
    ///
    /// # Errors
    /// If another topic's partition bears the name, or the directory is offline.
    pub fn create_partition(
        &self,
        id: &TopicPartition,
        config: impl Into<Arc<LogConfig>>,
    ) -> Result<Arc<Partition<E>>, LogError> {
        self.create(id, config.into(), Copying::default())
    }

    /// Makes a copy, to follow a log in another directory until it takes its place. One that is there
    /// goes on.
    ///
    /// # Errors
    /// Those of [`DataDir::create_partition`].
    pub(crate) fn create_copy(&self, of: &Partition<E>) -> Result<Arc<Partition<E>>, LogError> {
        self.create(of.id(), of.config(), of.copying().next())
    }

    fn create(
        &self,
        id: &TopicPartition,
        config: Arc<LogConfig>,
        copying: Copying,
    ) -> Result<Arc<Partition<E>>, LogError> {
        let mut names = self.inner.names.lock();
        if let Some(partition) = self.any(id.topic_id, id.partition) {
            if partition.is_copy() != copying.is_copy {
                let message = format!("{id} is there already, as what it is not to be");
                return Err(LogError::Refused { code: ErrorCode::KafkaStorageError, message });
            }
            partition.set_config(config);
            return Ok(partition);
        }
        let others = names.topics(&id.topic).iter().map(|topic| topic.id);
        if let Some(other) =
            others.into_iter().find(|other| self.any(*other, id.partition).is_some())
        {
            let message = format!("{id} exists as topic {other}, which is to be deleted first");
            return Err(LogError::Refused { code: ErrorCode::InconsistentTopicId, message });
        }
        let encoded = encode_name(id, config.segment_bytes);
        let number = self.inner.registry.take_number();
        let topic = names.shared(&id.topic);
        let id = TopicPartition { topic, ..id.clone() };
        let partition =
            Partition::new(id.clone(), number, self.inner.volume.clone(), config.clone());
        let write = |partition: &Arc<Partition<E>>| partition.announce(&encoded, copying);
        self.inner.registry.announce(partition.clone(), write)?;
        names.add(&id);
        partition.set_config(config);
        Ok(partition)
    }

    /// A partition.
    pub fn partition(&self, topic_id: Uuid, partition: i32) -> Option<Arc<Partition<E>>> {
        self.any(topic_id, partition).filter(|found| !found.is_copy())
    }

    /// A copy of a partition that is in another directory.
    pub fn copy(&self, topic_id: Uuid, partition: i32) -> Option<Arc<Partition<E>>> {
        self.any(topic_id, partition).filter(|found| found.is_copy())
    }

    fn any(&self, topic_id: Uuid, partition: i32) -> Option<Arc<Partition<E>>> {
        self.inner.registry.by_id(topic_id, partition)
    }

    /// Whether it has a partition of this name, whichever topic's it is.
    pub fn holds(&self, topic: &str, partition: i32) -> bool {
        let names = self.inner.names.lock();
        names.topics(topic).iter().any(|known| self.partition(known.id, partition).is_some())
    }

    /// How many partitions it has.
    pub fn partitions_count(&self) -> usize {
        self.inner.registry.count()
    }

    /// All partitions, in the order they were made.
    pub fn partitions(&self) -> Vec<Arc<Partition<E>>> {
        let mut all = self.inner.registry.all();
        all.retain(|partition| !partition.is_copy());
        all
    }

    /// All copies of partitions that are in other directories.
    pub fn copies(&self) -> Vec<Arc<Partition<E>>> {
        let mut all = self.inner.registry.all();
        all.retain(|partition| partition.is_copy());
        all
    }

    /// Deletes a partition; its folder goes in the background. Returns the position to wait for,
    /// or `None` if there is no such partition.
    ///
    /// # Errors
    /// If the directory is offline.
    pub fn delete_partition(
        &self,
        topic_id: Uuid,
        partition: i32,
    ) -> Result<Option<u64>, LogError> {
        let mut names = self.inner.names.lock();
        let Some(found) = self.any(topic_id, partition) else { return Ok(None) };
        let lsn = found.delete()?;
        names.remove(found.id());
        self.inner.registry.remove(found.number());
        Ok(Some(lsn))
    }

    /// Waits until everything below `lsn` is durable (in `flush=none`: writes it).
    ///
    /// # Errors
    /// If the directory goes offline before that.
    pub async fn wait_durable(&self, lsn: u64) -> Result<(), Failed> {
        if planted(Plant::AckBeforeDurable) {
            return Ok(());
        }
        self.inner.volume.wal.wait_durable(lsn).await
    }

    /// Sees to it that what appends with `defer_write` staged is written, if not by now then soon:
    /// in `flush=none`, and where one small write does it, by the caller. Failure is left to
    /// [`DataDir::wait_durable`] to tell.
    pub async fn commit(&self) {
        self.inner.volume.wal.commit().await;
    }

    /// The position after all that was staged so far, creations among it.
    pub fn staged(&self) -> u64 {
        self.inner.volume.wal.next_lsn()
    }

    /// Everything below is durable.
    pub fn durable(&self) -> u64 {
        self.inner.volume.wal.durable()
    }

    /// Why the directory is offline, if it is.
    pub fn failed(&self) -> Option<Failed> {
        self.inner.volume.wal.check().err()
    }

    /// Waits until an append that was refused as busy may be tried again.
    pub async fn room(&self) {
        self.inner.volume.wal.wait_room().await;
    }

    /// Free and total bytes of the file system.
    ///
    /// # Errors
    /// Those of statvfs(3).
    pub fn space(&self) -> std::io::Result<(u64, u64)> {
        self.inner.volume.env.disk().space(self.path())
    }

    /// How many files are open.
    pub fn open_files(&self) -> usize {
        self.inner.volume.handles.len()
    }

    /// Carries out retention now; otherwise it runs in the background.
    pub fn run_maintenance(&self, now_ms: i64) {
        run_retention(&self.inner.registry, now_ms);
    }

    /// Stops where it is, as a killed process would: the next start replays.
    pub async fn abandon(&self) {
        self.inner.volume.wal.abandon();
        self.end().await;
    }

    /// An orderly stop: everything in segments, a clean checkpoint. Appends fail from now on.
    pub async fn close(&self) {
        self.inner.volume.wal.seal();
        self.end().await;
    }

    async fn end(&self) {
        let tasks = std::mem::take(&mut *self.inner.tasks.lock());
        for task in tasks.into_iter().rev() {
            // A loop that ended early has said why.
            let _ = task.await;
        }
        self.inner.lock.lock().take();
    }
}

/// Reads `meta.properties`, or writes it in a new directory.
fn identify<E: Env>(env: &E, options: &DataDirOptions) -> Result<MetaProperties, OpenError> {
    let path = options.path.join(META_PROPERTIES);
    let text = match env.disk().read_file(&path, 1 << 16) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(OpenError::io(&path)(error)),
    };
    let found = if text.is_empty() { None } else { Some(meta_properties::parse(&text)) };
    let known = match found {
        None => None,
        Some(Ok(known)) => Some(known),
        Some(Err(error)) => return Err(OpenError::Corrupt { path, what: error.to_string() }),
    };
    if let Some(known) = &known {
        let cluster = options.cluster_id.as_ref().filter(|id| **id != known.cluster_id);
        if known.node_id != options.node_id || cluster.is_some() {
            let what = format!(
                "it belongs to node {} of cluster {}; this is node {}{}",
                known.node_id,
                known.cluster_id,
                options.node_id,
                cluster.map_or(String::new(), |id| format!(" of cluster {id}"))
            );
            return Err(OpenError::Foreign { path, what });
        }
        if known.directory_id.is_some() {
            return Ok(known.clone());
        }
    }
    let cluster_id = known.map(|known| known.cluster_id).or_else(|| options.cluster_id.clone());
    let identity = MetaProperties {
        cluster_id: cluster_id.unwrap_or_else(|| random_id(env).to_string()),
        node_id: options.node_id,
        directory_id: Some(random_id(env)),
    };
    let text = meta_properties::format(&identity, &format!("{}", env.wall_ms()));
    env.disk().replace_file(&path, text.as_bytes()).map_err(OpenError::io(&path))?;
    Ok(identity)
}

/// A random id whose text does not begin with a dash, as Kafka makes them.
fn random_id<E: Env>(env: &E) -> Uuid {
    loop {
        let mut bytes = [0; 16];
        env.fill_random(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let id = Uuid(bytes);
        if !id.to_string().starts_with('-') {
            return id;
        }
    }
}

/// A directory with partitions but no checkpoint is Kafka's own.
fn refuse_kafka<E: Env>(env: &E, root: &Path) -> Result<(), OpenError> {
    let entries = env.disk().read_dir(root).map_err(OpenError::io(root))?;
    let partition = entries.into_iter().find(|entry| {
        entry.kind == ottla_env::FileKind::Dir && dir_name::parse(&entry.name).is_ok()
    });
    match partition {
        None => Ok(()),
        Some(entry) => {
            let what = format!(
                "it holds the partition {} but no checkpoint: a directory of Apache Kafka is not \
                 taken over yet; choose an empty one",
                entry.name
            );
            Err(OpenError::Foreign { path: root.to_path_buf(), what })
        }
    }
}
