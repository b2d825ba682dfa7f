//! The voters, and how they changed along the log (KIP-853): the newest set counts, committed or not.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::replica::{Endpoint, Endpoints, NodeId, ReplicaKey};

/// One voter as the log knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    pub key: ReplicaKey,
    pub endpoints: Endpoints,
    /// The `kraft.version`s it can speak, lowest and highest.
    pub kraft_versions: (i16, i16),
}

/// A set of voters, each id once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VoterSet(BTreeMap<NodeId, Voter>);

impl VoterSet {
    pub fn new(voters: impl IntoIterator<Item = Voter>) -> Self {
        Self(voters.into_iter().map(|voter| (voter.key.id, voter)).collect())
    }

    pub fn ids(&self) -> BTreeSet<NodeId> {
        self.0.keys().copied().collect()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Voter> {
        self.0.values()
    }

    pub fn get(&self, id: NodeId) -> Option<&Voter> {
        self.0.get(&id)
    }

    /// Whether `replica` votes: a set that knows no directory of it takes the id's word.
    pub fn contains(&self, replica: &ReplicaKey) -> bool {
        self.get(replica.id).is_some_and(|voter| {
            voter.key.directory_id.is_none() || voter.key.directory_id == replica.directory_id
        })
    }

    pub fn is_only(&self, replica: &ReplicaKey) -> bool {
        self.len() == 1 && self.contains(replica)
    }

    /// Empty where `id` is no voter.
    pub fn endpoints(&self, id: NodeId) -> Endpoints {
        self.get(id).map(|voter| voter.endpoints.clone()).unwrap_or_default()
    }

    pub fn endpoint(&self, id: NodeId, listener: &str) -> Option<&Endpoint> {
        self.get(id)?.endpoints.get(listener)
    }

    /// With `voter`, unless a voter of its id is in already.
    pub fn with(&self, voter: Voter) -> Option<Self> {
        let mut changed = self.clone();
        match changed.0.insert(voter.key.id, voter) {
            None => Some(changed),
            Some(_) => None,
        }
    }

    /// Without `replica`, unless it is not in, or is the last one.
    pub fn without(&self, replica: &ReplicaKey) -> Option<Self> {
        if !self.contains(replica) || self.len() == 1 {
            return None;
        }
        let mut changed = self.clone();
        changed.0.remove(&replica.id);
        Some(changed)
    }

    /// With `voter`'s endpoints and versions instead of those known, if that replica votes.
    pub fn with_updated(&self, voter: Voter) -> Option<Self> {
        if !self.contains(&voter.key) {
            return None;
        }
        let mut changed = self.clone();
        changed.0.insert(voter.key.id, voter);
        Some(changed)
    }

    /// One set follows the other safely only if any two majorities of theirs meet: they differ by one voter at most.
    pub fn overlaps(&self, other: &Self) -> bool {
        let keys = |set: &Self| set.0.values().map(|voter| voter.key).collect::<BTreeSet<_>>();
        let (ours, theirs) = (keys(self), keys(other));
        ours.difference(&theirs).count() <= 1 && theirs.difference(&ours).count() <= 1
    }
}

/// The voter sets along the log. Below them all stands the static one of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VoterHistory {
    fixed: VoterSet,
    /// By the offset of the record that set them, ascending.
    by_offset: Vec<(i64, VoterSet)>,
}

impl VoterHistory {
    pub(crate) fn new(fixed: VoterSet) -> Self {
        Self { fixed, by_offset: Vec::new() }
    }

    pub(crate) fn latest(&self) -> &VoterSet {
        self.by_offset.last().map_or(&self.fixed, |(_, set)| set)
    }

    /// The set that the latest one followed.
    pub(crate) fn before_latest(&self) -> Option<&VoterSet> {
        let before = self.by_offset.len().checked_sub(2)?;
        self.by_offset.get(before).map(|(_, set)| set)
    }

    /// The offset of the record that holds the latest set; `None` for the configured one.
    pub(crate) fn latest_offset(&self) -> Option<i64> {
        self.by_offset.last().map(|(offset, _)| *offset)
    }

    /// The set in force below `offset`, if the log holds one.
    pub(crate) fn at(&self, offset: i64) -> Option<&VoterSet> {
        self.by_offset.iter().rev().find(|(at, _)| *at < offset).map(|(_, set)| set)
    }

    /// The log begins anew, with a snapshot in which this set stands, if any.
    pub(crate) fn restart(&mut self, set: Option<(i64, VoterSet)>) {
        self.by_offset = Vec::from_iter(set);
    }

    pub(crate) fn add(&mut self, offset: i64, set: VoterSet) {
        assert!(self.latest_offset().is_none_or(|last| last < offset), "voters along the log");
        self.by_offset.push((offset, set));
    }

    /// The log was cut: sets at `offset` and above never were.
    pub(crate) fn truncate(&mut self, offset: i64) {
        self.by_offset.retain(|(at, _)| *at < offset);
    }
}

#[cfg(test)]
mod tests;
