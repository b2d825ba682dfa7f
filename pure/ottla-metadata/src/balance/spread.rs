//! Replicas over racks and brokers. Looks at no leader: a replica that moves keeps its place in the
//! list.

use std::collections::{BTreeMap, BTreeSet};

use super::View;
use crate::image::PartitionId;

/// What each broker has: how many, and which.
struct Load {
    of: BTreeMap<i32, BTreeSet<PartitionId>>,
}

impl Load {
    fn of(view: &View) -> Self {
        let mut of: BTreeMap<i32, BTreeSet<PartitionId>> =
            view.takers().map(|id| (id, BTreeSet::new())).collect();
        for (id, replicas) in &view.partitions {
            for broker in replicas {
                of.entry(*broker).or_default().insert(*id);
            }
        }
        Self { of }
    }

    fn count(&self, broker: i32) -> usize {
        self.of.get(&broker).map_or(0, BTreeSet::len)
    }

    fn moved(&mut self, id: PartitionId, from: i32, to: i32) {
        self.of.entry(from).or_default().remove(&id);
        self.of.entry(to).or_default().insert(id);
    }
}

/// Puts `to` where `from` stood.
fn replaced(replicas: &[i32], from: i32, to: i32) -> Vec<i32> {
    replicas.iter().map(|id| if *id == from { to } else { *id }).collect()
}

/// The broker with the least that may take the place of `from`, in a rack of its own if there is one.
fn best(view: &View, load: &Load, replicas: &[i32], from: i32) -> Option<i32> {
    let takers = view.takers().filter(|id| !replicas.contains(id));
    takers.min_by_key(|to| (view.crowding(&replaced(replicas, from, *to)), load.count(*to), *to))
}

/// Moves everything off the brokers that leave, as far as there is anybody to take it.
pub(super) fn empty_leaving(view: &mut View) {
    let mut load = Load::of(view);
    let leaving: Vec<i32> =
        view.brokers.iter().filter(|(_, b)| b.is_leaving).map(|(id, _)| *id).collect();
    for from in leaving {
        let held: Vec<PartitionId> = load.of.get(&from).into_iter().flatten().copied().collect();
        for id in held {
            let replicas = &view.partitions[&id];
            let Some(to) = best(view, &load, replicas, from) else { continue };
            let next = replaced(replicas, from, to);
            view.partitions.insert(id, next);
            load.moved(id, from, to);
        }
    }
}

/// Replicas that share a rack move to one that has none of the partition.
pub(super) fn over_racks(view: &mut View) {
    let mut load = Load::of(view);
    let ids: Vec<PartitionId> = view.partitions.keys().copied().collect();
    for id in ids {
        while let Some((from, to)) = less_crowded(view, &load, &view.partitions[&id]) {
            let next = replaced(&view.partitions[&id], from, to);
            view.partitions.insert(id, next);
            load.moved(id, from, to);
        }
    }
}

/// The exchange that leaves fewer replicas in shared racks, the fullest broker giving first.
fn less_crowded(view: &View, load: &Load, replicas: &[i32]) -> Option<(i32, i32)> {
    let crowding = view.crowding(replicas);
    if crowding == 0 {
        return None;
    }
    let mut givers: Vec<i32> = replicas.to_vec();
    givers.sort_by_key(|id| (std::cmp::Reverse(load.count(*id)), *id));
    givers.into_iter().find_map(|from| {
        let to = best(view, load, replicas, from)?;
        (view.crowding(&replaced(replicas, from, to)) < crowding).then_some((from, to))
    })
}

/// Moves replicas from fuller brokers to emptier ones until no two differ by more than one, or only
/// the racks stand in the way.
pub(super) fn over_brokers(view: &mut View) {
    let mut load = Load::of(view);
    while let Some((id, from, to)) = next_exchange(view, &load) {
        let next = replaced(&view.partitions[&id], from, to);
        view.partitions.insert(id, next);
        load.moved(id, from, to);
    }
}

fn next_exchange(view: &View, load: &Load) -> Option<(PartitionId, i32, i32)> {
    let mut brokers: Vec<i32> = view.takers().collect();
    brokers.sort_by_key(|id| (load.count(*id), *id));
    for from in brokers.iter().rev() {
        let emptier = brokers.iter().take_while(|to| load.count(**to) + 2 <= load.count(*from));
        for to in emptier {
            let movable = load.of[from].iter().find(|id| {
                let replicas = &view.partitions[id];
                !replicas.contains(to)
                    && view.crowding(&replaced(replicas, *from, *to)) <= view.crowding(replicas)
            });
            if let Some(id) = movable {
                return Some((*id, *from, *to));
            }
        }
    }
    None
}
