//! `Placer`: which brokers get the replicas of new partitions. Racks in turn, and brokers within a
//! rack in turn, so that neighbours differ in both; brokers that are away only where the others do
//! not suffice, and never first. The rules of Kafka's striped placer.

use std::collections::BTreeMap;

use super::entropy::Entropy;
use crate::image::Broker;

/// Brokers of one rack in the order in which they are taken.
#[derive(Debug, Default)]
struct Ring {
    brokers: Vec<i32>,
    /// Taken for the partition at hand.
    taken: usize,
    start: usize,
    partition: usize,
}

impl Ring {
    fn begin(&mut self, entropy: &mut Entropy) {
        self.brokers.sort_unstable();
        if !self.brokers.is_empty() {
            self.start = entropy.below(self.brokers.len());
        }
    }

    /// The next broker for this partition, each once. Another partition begins one further on.
    fn next(&mut self, partition: usize) -> Option<i32> {
        let count = self.brokers.len();
        if count == 0 {
            return None;
        }
        if self.partition != partition {
            (self.partition, self.taken) = (partition, 0);
            self.start = (self.start + 1) % count;
        }
        if self.taken == count {
            return None;
        }
        self.taken += 1;
        Some(self.brokers[(self.start + self.taken - 1) % count])
    }
}

#[derive(Debug, Default)]
struct Rack {
    active: Ring,
    away: Ring,
}

/// See the module's first line.
#[derive(Debug)]
pub(super) struct Placer {
    racks: Vec<Rack>,
    /// The rack that the next partition begins with.
    first_rack: usize,
    /// Partitions since the racks were shuffled.
    partition: usize,
    pub(super) brokers: usize,
    pub(super) active_brokers: usize,
}

impl Placer {
    /// Brokers that are closed to new replicas take no part. One that is about to stop is away where
    /// `factor` cannot be reached without it: what is made during a restart need not be asked for
    /// again. Kafka refuses it until the broker has stopped, and counts it from then on.
    pub(super) fn new<'a>(
        brokers: impl Iterator<Item = &'a Broker>,
        factor: usize,
        entropy: &mut Entropy,
    ) -> Self {
        let open: Vec<&Broker> = brokers.filter(|broker| !broker.is_cordoned()).collect();
        let is_stopping = |broker: &Broker| broker.in_controlled_shutdown && !broker.fenced;
        let staying = open.iter().filter(|broker| !is_stopping(broker)).count();
        let mut racks: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
        let (mut count, mut active) = (0, 0);
        for broker in open {
            if is_stopping(broker) && factor <= staying {
                continue;
            }
            count += 1;
            let rack = racks.entry(broker.rack.as_deref()).or_default();
            if broker.is_active() {
                rack.active.brokers.push(broker.id);
                active += 1;
            } else {
                rack.away.brokers.push(broker.id);
            }
        }
        let mut racks: Vec<Rack> = racks.into_values().collect();
        for rack in &mut racks {
            rack.away.begin(entropy);
            rack.active.begin(entropy);
        }
        let first_rack = if racks.is_empty() { 0 } else { entropy.below(racks.len()) };
        Self { racks, first_rack, partition: 0, brokers: count, active_brokers: active }
    }

    /// The replicas of the next partition. There are `factor` brokers, and one of them is active.
    pub(super) fn place(&mut self, factor: usize, entropy: &mut Entropy) -> Vec<i32> {
        assert!(factor <= self.brokers && self.active_brokers > 0, "the caller checked");
        if self.partition == self.active_brokers && self.active_brokers > 1 {
            // Every start was used once: other neighbours from here on.
            self.shuffle(entropy);
            self.partition = 0;
        }
        let (count, partition) = (self.racks.len(), self.partition);
        let begin = self.first_rack % count;
        let mut replicas = Vec::with_capacity(factor);
        let mut leader_rack = None;
        for step in 0..count {
            let rack = (begin + step) % count;
            if let Some(leader) = self.racks[rack].active.next(partition) {
                replicas.push(leader);
                leader_rack = Some(rack);
                break;
            }
        }
        let mut rack = begin;
        while replicas.len() < factor {
            // The leader's rack had its turn in the first round.
            if leader_rack == Some(rack) {
                leader_rack = None;
            } else {
                let Rack { active, away } = &mut self.racks[rack];
                let next = active.next(partition).or_else(|| away.next(partition));
                replicas.extend(next);
            }
            rack = (rack + 1) % count;
        }
        self.partition += 1;
        self.first_rack = begin + 1;
        replicas
    }

    fn shuffle(&mut self, entropy: &mut Entropy) {
        shuffle(&mut self.racks, entropy);
        for rack in &mut self.racks {
            shuffle(&mut rack.away.brokers, entropy);
            shuffle(&mut rack.active.brokers, entropy);
        }
    }
}

fn shuffle<T>(items: &mut [T], entropy: &mut Entropy) {
    for last in (1..items.len()).rev() {
        items.swap(last, entropy.below(last + 1));
    }
}
