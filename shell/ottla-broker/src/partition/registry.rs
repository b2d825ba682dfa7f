//! The partitions that this node leads, by topic name and by topic id.
//!
//! It follows the metadata image: the controller's driver adds, changes and removes; requests only
//! look up. A topic made again under an old name bears another id and is another topic.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use ottla_env::Env;
use ottla_protocol::{ErrorCode, Str, Uuid};
use parking_lot::RwLock;

use super::watchers::Watchers;
use crate::log::{self, DataDir, LogConfig, LogError, Offsets, ProgressListener, TopicPartition};

/// A topic with the partitions that are here.
pub(crate) struct Topic<E: Env> {
    pub(crate) name: Str,
    pub(crate) id: Uuid,
    /// By index; nothing where a partition is not here.
    partitions: Vec<Option<Arc<Partition<E>>>>,
}

impl<E: Env> Topic<E> {
    /// A partition by its index, whatever a client sent as one.
    pub(crate) fn partition(&self, index: i32) -> Option<&Arc<Partition<E>>> {
        self.partitions.get(usize::try_from(index).ok()?)?.as_ref()
    }

    /// All partitions that are here, by index.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Arc<Partition<E>>> {
        self.partitions.iter().flatten()
    }

    /// Topics that Kafka itself writes to, and clients do not.
    pub(crate) fn is_internal(&self) -> bool {
        is_internal(&self.name)
    }
}

/// Whether a topic is one of Kafka's own.
pub(crate) fn is_internal(topic: &str) -> bool {
    matches!(topic, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// A partition that this node leads.
pub(crate) struct Partition<E: Env> {
    pub(crate) topic_id: Uuid,
    pub(crate) index: i32,
    pub(crate) log: Arc<log::Partition<E>>,
    leader_epoch: AtomicI32,
    pub(crate) watchers: Arc<Watchers>,
}

impl<E: Env> Partition<E> {
    /// Goes on leading it, in a newer epoch perhaps, with these settings.
    fn lead(&self, leader_epoch: i32, config: &LogConfig) -> Result<(), LogError> {
        self.log.set_config(config.clone());
        if leader_epoch > self.leader_epoch() {
            self.log.assign_leader_epoch(leader_epoch)?;
            self.leader_epoch.store(leader_epoch, Ordering::SeqCst);
            self.watchers.wake_all();
        }
        Ok(())
    }

    /// The epoch in which this node leads it.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.leader_epoch.load(Ordering::SeqCst)
    }

    /// The epoch a client believes in against the one in force; -1 believes anything.
    pub(crate) fn check_leader_epoch(&self, believed: i32) -> Result<(), ErrorCode> {
        let current = self.leader_epoch();
        match believed {
            epoch if epoch == NO_EPOCH || epoch == current => Ok(()),
            epoch if epoch < current => Err(ErrorCode::FencedLeaderEpoch),
            _ => Err(ErrorCode::UnknownLeaderEpoch),
        }
    }
}

/// What a client believes that knows of no epoch.
const NO_EPOCH: i32 = -1;

/// The partition's log tells its watchers of progress.
impl ProgressListener for Watchers {
    fn on_progress(&self, _partition: &TopicPartition, _offsets: Offsets) {
        Watchers::progressed(self);
    }
}

/// All topics with partitions here.
pub(crate) struct Registry<E: Env> {
    data_dir: DataDir<E>,
    topics: RwLock<Topics<E>>,
}

struct Topics<E: Env> {
    by_name: HashMap<Str, Arc<Topic<E>>>,
    by_id: HashMap<Uuid, Arc<Topic<E>>>,
}

impl<E: Env> Registry<E> {
    pub(crate) fn new(data_dir: DataDir<E>) -> Arc<Registry<E>> {
        let topics = Topics { by_name: HashMap::new(), by_id: HashMap::new() };
        Arc::new(Registry { data_dir, topics: RwLock::new(topics) })
    }

    /// A topic by its name.
    pub(crate) fn topic(&self, name: &Str) -> Option<Arc<Topic<E>>> {
        self.topics.read().by_name.get(name).cloned()
    }

    /// A topic by its id.
    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<Arc<Topic<E>>> {
        self.topics.read().by_id.get(&id).cloned()
    }

    /// A partition by its topic's name.
    pub(crate) fn partition(&self, topic: &Str, index: i32) -> Option<Arc<Partition<E>>> {
        self.topic(topic)?.partition(index).cloned()
    }

    /// All topics, in no order.
    pub(crate) fn topics(&self) -> Vec<Arc<Topic<E>>> {
        self.topics.read().by_id.values().cloned().collect()
    }

    /// Makes partitions of a topic, or opens those that are in the data directory, and leads them:
    /// each an index and the leader epoch to lead it in.
    pub(crate) fn lead_all(
        &self,
        topic: &Str,
        topic_id: Uuid,
        partitions: &[(i32, i32)],
        config: &LogConfig,
    ) -> Result<(), LogError> {
        let old = self.topic_by_id(topic_id);
        let name = old.as_ref().map_or_else(|| topic.detach(), |topic| topic.name.clone());
        let mut led = old.as_ref().map_or_else(Vec::new, |topic| topic.partitions.clone());
        for (index, leader_epoch) in partitions {
            let at = usize::try_from(*index).expect("the controller counts from 0");
            if led.len() <= at {
                led.resize(at + 1, None);
            }
            match &led[at] {
                Some(partition) => partition.lead(*leader_epoch, config)?,
                None => {
                    let topic = name.clone();
                    let id = TopicPartition { topic, topic_id, partition: *index };
                    led[at] = Some(self.open(id, *leader_epoch, config)?);
                }
            }
        }
        let topic = Arc::new(Topic { name: name.clone(), id: topic_id, partitions: led });
        let mut topics = self.topics.write();
        topics.by_name.insert(name, Arc::clone(&topic));
        topics.by_id.insert(topic_id, topic);
        Ok(())
    }

    fn open(
        &self,
        id: TopicPartition,
        leader_epoch: i32,
        config: &LogConfig,
    ) -> Result<Arc<Partition<E>>, LogError> {
        let log = self.data_dir.create_partition(&id, config.clone())?;
        log.assign_leader_epoch(leader_epoch)?;
        let watchers = Arc::new(Watchers::default());
        log.on_progress(Arc::clone(&watchers) as Arc<dyn ProgressListener>);
        let leader_epoch = AtomicI32::new(leader_epoch);
        let TopicPartition { topic_id, partition: index, .. } = id;
        Ok(Arc::new(Partition { topic_id, index, log, leader_epoch, watchers }))
    }

    /// Applies new settings to the partitions of a topic.
    pub(crate) fn configure(&self, topic_id: Uuid, config: &LogConfig) {
        let Some(topic) = self.topic_by_id(topic_id) else { return };
        for partition in topic.partitions() {
            partition.log.set_config(config.clone());
        }
    }

    /// Forgets a topic, removes its logs, and sends those who wait for it away.
    pub(crate) fn remove_topic(&self, topic_id: Uuid) -> Result<(), LogError> {
        let topic = {
            let mut topics = self.topics.write();
            let Some(topic) = topics.by_id.remove(&topic_id) else { return Ok(()) };
            // The name may belong to a successor already.
            if topics.by_name.get(&topic.name).is_some_and(|named| named.id == topic_id) {
                topics.by_name.remove(&topic.name);
            }
            topic
        };
        for partition in topic.partitions() {
            let _position = self.data_dir.delete_partition(topic_id, partition.index)?;
            partition.watchers.wake_all();
        }
        Ok(())
    }
}
