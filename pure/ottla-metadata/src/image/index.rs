//! Which partitions a broker leads, is in sync for, or may lead again, and which nobody leads. Kept
//! beside the topics, so that a broker's loss costs what it had, not what the cluster has.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::Uuid;

use super::{Ids, Partition};
use crate::shared_map::SharedMap;

/// One partition of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionId {
    pub topic_id: Uuid,
    pub partition: i32,
}

type Set = SharedMap<PartitionId, ()>;
/// A broker without partitions has no entry: equal images have equal indexes.
type SetByBroker = BTreeMap<i32, Arc<Set>>;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct PartitionIndex {
    /// Under [`super::NO_LEADER`] what nobody leads.
    led: SetByBroker,
    in_sync: SetByBroker,
    /// Eligible leader replicas (KIP-966).
    eligible: SetByBroker,
    /// Led, or not led, by another replica than the first.
    not_preferred: Set,
    reassigning: Set,
}

impl PartitionIndex {
    /// Follows one partition from what it was to what it is; either may be nothing.
    pub(super) fn follow(
        &mut self,
        id: PartitionId,
        before: Option<&Partition>,
        after: Option<&Partition>,
    ) {
        let leader = |p: &Partition| Ids::from(&[p.leader][..]);
        let isr = |p: &Partition| p.isr.clone();
        let eligible = |p: &Partition| p.eligible_leader_replicas.clone();
        move_between(&mut self.led, id, before.map(leader), after.map(leader));
        move_between(&mut self.in_sync, id, before.map(isr), after.map(isr));
        move_between(&mut self.eligible, id, before.map(eligible), after.map(eligible));
        mark(&mut self.not_preferred, id, after.is_some_and(|p| !p.has_preferred_leader()));
        mark(&mut self.reassigning, id, after.is_some_and(Partition::is_reassigning));
    }

    pub(super) fn led_by(&self, broker: i32) -> impl Iterator<Item = PartitionId> + '_ {
        members(self.led.get(&broker))
    }

    pub(super) fn led_count(&self, broker: i32) -> usize {
        self.led.get(&broker).map_or(0, |set| set.len())
    }

    pub(super) fn in_sync_of(&self, broker: i32) -> impl Iterator<Item = PartitionId> + '_ {
        members(self.in_sync.get(&broker))
    }

    pub(super) fn eligible_of(&self, broker: i32) -> impl Iterator<Item = PartitionId> + '_ {
        members(self.eligible.get(&broker))
    }

    pub(super) fn not_preferred(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.not_preferred.keys().copied()
    }

    pub(super) fn has_not_preferred(&self) -> bool {
        !self.not_preferred.is_empty()
    }

    pub(super) fn reassigning(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.reassigning.keys().copied()
    }
}

fn members(set: Option<&Arc<Set>>) -> impl Iterator<Item = PartitionId> + '_ {
    set.into_iter().flat_map(|set| set.keys().copied())
}

fn move_between(sets: &mut SetByBroker, id: PartitionId, before: Option<Ids>, after: Option<Ids>) {
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    for broker in before.iter().filter(|broker| !after.contains(broker)) {
        if let Some(set) = sets.get_mut(broker) {
            Arc::make_mut(set).remove(&id);
            if set.is_empty() {
                sets.remove(broker);
            }
        }
    }
    for broker in after.iter().filter(|broker| !before.contains(broker)) {
        Arc::make_mut(sets.entry(*broker).or_default()).insert(id, ());
    }
}

fn mark(set: &mut Set, id: PartitionId, is_in: bool) {
    match is_in {
        true if !set.contains_key(&id) => drop(set.insert(id, ())),
        true => {}
        false => drop(set.remove(&id)),
    }
}
