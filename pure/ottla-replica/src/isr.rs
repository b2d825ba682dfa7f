//! The in-sync replicas of one partition: those the controller has noted, and those it was asked for.
//!
//! The maximal ISR is the union of both: whatever the controller decides, none of its members may be
//! left behind. So a record is committed only when all of them have it.

use ottla_plant::{Plant, planted};
use smallvec::SmallVec;

use crate::progress::NO_BROKER_EPOCH;

/// Ids of replicas; nearly always a handful.
pub type Ids = SmallVec<[i32; 5]>;

/// A replica in a certain life of its broker (KIP-903), -1 where that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub id: i32,
    pub broker_epoch: i64,
}

impl Member {
    /// A member of which no more than the id is known.
    pub fn bare(id: i32) -> Member {
        Member { id, broker_epoch: NO_BROKER_EPOCH }
    }
}

/// An ISR that the controller was asked for and has not decided on, as far as is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) members: SmallVec<[Member; 5]>,
    /// The question is to be put again then; nothing while it is on its way.
    pub(crate) again_ms: Option<i64>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isr {
    pub(crate) committed: Ids,
    pub(crate) pending: Option<Pending>,
}

impl Isr {
    pub(crate) fn new(committed: &[i32]) -> Isr {
        Isr { committed: Ids::from_slice(committed), pending: None }
    }

    /// The members the controller has noted.
    pub fn committed(&self) -> &[i32] {
        &self.committed
    }

    /// Whether the controller was asked for another.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether a replica has to have a record before it is committed.
    pub fn maximal_contains(&self, id: i32) -> bool {
        self.committed.contains(&id)
            || !planted(Plant::PendingIsrIgnored)
                && self.pending.as_ref().is_some_and(|p| p.members.iter().any(|m| m.id == id))
    }

    /// Everyone who has to have a record before it is committed.
    pub fn maximal(&self) -> Ids {
        let mut all = self.committed.clone();
        let asked = self.pending.iter().flat_map(|pending| &pending.members);
        all.extend(asked.map(|member| member.id).filter(|id| !self.committed.contains(id)));
        all
    }
}
