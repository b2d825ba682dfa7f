//! Committed offsets of every group of a shard, those of open transactions apart. Never decides, only holds.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::{Str, Uuid};

/// One committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Where its record stands in the shard's log; the later record wins over an earlier one.
    pub record_offset: i64,
    pub offset: i64,
    /// -1: unknown.
    pub leader_epoch: i32,
    pub metadata: Str,
    pub commit_timestamp_ms: i64,
    /// Only old clients gave one.
    pub expire_timestamp_ms: Option<i64>,
    /// The topic this was committed for; zero where the record does not say.
    pub topic_id: Uuid,
}

/// Offsets of one group: by topic, then by partition.
pub type TopicOffsets = BTreeMap<Str, BTreeMap<i32, CommittedOffset>>;

/// Offsets of many groups. Empty maps are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupOffsets {
    groups: BTreeMap<Str, TopicOffsets>,
}

impl GroupOffsets {
    pub fn of_group(&self, group: &str) -> Option<&TopicOffsets> {
        self.groups.get(group)
    }

    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.groups.get(group)?.get(topic)?.get(&partition)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Str, &TopicOffsets)> {
        self.groups.iter()
    }

    /// Keeps copies of the names only where they are new, so that no frame or log chunk stays alive.
    fn put(
        &mut self,
        group: &Str,
        topic: &Str,
        partition: i32,
        offset: CommittedOffset,
    ) -> Option<CommittedOffset> {
        if !self.groups.contains_key(group) {
            self.groups.insert(group.detach(), TopicOffsets::new());
        }
        let topics = self.groups.get_mut(group).expect("inserted above");
        if !topics.contains_key(topic) {
            topics.insert(topic.detach(), BTreeMap::new());
        }
        topics.get_mut(topic).expect("inserted above").insert(partition, offset)
    }

    fn remove(&mut self, group: &str, topic: &str, partition: i32) -> Option<CommittedOffset> {
        let topics = self.groups.get_mut(group)?;
        let partitions = topics.get_mut(topic)?;
        let removed = partitions.remove(&partition);
        if partitions.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.groups.remove(group);
        }
        removed
    }
}

/// All offsets of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offsets {
    committed: GroupOffsets,
    /// How many of the committed offsets belong to a topic, by its name and id. Only positive counts.
    topics: BTreeMap<(Str, Uuid), usize>,
    /// By producer id: written inside a transaction whose end has not been seen.
    pending: BTreeMap<i64, GroupOffsets>,
    /// The producers that have pending offsets, by group.
    open_transactions: BTreeMap<Str, BTreeSet<i64>>,
}

impl Offsets {
    pub fn committed(&self) -> &GroupOffsets {
        &self.committed
    }

    /// The topics that anything is committed for. An id of zero: the record does not say.
    pub fn topics(&self) -> impl Iterator<Item = &(Str, Uuid)> {
        self.topics.keys()
    }

    pub fn pending(&self) -> impl Iterator<Item = &GroupOffsets> {
        self.pending.values()
    }

    /// What open transactions hold for `group`.
    pub fn pending_of_group(&self, group: &str) -> impl Iterator<Item = &TopicOffsets> {
        let producers = self.open_transactions.get(group).into_iter().flatten();
        producers.filter_map(|id| self.pending.get(id)).filter_map({
            let group = group.to_owned();
            move |offsets| offsets.of_group(&group)
        })
    }

    pub fn has_open_transactions(&self, group: &str) -> bool {
        self.open_transactions.contains_key(group)
    }

    pub fn is_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.pending_of_group(group)
            .any(|topics| topics.get(topic).is_some_and(|p| p.contains_key(&partition)))
    }

    pub(crate) fn commit(
        &mut self,
        group: &Str,
        topic: &Str,
        partition: i32,
        offset: CommittedOffset,
    ) {
        *self.topics.entry((topic.detach(), offset.topic_id)).or_default() += 1;
        if let Some(former) = self.committed.put(group, topic, partition, offset) {
            self.discount(topic, former.topic_id);
        }
    }

    fn discount(&mut self, topic: &str, topic_id: Uuid) {
        let key = (Str::copy_from(topic), topic_id);
        if let Some(count) = self.topics.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.topics.remove(&key);
            }
        }
    }

    pub(crate) fn commit_pending(
        &mut self,
        producer_id: i64,
        (group, topic, partition): (&Str, &Str, i32),
        offset: CommittedOffset,
    ) {
        self.pending.entry(producer_id).or_default().put(group, topic, partition, offset);
        self.open_transactions.entry(group.detach()).or_default().insert(producer_id);
    }

    /// A tombstone speaks for the committed offset and for every pending one.
    pub(crate) fn remove(&mut self, group: &str, topic: &str, partition: i32) {
        if let Some(removed) = self.committed.remove(group, topic, partition) {
            self.discount(topic, removed.topic_id);
        }
        for producer_id in self.open_transactions.get(group).into_iter().flatten() {
            if let Some(pending) = self.pending.get_mut(producer_id) {
                pending.remove(group, topic, partition);
            }
        }
    }

    /// Moves what the producer's transaction wrote to the committed offsets, or drops it. An offset
    /// committed later in the log stays.
    pub(crate) fn end_transaction(&mut self, producer_id: i64, commit: bool) {
        let open = std::mem::take(&mut self.open_transactions);
        self.open_transactions = open
            .into_iter()
            .filter_map(|(group, mut producers)| {
                producers.remove(&producer_id);
                (!producers.is_empty()).then_some((group, producers))
            })
            .collect();
        let Some(pending) = self.pending.remove(&producer_id) else { return };
        if !commit {
            return;
        }
        for (group, topics) in pending.groups {
            for (topic, partitions) in topics {
                for (partition, offset) in partitions {
                    let committed = self.committed.get(&group, &topic, partition);
                    if committed.is_none_or(|c| c.record_offset < offset.record_offset) {
                        self.commit(&group, &topic, partition, offset);
                    }
                }
            }
        }
    }
}
