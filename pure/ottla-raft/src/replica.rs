//! Who takes part: a node, and the disk that makes it the replica it is (KIP-853).

use std::collections::BTreeMap;
use std::fmt;

use ottla_protocol::Uuid;

/// A `node.id`. Negative ones stand for bootstrap servers whose id is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub i32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A node together with its metadata log's directory: a node that lost its disk is another replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaKey {
    pub id: NodeId,
    /// `None` where the quorum is of `kraft.version` 0, which knows no directories.
    pub directory_id: Option<Uuid>,
}

impl ReplicaKey {
    /// A zero `directory_id` means that none was given.
    pub fn new(id: NodeId, directory_id: Uuid) -> Self {
        Self { id, directory_id: (directory_id != Uuid::ZERO).then_some(directory_id) }
    }

    /// Whether a message that names `named` means this replica: an unnamed directory means any.
    pub fn is_meant_by(&self, named: &ReplicaKey) -> bool {
        self.id == named.id
            && (named.directory_id.is_none() || named.directory_id == self.directory_id)
    }
}

/// Where a listener can be reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

/// A node's controller listeners by name. Empty where they are not known.
pub type Endpoints = BTreeMap<String, Endpoint>;
