//! A classic group while it has members: who they are, what they agree on, who is awaited.
//! The transitions stand in the files beside this one.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ottla_protocol::Str;

use super::member::{Member, Protocol};
use super::state::State;
use super::subscription;
use crate::command::Token;
use crate::group::metadata::GroupMetadata;
use crate::now::Now;

/// Invariants: `leader` is a member whenever there are members; `static_members` maps exactly the
/// members that have an instance id; no member id is both pending and a member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassicGroup {
    pub(crate) group_id: Str,
    pub(crate) state: State,
    pub(crate) previous_state: State,
    pub(crate) state_timestamp_ms: Option<i64>,
    pub(crate) protocol_type: Option<Str>,
    pub(crate) protocol: Option<Str>,
    pub(crate) generation: i32,
    pub(crate) leader: Option<Str>,
    pub(crate) members: BTreeMap<Str, Member>,
    /// Instance id to member id.
    pub(crate) static_members: BTreeMap<Str, Str>,
    /// Ids given out with MEMBER_ID_REQUIRED and not used yet.
    pub(crate) pending_members: BTreeSet<Str>,
    /// Members of this generation that have not sent SyncGroup.
    pub(crate) pending_sync: BTreeSet<Str>,
    /// How many members support a protocol; only positive counts are kept.
    supported: BTreeMap<Str, usize>,
    parked_join: usize,
    /// A member came while the first rebalance was being delayed: it may be delayed further.
    pub(crate) new_member_added: bool,
    /// The delay that runs, and how much of the rebalance timeout is left after it.
    pub(crate) initial_delay: (i32, i32),
    /// Known for the protocol type `consumer`, if every subscription could be read.
    pub(crate) subscribed_topics: Option<BTreeSet<Str>>,
}

impl ClassicGroup {
    pub(crate) fn new(group_id: Str, now: Now) -> Self {
        Self { group_id, state_timestamp_ms: Some(now.wall_ms), ..Self::default() }
    }

    /// The group as its last record left it: at rest, or stable with everyone it had.
    pub(crate) fn from_metadata(group_id: Str, metadata: &GroupMetadata) -> Self {
        let mut group = Self {
            group_id,
            state: if metadata.members.is_empty() { State::Empty } else { State::Stable },
            state_timestamp_ms: metadata.state_timestamp_ms,
            protocol_type: metadata.protocol_type.clone(),
            protocol: metadata.protocol.clone(),
            generation: metadata.generation,
            leader: metadata.leader.clone(),
            ..Self::default()
        };
        for stored in &metadata.members {
            group.insert(Member {
                member_id: stored.member_id.clone(),
                instance_id: stored.instance_id.clone(),
                client_id: stored.client_id.clone(),
                client_host: stored.client_host.clone(),
                rebalance_timeout_ms: stored.rebalance_timeout_ms,
                session_timeout_ms: stored.session_timeout_ms,
                protocol_type: metadata.protocol_type.clone().unwrap_or_default(),
                protocols: vec![Protocol {
                    name: metadata.protocol.clone().unwrap_or_default(),
                    metadata: stored.subscription.clone(),
                }],
                assignment: stored.assignment.clone(),
                parked_join: None,
                parked_sync: None,
                is_new: false,
            });
        }
        if !group.leader.as_ref().is_none_or(|leader| group.members.contains_key(leader)) {
            group.leader = group.members.keys().next().cloned();
        }
        group.subscribed_topics = subscription::subscribed_topics(&group);
        group
    }

    /// What a record of this group says, each member with what `assignment` gives it.
    pub(crate) fn to_metadata(&self, assignment: impl Fn(&Member) -> Bytes) -> GroupMetadata {
        let members = self.members.values();
        GroupMetadata {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            generation: self.generation,
            leader: self.leader.clone(),
            state_timestamp_ms: self.state_timestamp_ms,
            members: members.map(|m| m.stored(self.protocol.as_ref(), assignment(m))).collect(),
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn generation(&self) -> i32 {
        self.generation
    }

    pub fn leader(&self) -> Option<&Str> {
        self.leader.as_ref()
    }

    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// Nobody is in it or about to be.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Empty && self.pending_members.is_empty()
    }

    pub(crate) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_ref().is_some_and(|leader| leader == member_id)
    }

    pub(crate) fn has_all_members_joined(&self) -> bool {
        self.members.len() == self.parked_join && self.pending_members.is_empty()
    }

    pub(crate) fn members_joined(&self) -> usize {
        self.parked_join
    }

    /// The longest any member needs to come back.
    pub(crate) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    pub(crate) fn transition(&mut self, now: Now, state: State) {
        assert!(state.may_follow(self.state), "{} cannot follow {}", state, self.state);
        self.previous_state = std::mem::replace(&mut self.state, state);
        self.state_timestamp_ms = Some(now.wall_ms);
    }

    /// Adds a member. The first one gives the group its protocol type; without a leader it leads.
    pub(crate) fn insert(&mut self, member: Member) {
        if self.members.is_empty() {
            self.protocol_type = Some(member.protocol_type.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.member_id.clone());
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.member_id.clone());
        }
        self.pending_members.remove(&member.member_id);
        self.parked_join += usize::from(member.parked_join.is_some());
        self.count_protocols(&member.protocols);
        self.members.insert(member.member_id.clone(), member);
    }

    /// Removes a member or a pending one. Another member leads if it was the leader.
    pub(crate) fn remove(&mut self, member_id: &str) -> Option<Member> {
        let removed = self.members.remove(member_id);
        if let Some(member) = &removed {
            self.discount_protocols(&member.protocols);
            self.parked_join -= usize::from(member.parked_join.is_some());
            if let Some(instance_id) = &member.instance_id {
                self.static_members.remove(instance_id);
            }
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_members.remove(member_id);
        self.pending_sync.remove(member_id);
        removed
    }

    /// Parks a JoinGroup of a member and takes over what it said. The token of an earlier one that
    /// was still parked comes back: nobody waits for that answer any more.
    pub(crate) fn update_member(&mut self, member_id: &str, update: Update) -> Option<Token> {
        let member = self.members.get_mut(member_id)?;
        let earlier = member.parked_join.replace(update.token);
        self.parked_join += usize::from(earlier.is_none());
        member.rebalance_timeout_ms = update.rebalance_timeout_ms;
        member.session_timeout_ms = update.session_timeout_ms;
        let before = std::mem::replace(&mut member.protocols, update.protocols.clone());
        self.discount_protocols(&before);
        self.count_protocols(&update.protocols);
        earlier
    }

    /// The parked JoinGroup of a member, to be answered now.
    pub(crate) fn take_join(&mut self, member_id: &str) -> Option<Token> {
        let token = self.members.get_mut(member_id)?.parked_join.take()?;
        self.parked_join -= 1;
        Some(token)
    }

    /// Whether a member of this kind could take part.
    pub(crate) fn supports<'a>(
        &self,
        protocol_type: &str,
        mut names: impl Iterator<Item = &'a Str>,
    ) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && names.next().is_some();
        }
        self.protocol_type.as_ref().is_some_and(|known| known == protocol_type)
            && names.any(|name| self.supported_by_all(name))
    }

    /// Each member votes for its first choice among what all know; the leader's order breaks a tie.
    pub(crate) fn select_protocol(&self) -> Option<Str> {
        let mut votes: BTreeMap<&Str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(name) = member.vote(|name| self.supported_by_all(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader))?;
        leader.vote(|name| votes.get(&Str::copy_from(name)) == Some(&most)).cloned()
    }

    fn supported_by_all(&self, name: &str) -> bool {
        self.supported.get(name).copied().unwrap_or(0) == self.members.len()
    }

    fn count_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            *self.supported.entry(protocol.name.clone()).or_default() += 1;
        }
    }

    fn discount_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            if let Some(count) = self.supported.get_mut(&protocol.name) {
                *count -= 1;
                if *count == 0 {
                    self.supported.remove(&protocol.name);
                }
            }
        }
    }
}

/// What a member that joins again brings along.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) token: Token,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    pub(crate) protocols: Vec<Protocol>,
}
