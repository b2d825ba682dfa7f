//! Who of a group's members reads what: Kafka's client-side assignors, by their names on the wire.
//!
//! Pure: members and partition counts in, partitions by member out. Every partition of a subscribed
//! topic goes to exactly one member that subscribed to it.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::Str;

use crate::topic_partition::TopicPartition;

pub mod protocol;
mod range;
mod round_robin;
mod sticky;

/// How partitions are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assignor {
    /// Per topic, consecutive partitions to each member.
    Range,
    /// All partitions in turn.
    RoundRobin,
    /// Balanced, with as few moves as can be; members stop reading only what moves.
    CooperativeSticky,
}

/// A member and what it wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    pub id: Str,
    /// Of a static member: its place does not depend on the id it was given.
    pub instance_id: Option<Str>,
    pub topics: Vec<Str>,
    /// What it reads now.
    pub owned: Vec<TopicPartition>,
    /// In which generation it got that; the newest claim counts.
    pub generation: i32,
}

/// Partitions by member id.
pub type Assignment = BTreeMap<Str, Vec<TopicPartition>>;

impl Assignor {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
            Assignor::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The assignor of a name.
    pub fn from_name(name: &str) -> Option<Assignor> {
        [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky]
            .into_iter()
            .find(|assignor| assignor.name() == name)
    }

    /// Whether members keep what they have while a rebalance runs.
    pub fn is_cooperative(self) -> bool {
        self == Assignor::CooperativeSticky
    }

    /// Shares out all partitions of the subscribed topics. `counts` holds the topics that exist.
    pub fn assign(self, members: &[Member], counts: &BTreeMap<Str, i32>) -> Assignment {
        let mut assignment = match self {
            Assignor::Range => range::assign(members, counts),
            Assignor::RoundRobin => round_robin::assign(members, counts),
            Assignor::CooperativeSticky => sticky::assign(members, counts),
        };
        for member in members {
            assignment.entry(member.id.clone()).or_default().sort();
        }
        assignment
    }
}

/// Members in the order in which they are served: static ones by instance, the others after.
fn in_order<'a>(members: impl Iterator<Item = &'a Member>) -> Vec<&'a Member> {
    let mut members: Vec<&Member> = members.collect();
    members.sort_by(|one, other| order(one).cmp(&order(other)));
    members
}

fn order(member: &Member) -> (bool, &str) {
    match &member.instance_id {
        Some(instance) => (false, instance),
        None => (true, &member.id),
    }
}

/// The topics that somebody wants and that exist.
fn wanted_topics(members: &[Member], counts: &BTreeMap<Str, i32>) -> BTreeSet<Str> {
    let wanted = members.iter().flat_map(|member| &member.topics);
    wanted.filter(|topic| counts.contains_key(*topic)).cloned().collect()
}

#[cfg(test)]
mod tests;
