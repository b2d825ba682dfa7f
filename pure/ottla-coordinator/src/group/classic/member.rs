//! One member of a classic group. It owns no timer and answers nobody by itself.

use bytes::Bytes;
use ottla_protocol::Str;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;

use crate::command::Token;
use crate::group::metadata::GroupMember;

/// An assignor a member can live with, and what it tells the leader under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    pub name: Str,
    pub metadata: Bytes,
}

/// A member and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub member_id: Str,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Str>,
    pub client_id: Str,
    pub client_host: Str,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub protocol_type: Str,
    /// In the order of preference; each name once.
    pub protocols: Vec<Protocol>,
    pub assignment: Bytes,
    /// The parked JoinGroup.
    pub parked_join: Option<Token>,
    /// The parked SyncGroup.
    pub parked_sync: Option<Token>,
    /// It has not heard its member id yet, so it cannot send heartbeats.
    pub is_new: bool,
}

impl Member {
    /// What it said under `protocol`; nothing if it does not know it.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|p| p.name == *protocol);
        found.map(|p| p.metadata.clone()).unwrap_or_default()
    }

    /// Members that wait for the others are excused from heartbeats, except those nobody has told
    /// their id: they may be gone.
    pub(crate) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.parked_join.is_some() || self.parked_sync.is_some())
    }

    /// Its first choice among `candidates`.
    pub(crate) fn vote<'a>(&self, mut is_candidate: impl FnMut(&str) -> bool + 'a) -> Option<&Str> {
        self.protocols.iter().map(|p| &p.name).find(|name| is_candidate(name))
    }

    pub(crate) fn stored(&self, protocol: Option<&Str>, assignment: Bytes) -> GroupMember {
        GroupMember {
            member_id: self.member_id.clone(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: protocol.map(|p| self.metadata(p)).unwrap_or_default(),
            assignment,
        }
    }
}

/// Whether a member that joins again says what it said before, in the same order.
pub(crate) fn same_protocols(known: &[Protocol], asked: &[JoinGroupRequestProtocol]) -> bool {
    known.len() == asked.len()
        && known.iter().zip(asked).all(|(k, a)| k.name == a.name && k.metadata == a.metadata)
}

/// Copies the request's protocols out of its frame. A name given twice counts once, so that no
/// member votes twice.
pub(crate) fn protocols(asked: &[JoinGroupRequestProtocol]) -> Vec<Protocol> {
    let mut protocols: Vec<Protocol> = Vec::new();
    for protocol in asked {
        if protocols.iter().all(|p| p.name != protocol.name) {
            protocols.push(Protocol {
                name: protocol.name.detach(),
                metadata: Bytes::copy_from_slice(&protocol.metadata),
            });
        }
    }
    protocols
}
