//! The partitions that have a replica on this node, by topic name and by topic id.
//!
//! It follows the metadata image: the replica driver adds, changes and removes; requests only look up.
//! A topic made again under an old name bears another id and is another topic.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::image;
use ottla_protocol::{ErrorCode, Str, Uuid};
use ottla_replica::PartitionState;
use parking_lot::{Mutex, RwLock};

use super::office::{Office, PartitionKey};
use crate::log::{DataDirs, LogConfig, LogError, TopicPartition};

pub(crate) use super::hosted::{Partition, TopicSettings};

mod moving;
mod reach;

pub(crate) use moving::Replaced;
use reach::Reach;

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

/// What became of a partition.
pub(crate) enum Assigned<E: Env> {
    /// It is led here.
    Led(Arc<Partition<E>>),
    /// It follows this leader; below zero it waits for one.
    Follows(Arc<Partition<E>>, i32),
    /// Its replica is elsewhere now.
    Gone(Arc<Partition<E>>),
}

/// All topics with partitions here.
pub(crate) struct Registry<E: Env> {
    data_dirs: DataDirs<E>,
    office: Arc<Office<E>>,
    topics: RwLock<Topics<E>>,
    /// Held by whoever changes which partitions are here, or puts another log in the place of one.
    changing: Mutex<()>,
    /// Replicas that are on their way to another directory, and to which.
    bound_for: Mutex<BTreeMap<PartitionKey, Uuid>>,
    reach: Mutex<Reach>,
}

struct Topics<E: Env> {
    by_name: HashMap<Str, Arc<Topic<E>>>,
    by_id: HashMap<Uuid, Arc<Topic<E>>>,
}

impl<E: Env> Registry<E> {
    pub(crate) fn new(data_dirs: DataDirs<E>, office: Office<E>) -> Arc<Registry<E>> {
        let topics = Topics { by_name: HashMap::new(), by_id: HashMap::new() };
        let (office, topics) = (Arc::new(office), RwLock::new(topics));
        let (changing, bound_for, reach) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Registry { data_dirs, office, topics, changing, bound_for, reach })
    }

    /// What all replicas of this node share.
    pub(crate) fn office(&self) -> &Arc<Office<E>> {
        &self.office
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

    /// Makes of the given partitions of a topic what the image says they are here: makes their logs,
    /// or opens those that are in the data directory, and leads or follows; removes those whose
    /// replica is elsewhere now. May be repeated.
    pub(crate) fn assign(
        &self,
        topic: &image::Topic,
        indexes: &[i32],
        settings: &TopicSettings,
    ) -> Result<Vec<Assigned<E>>, LogError> {
        let _changing = self.changing.lock();
        let old = self.topic_by_id(topic.id);
        let name = old.as_ref().map_or_else(|| topic.name.detach(), |topic| topic.name.clone());
        let mut here = old.as_ref().map_or_else(Vec::new, |topic| topic.partitions.clone());
        let mut assigned = Vec::with_capacity(indexes.len());
        for index in indexes {
            let Some(state) = topic.partitions.get(index) else { continue };
            let at = usize::try_from(*index).expect("the controller counts from 0");
            let known = here.get_mut(at).and_then(Option::take);
            let is_here = state.replicas.contains(&self.office.node_id());
            let partition = match known {
                Some(partition) if is_here => partition,
                Some(partition) => {
                    self.remove(&partition)?;
                    assigned.push(Assigned::Gone(partition));
                    continue;
                }
                None if is_here && self.is_out_of_reach((topic.id, *index), state) => continue,
                None if is_here => {
                    let topic_id = topic.id;
                    let id = TopicPartition { topic: name.clone(), topic_id, partition: *index };
                    let opened = self.open(&id, &settings.log)?;
                    opened.throttle(settings);
                    opened
                }
                None => continue,
            };
            self.note_directory(&partition, state);
            assigned.push(match self.give_role(&partition, state, &settings.log) {
                // Another directory of the node's works, and so does the node.
                Err(LogError::Failed(_)) if partition.log.place() > 0 => {
                    partition.close(ErrorCode::KafkaStorageError);
                    Assigned::Gone(Arc::clone(&partition))
                }
                outcome => outcome?,
            });
            if here.len() <= at {
                here.resize(at + 1, None);
            }
            here[at] = Some(partition);
        }
        self.put(Topic { name, id: topic.id, partitions: here });
        Ok(assigned)
    }

    /// The controller is told where the replica is, if it believes something else.
    fn note_directory(&self, partition: &Partition<E>, state: &image::Partition) {
        let key = (partition.topic_id(), partition.index());
        let bound_for = self.bound_for.lock().get(&key).copied();
        let directory = bound_for.unwrap_or(partition.log.directory_id());
        let believed = state.directory(self.office.node_id());
        if believed.is_some_and(|believed| believed != directory) {
            self.office.misplace(key, directory);
        }
    }

    fn give_role(
        &self,
        partition: &Arc<Partition<E>>,
        state: &image::Partition,
        config: &LogConfig,
    ) -> Result<Assigned<E>, LogError> {
        if state.leader != self.office.node_id() {
            partition.follow(state.leader, state.leader_epoch)?;
            return Ok(Assigned::Follows(Arc::clone(partition), state.leader));
        }
        let state = PartitionState {
            replicas: &state.replicas,
            isr: &state.isr,
            leader_epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
        };
        partition.lead(&state, config)?;
        Ok(Assigned::Led(Arc::clone(partition)))
    }

    fn put(&self, topic: Topic<E>) {
        let topic = Arc::new(topic);
        let mut topics = self.topics.write();
        if topic.partitions().next().is_none() {
            topics.forget(topic.id);
            return;
        }
        topics.by_name.insert(topic.name.clone(), Arc::clone(&topic));
        topics.by_id.insert(topic.id, topic);
    }

    /// The log of a partition, made or opened. A log that another topic of the name left behind goes:
    /// the name is not that one's any more.
    fn open(
        &self,
        id: &TopicPartition,
        config: &Arc<LogConfig>,
    ) -> Result<Arc<Partition<E>>, LogError> {
        let log = match self.data_dirs.create_partition(id, Arc::clone(config)) {
            Err(LogError::Refused { code: ErrorCode::InconsistentTopicId, .. }) => {
                for stale in self.data_dirs.partitions() {
                    let stale = stale.id();
                    if stale.topic == id.topic && stale.partition == id.partition {
                        tracing::info!(partition = %stale, topic_id = %stale.topic_id, "remove the \
                            log of a topic that was deleted and made again");
                        self.data_dirs.delete_partition(stale.topic_id, stale.partition)?;
                    }
                }
                self.data_dirs.create_partition(id, Arc::clone(config))?
            }
            opened => opened?,
        };
        Ok(Partition::new(log, Arc::clone(&self.office)))
    }

    fn remove(&self, partition: &Partition<E>) -> Result<(), LogError> {
        self.delete(partition)?;
        partition.close(ErrorCode::NotLeaderOrFollower);
        Ok(())
    }

    /// What a directory holds that has failed is left there, a stray when it comes back.
    fn delete(&self, partition: &Partition<E>) -> Result<(), LogError> {
        match self.data_dirs.delete_partition(partition.topic_id(), partition.index()) {
            Err(LogError::Failed(_)) if partition.log.place() > 0 => Ok(()),
            outcome => outcome,
        }
    }

    /// Applies new settings to the partitions of a topic.
    pub(crate) fn configure(&self, topic_id: Uuid, settings: &TopicSettings) {
        let Some(topic) = self.topic_by_id(topic_id) else { return };
        for partition in topic.partitions() {
            partition.configure(settings);
        }
    }

    /// Forgets a topic, removes its logs, and sends those who wait for it away.
    pub(crate) fn remove_topic(&self, topic_id: Uuid) -> Result<Vec<Assigned<E>>, LogError> {
        let _changing = self.changing.lock();
        let Some(topic) = self.topic_by_id(topic_id) else { return Ok(Vec::new()) };
        let mut gone = Vec::new();
        for partition in topic.partitions() {
            self.delete(partition)?;
            gone.push(Assigned::Gone(Arc::clone(partition)));
        }
        self.topics.write().forget(topic_id);
        for partition in topic.partitions() {
            partition.close(ErrorCode::UnknownTopicOrPartition);
        }
        Ok(gone)
    }
}

impl<E: Env> Topics<E> {
    fn forget(&mut self, topic_id: Uuid) -> Option<Arc<Topic<E>>> {
        let topic = self.by_id.remove(&topic_id)?;
        // The name may belong to a successor already.
        if self.by_name.get(&topic.name).is_some_and(|named| named.id == topic_id) {
            self.by_name.remove(&topic.name);
        }
        Some(topic)
    }
}
