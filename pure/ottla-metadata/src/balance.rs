//! Balance: which replicas should move so that brokers and racks carry the same, and a broker that is
//! to leave carries nothing. Proposes; changes nothing, and knows no cluster but the view it is given.
//!
//! Four passes, each of which ends only where it finds nothing better: brokers that leave are emptied,
//! replicas spread over racks, over brokers, and then leadership is spread by putting another replica
//! first. Every step keeps the number of replicas and never puts more of them into one rack, and every
//! step lowers a sum of squares, so a cluster that was balanced stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::Str;

use crate::image::{MetadataImage, PartitionId};

mod leaders;
mod spread;

/// What a balance is made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Every broker that is registered.
    pub brokers: BTreeMap<i32, BrokerView>,
    /// The replicas of each partition, the one that should lead first.
    pub partitions: BTreeMap<PartitionId, Vec<i32>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerView {
    pub rack: Option<Str>,
    /// It is up, and may get replicas.
    pub takes_replicas: bool,
    /// Whatever it has must go.
    pub is_leaving: bool,
}

/// A reassignment that is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub partition: PartitionId,
    /// All replicas, the one that should lead first.
    pub replicas: Vec<i32>,
    /// Replicas that have to be copied; 0 where only the order changes.
    pub copies: usize,
}

impl View {
    /// The cluster as it is, or will be when the reassignments under way are done.
    pub fn of(image: &MetadataImage, leaving: &BTreeSet<i32>) -> Self {
        let brokers = image.brokers.iter().map(|broker| {
            let is_leaving = leaving.contains(&broker.id);
            let takes_replicas = broker.is_active() && !broker.is_cordoned() && !is_leaving;
            (broker.id, BrokerView { rack: broker.rack.clone(), takes_replicas, is_leaving })
        });
        let mut partitions = BTreeMap::new();
        for topic in image.topics.iter() {
            for (index, partition) in topic.partitions.iter() {
                let stays = |id: &&i32| !partition.removing_replicas.contains(id);
                let replicas = partition.replicas.iter().filter(stays).copied().collect();
                let id = PartitionId { topic_id: topic.id, partition: *index };
                partitions.insert(id, replicas);
            }
        }
        Self { brokers: brokers.collect(), partitions }
    }

    fn rack(&self, broker: i32) -> Option<&Str> {
        self.brokers.get(&broker)?.rack.as_ref()
    }

    fn takers(&self) -> impl Iterator<Item = i32> + '_ {
        self.brokers.iter().filter(|(_, broker)| broker.takes_replicas).map(|(id, _)| *id)
    }

    fn is_leaving(&self, broker: i32) -> bool {
        self.brokers.get(&broker).is_some_and(|broker| broker.is_leaving)
    }

    /// Replicas that share their rack with one before them. No step makes this more.
    fn crowding(&self, replicas: &[i32]) -> usize {
        let mut racks: Vec<_> = replicas.iter().map(|id| self.rack(*id)).collect();
        racks.sort_unstable();
        racks.dedup();
        replicas.len() - racks.len()
    }
}

/// What should move, leaving brokers first. At most `copies_max` replicas are copied: the rest is
/// proposed when it is asked again.
pub fn propose(view: &View, copies_max: usize) -> Vec<Move> {
    let mut next = view.clone();
    spread::empty_leaving(&mut next);
    spread::over_racks(&mut next);
    spread::over_brokers(&mut next);
    leaders::spread(&mut next);
    let mut moves: Vec<Move> = next
        .partitions
        .into_iter()
        .filter_map(|(partition, replicas)| {
            let before = &view.partitions[&partition];
            let copies = replicas.iter().filter(|id| !before.contains(id)).count();
            (replicas != *before).then_some(Move { partition, replicas, copies })
        })
        .collect();
    let empties = |proposed: &Move| {
        let before = &view.partitions[&proposed.partition];
        before.iter().any(|id| view.is_leaving(*id))
    };
    moves.sort_by_key(|proposed| !empties(proposed));
    let mut copies = 0;
    moves.retain(|proposed| {
        // The first goes in any case: a limit below one partition's replicas must not stop it all.
        let fits = copies == 0 || copies + proposed.copies <= copies_max;
        let keep = proposed.copies == 0 || fits;
        copies += if keep { proposed.copies } else { 0 };
        keep
    });
    moves
}

#[cfg(test)]
mod tests;
