//! Topics by name and by id, with their partitions. Never holds two topics of one name.

use std::ops::Bound;
use std::sync::Arc;

use ottla_protocol::messages::{PartitionChangeRecord, PartitionRecord, TopicRecord};
use ottla_protocol::{Str, Uuid};

use super::index::PartitionIndex;
use super::{Ids, NO_LEADER, Partition, PartitionId, ReplayError};
use crate::shared_map::SharedMap;
use crate::topic_name;

#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    pub name: Str,
    pub id: Uuid,
    pub partitions: SharedMap<i32, Arc<Partition>>,
}

impl Topic {
    pub fn is_internal(&self) -> bool {
        topic_name::is_internal(&self.name)
    }

    /// Replicas of its first partition, which stand for the topic's replication factor.
    pub fn replication_factor(&self) -> usize {
        self.partitions.values().next().map_or(0, |partition| partition.replicas.len())
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Topics {
    by_id: SharedMap<Uuid, Arc<Topic>>,
    by_name: SharedMap<Str, Uuid>,
    /// Names with a `.` or `_`, under what metrics make of them.
    by_collision_key: SharedMap<Str, Vec<Str>>,
    partition_count: usize,
    index: PartitionIndex,
}

impl Topics {
    pub fn get(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_id.get(self.by_name.get(name)?)
    }

    pub fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    pub fn id_of(&self, name: &str) -> Option<Uuid> {
        self.by_name.get(name).copied()
    }

    pub fn partition(&self, id: Uuid, index: i32) -> Option<&Arc<Partition>> {
        self.by_id.get(&id)?.partitions.get(&index)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// In the order of names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values().filter_map(|id| self.by_id.get(id))
    }

    /// In the order of ids.
    pub fn by_ids(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_id.values()
    }

    /// The topics whose names are not below `name`, in the order of names.
    pub fn iter_from<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Arc<Topic>> {
        let from = self.by_name.iter_from(Bound::Included(name));
        from.filter_map(|(_, id)| self.by_id.get(id))
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Partitions of all topics together.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    pub fn led_by(&self, broker: i32) -> impl Iterator<Item = PartitionId> + '_ {
        self.index.led_by(broker)
    }

    pub fn led_count(&self, broker: i32) -> usize {
        self.index.led_count(broker)
    }

    pub fn without_leader(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.index.led_by(NO_LEADER)
    }

    /// What has this broker in its ISR.
    pub fn in_sync_of(&self, broker: i32) -> impl Iterator<Item = PartitionId> + '_ {
        self.index.in_sync_of(broker)
    }

    /// What has this broker among its eligible leader replicas (KIP-966).
    pub fn eligible_of(&self, broker: i32) -> impl Iterator<Item = PartitionId> + '_ {
        self.index.eligible_of(broker)
    }

    /// What is not led by its first replica.
    pub fn not_preferred(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.index.not_preferred()
    }

    pub fn has_not_preferred(&self) -> bool {
        self.index.has_not_preferred()
    }

    /// What has replicas on their way in or out (KIP-455).
    pub fn reassigning(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.index.reassigning()
    }

    /// A topic whose name metrics could not tell from this one.
    pub fn colliding(&self, name: &str) -> Option<&Str> {
        self.by_collision_key.get(&topic_name::collision_key(name)?)?.iter().min()
    }

    pub(super) fn add(&mut self, record: &TopicRecord) -> Result<(), ReplayError> {
        if self.by_name.contains_key(&record.name) || self.by_id.contains_key(&record.topic_id) {
            return Err(ReplayError::DuplicateTopic(record.name.to_string()));
        }
        // Detached: a name kept for years must not keep a request's frame alive.
        let name = record.name.detach();
        if let Some(key) = topic_name::collision_key(&name) {
            match self.by_collision_key.get_mut(&key) {
                Some(names) => names.push(name.clone()),
                None => drop(self.by_collision_key.insert(key, vec![name.clone()])),
            }
        }
        let topic = Topic { name: name.clone(), id: record.topic_id, partitions: SharedMap::new() };
        self.by_name.insert(name, record.topic_id);
        self.by_id.insert(record.topic_id, Arc::new(topic));
        Ok(())
    }

    pub(super) fn add_partition(&mut self, record: &PartitionRecord) -> Result<(), ReplayError> {
        let topic = self.topic_mut(record.topic_id)?;
        let partition = Arc::new(Partition::new(record));
        let before = topic.partitions.insert(record.partition_id, Arc::clone(&partition));
        if before.is_none() {
            self.partition_count += 1;
        }
        let id = PartitionId { topic_id: record.topic_id, partition: record.partition_id };
        self.index.follow(id, before.as_deref(), Some(&partition));
        Ok(())
    }

    pub(super) fn change_partition(
        &mut self,
        record: &PartitionChangeRecord,
    ) -> Result<(), ReplayError> {
        let topic = self.topic_mut(record.topic_id)?;
        let Some(partition) = topic.partitions.get_mut(&record.partition_id) else {
            let (topic, partition) = (topic.name.to_string(), record.partition_id);
            return Err(ReplayError::UnknownPartition { topic, partition });
        };
        let after = Arc::new(partition.merged(record));
        let before = std::mem::replace(partition, Arc::clone(&after));
        let id = PartitionId { topic_id: record.topic_id, partition: record.partition_id };
        self.index.follow(id, Some(&before), Some(&after));
        Ok(())
    }

    /// Forgets the eligible leader replicas of a topic, or of every topic where the name is empty.
    pub(super) fn clear_elr(&mut self, name: &str) -> Result<(), ReplayError> {
        let ids: Vec<Uuid> = match name {
            "" => self.by_id.keys().copied().collect(),
            name => vec![
                self.id_of(name).ok_or_else(|| ReplayError::UnknownTopicName(name.to_owned()))?,
            ],
        };
        for id in ids {
            let topic = self.topic_mut(id)?;
            let marked = |p: &Partition| {
                !p.eligible_leader_replicas.is_empty() || !p.last_known_elr.is_empty()
            };
            let indexes: Vec<i32> = topic
                .partitions
                .iter()
                .filter(|(_, partition)| marked(partition))
                .map(|(index, _)| *index)
                .collect();
            for index in indexes {
                let topic = self.topic_mut(id)?;
                let Some(partition) = topic.partitions.get_mut(&index) else { continue };
                let mut after = (**partition).clone();
                after.eligible_leader_replicas = Ids::new();
                after.last_known_elr = Ids::new();
                let after = Arc::new(after);
                let before = std::mem::replace(partition, Arc::clone(&after));
                let id = PartitionId { topic_id: id, partition: index };
                self.index.follow(id, Some(&before), Some(&after));
            }
        }
        Ok(())
    }

    /// Removes the topic and answers its name.
    pub(super) fn remove(&mut self, id: Uuid) -> Result<Str, ReplayError> {
        let topic = self.by_id.remove(&id).ok_or(ReplayError::UnknownTopic(id))?;
        self.by_name.remove(&topic.name);
        self.partition_count -= topic.partitions.len();
        for (index, partition) in topic.partitions.iter() {
            let id = PartitionId { topic_id: id, partition: *index };
            self.index.follow(id, Some(partition), None);
        }
        if let Some(key) = topic_name::collision_key(&topic.name)
            && let Some(names) = self.by_collision_key.get_mut(&key)
        {
            names.retain(|name| *name != topic.name);
            if names.is_empty() {
                self.by_collision_key.remove(&key);
            }
        }
        Ok(topic.name.clone())
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut Topic, ReplayError> {
        self.by_id.get_mut(&id).map(Arc::make_mut).ok_or(ReplayError::UnknownTopic(id))
    }
}
