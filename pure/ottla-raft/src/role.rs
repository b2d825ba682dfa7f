//! What a replica is to the quorum at one time. Only a follower can cut its log: no other role holds what that takes.

pub(crate) mod leader;

use crate::election::Tally;
use crate::offset::OffsetAndEpoch;
use crate::replica::{NodeId, ReplicaKey};

pub(crate) use leader::Leader;
pub use leader::{Progress, Replicas};

/// The roles of KIP-595 and KIP-996. The epoch, the leader and the vote stand in the election state.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    /// Knows no leader it could fetch from.
    Unattached {
        election_due_ms: i64,
    },
    /// Asks whether an election is worth it (a pre-vote), without disturbing anybody's epoch.
    Prospective {
        tally: Tally,
        election_due_ms: i64,
    },
    /// Asks for votes in a new epoch.
    Candidate {
        tally: Tally,
        election_due_ms: i64,
    },
    Leader(Box<Leader>),
    Follower(Follower),
    /// Led this epoch and does no more; never leads or votes in it again.
    Resigned {
        unacknowledged: Vec<NodeId>,
        successors: Vec<ReplicaKey>,
        election_due_ms: i64,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Follower {
    pub(crate) fetch_due_ms: i64,
    /// Has the leader ever answered? Until then a pre-vote may be granted (KIP-996).
    pub(crate) has_fetched: bool,
    /// What came instead of records: the leader's log no longer reaches that far back.
    pub(crate) copying: Option<Copying>,
    /// The leader told nothing new, and would at once tell it again: until then it is not asked.
    pub(crate) quiet_until_ms: Option<i64>,
}

/// A snapshot on its way to this replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copying {
    pub(crate) snapshot: OffsetAndEpoch,
    /// Bytes that are here.
    pub(crate) position: i64,
    /// All bytes are here; the driver checks and installs it.
    pub(crate) is_whole: bool,
}

/// For people and metrics; Kafka's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleName {
    Unattached,
    Prospective,
    Candidate,
    Leader,
    Follower,
    Resigned,
}

impl Role {
    pub(crate) fn name(&self) -> RoleName {
        match self {
            Self::Unattached { .. } => RoleName::Unattached,
            Self::Prospective { .. } => RoleName::Prospective,
            Self::Candidate { .. } => RoleName::Candidate,
            Self::Leader(_) => RoleName::Leader,
            Self::Follower(_) => RoleName::Follower,
            Self::Resigned { .. } => RoleName::Resigned,
        }
    }

    /// The timer of the role; a leader keeps its own.
    pub(crate) fn due_ms(&self) -> i64 {
        match self {
            Self::Unattached { election_due_ms }
            | Self::Prospective { election_due_ms, .. }
            | Self::Candidate { election_due_ms, .. }
            | Self::Resigned { election_due_ms, .. } => *election_due_ms,
            Self::Follower(follower) => follower.fetch_due_ms,
            Self::Leader(leader) => leader.due_ms(),
        }
    }
}
