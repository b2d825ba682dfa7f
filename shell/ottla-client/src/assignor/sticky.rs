//! Balanced, and with as few moves as balance allows; a partition that moves pauses for a round.
//!
//! Cooperative: what one member still reads is not given to another in the same round. It is left
//! out, its owner lets go of it, and the next round gives it away.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::Str;

use super::{Assignment, Member, in_order, wanted_topics};
use crate::topic_partition::TopicPartition;

pub(super) fn assign(members: &[Member], counts: &BTreeMap<Str, i32>) -> Assignment {
    let owners = owners(members, counts);
    let mut plan = Plan::new(members, counts);
    for (partition, owner) in &owners {
        plan.give(partition.clone(), owner.clone());
    }
    plan.give_away_the_rest();
    plan.balance();
    let mut assignment = Assignment::new();
    for (partition, member) in plan.holder {
        let moves = owners.get(&partition).is_some_and(|owner| *owner != member);
        if !moves {
            assignment.entry(member).or_default().push(partition);
        }
    }
    assignment
}

/// Who rightly holds what now: of several claims the one of the newest generation; none if two
/// members claim it in the same one.
fn owners(members: &[Member], counts: &BTreeMap<Str, i32>) -> BTreeMap<TopicPartition, Str> {
    let mut claims: BTreeMap<&TopicPartition, (i32, Option<&Str>)> = BTreeMap::new();
    for member in in_order(members.iter()) {
        for partition in &member.owned {
            let exists = counts.get(&partition.topic).is_some_and(|n| partition.partition < *n);
            if !exists || !member.topics.contains(&partition.topic) {
                continue;
            }
            let claim = claims.entry(partition).or_insert((i32::MIN, None));
            if member.generation > claim.0 {
                *claim = (member.generation, Some(&member.id));
            } else if member.generation == claim.0 {
                claim.1 = None;
            }
        }
    }
    let rightful = claims.into_iter();
    rightful.filter_map(|(p, (_, owner))| Some((p.clone(), owner?.clone()))).collect()
}

struct Plan<'a> {
    members: Vec<&'a Member>,
    topics: BTreeSet<Str>,
    counts: &'a BTreeMap<Str, i32>,
    holder: BTreeMap<TopicPartition, Str>,
    load: BTreeMap<Str, usize>,
}

impl<'a> Plan<'a> {
    fn new(members: &'a [Member], counts: &'a BTreeMap<Str, i32>) -> Plan<'a> {
        Plan {
            members: in_order(members.iter()),
            topics: wanted_topics(members, counts),
            counts,
            holder: BTreeMap::new(),
            load: members.iter().map(|member| (member.id.clone(), 0)).collect(),
        }
    }

    fn give(&mut self, partition: TopicPartition, member: Str) {
        *self.load.entry(member.clone()).or_default() += 1;
        if let Some(before) = self.holder.insert(partition, member) {
            *self.load.entry(before).or_default() -= 1;
        }
    }

    /// The member with the least to do among those that want a topic.
    fn idlest(&self, topic: &Str) -> Option<(Str, usize)> {
        let takers = self.members.iter().filter(|member| member.topics.contains(topic));
        let loads = takers.map(|member| (&member.id, self.load[&member.id]));
        loads.min_by_key(|(_, load)| *load).map(|(id, load)| (id.clone(), load))
    }

    /// Topics that few want come first: the others can still even things out.
    fn give_away_the_rest(&mut self) {
        let takers = |topic: &Str| self.members.iter().filter(|m| m.topics.contains(topic)).count();
        let mut topics: Vec<(usize, Str)> =
            self.topics.iter().map(|topic| (takers(topic), topic.clone())).collect();
        topics.sort();
        for (_, topic) in topics {
            for index in 0..self.counts[&topic] {
                let partition = TopicPartition::new(topic.clone(), index);
                if self.holder.contains_key(&partition) {
                    continue;
                }
                if let Some((member, _)) = self.idlest(&topic) {
                    self.give(partition, member);
                }
            }
        }
    }

    /// Moves partitions from who has two or more above another that wants them, until none does.
    /// Each move lowers the sum of squares of the loads, so this ends.
    fn balance(&mut self) {
        loop {
            let mut moved = false;
            let held: Vec<TopicPartition> = self.holder.keys().cloned().collect();
            for partition in held {
                let load = self.load[&self.holder[&partition]];
                match self.idlest(&partition.topic) {
                    Some((member, least)) if load > least + 1 => {
                        self.give(partition, member);
                        moved = true;
                    }
                    _ => {}
                }
            }
            if !moved {
                return;
            }
        }
    }
}
