//! Leadership over brokers: another replica is put first, nothing is copied. Where no direct exchange
//! helps, a chain of them does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::View;
use crate::image::PartitionId;

/// What each broker should lead.
type Led = BTreeMap<i32, BTreeSet<PartitionId>>;

/// One exchange: the partition is led by `to` from here on.
struct Step {
    id: PartitionId,
    from: i32,
    to: i32,
}

pub(super) fn spread(view: &mut View) {
    let mut led: Led = view.takers().map(|id| (id, BTreeSet::new())).collect();
    for (id, replicas) in &view.partitions {
        if let Some(set) = replicas.first().and_then(|first| led.get_mut(first)) {
            set.insert(*id);
        }
    }
    // A broker that may not take replicas should lead nothing either, where another can.
    let ids: Vec<PartitionId> = view.partitions.keys().copied().collect();
    for id in ids {
        let replicas = &view.partitions[&id];
        let first = replicas.first();
        if first.is_none_or(|first| led.contains_key(first) || !view.is_leaving(*first)) {
            continue;
        }
        let takers = replicas.iter().filter(|id| led.contains_key(id));
        if let Some(to) = takers.min_by_key(|to| (led[to].len(), **to)).copied() {
            lead(view, &mut led, &Step { id, from: replicas[0], to });
        }
    }
    while let Some(chain) = better_chain(view, &led) {
        for step in &chain {
            lead(view, &mut led, step);
        }
    }
}

fn lead(view: &mut View, led: &mut Led, step: &Step) {
    if let Some(replicas) = view.partitions.get_mut(&step.id)
        && let Some(at) = replicas.iter().position(|id| *id == step.to)
    {
        replicas.swap(0, at);
    }
    if let Some(set) = led.get_mut(&step.from) {
        set.remove(&step.id);
    }
    led.entry(step.to).or_default().insert(step.id);
}

/// Exchanges that take one from a broker that leads at least two more than the one that gets it; what
/// stands between keeps its number.
fn better_chain(view: &View, led: &Led) -> Option<Vec<Step>> {
    let mut givers: Vec<i32> = led.keys().copied().collect();
    givers.sort_by_key(|id| (std::cmp::Reverse(led[id].len()), *id));
    let least = givers.last().map_or(0, |id| led[id].len());
    for giver in givers {
        if led[&giver].len() < least + 2 {
            return None;
        }
        let chain = chain_from(view, led, giver);
        if chain.is_some() {
            return chain;
        }
    }
    None
}

/// Breadth first over brokers: an edge is a partition that one leads and the other is a replica of.
fn chain_from(view: &View, led: &Led, giver: i32) -> Option<Vec<Step>> {
    let mut came: BTreeMap<i32, (i32, PartitionId)> = BTreeMap::new();
    let mut waiting = VecDeque::from([giver]);
    while let Some(from) = waiting.pop_front() {
        for id in &led[&from] {
            for to in view.partitions[id].iter().skip(1) {
                if *to == giver || came.contains_key(to) || !led.contains_key(to) {
                    continue;
                }
                came.insert(*to, (from, *id));
                if led[to].len() + 2 <= led[&giver].len() {
                    return Some(walk_back(&came, giver, *to));
                }
                waiting.push_back(*to);
            }
        }
    }
    None
}

fn walk_back(came: &BTreeMap<i32, (i32, PartitionId)>, giver: i32, taker: i32) -> Vec<Step> {
    let mut chain = Vec::new();
    let mut to = taker;
    while to != giver {
        let (from, id) = came[&to];
        chain.push(Step { id, from, to });
        to = from;
    }
    chain
}
