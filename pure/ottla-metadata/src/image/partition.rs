//! One partition's registration: who has it, who leads it, and since which change.

use ottla_protocol::Uuid;
use ottla_protocol::messages::{PartitionChangeRecord, PartitionRecord};
use smallvec::SmallVec;

use super::directory;
use super::ids::Ids;

/// The leader of a partition that has none.
pub const NO_LEADER: i32 = -1;
/// The leader in a change that does not touch it.
pub const NO_LEADER_CHANGE: i32 = -2;
/// The recovery state in a change that does not touch it.
pub const NO_RECOVERY_CHANGE: i8 = -1;
/// The leader has every committed record.
pub const RECOVERED: i8 = 0;
/// The leader was elected uncleanly and must repair what that left behind (KIP-704).
pub const RECOVERING: i8 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    pub replicas: Ids,
    /// The log directory of each replica, in the order of `replicas`.
    pub directories: SmallVec<[Uuid; 1]>,
    pub isr: Ids,
    pub removing_replicas: Ids,
    pub adding_replicas: Ids,
    pub eligible_leader_replicas: Ids,
    pub last_known_elr: Ids,
    pub leader: i32,
    /// [`RECOVERED`] or [`RECOVERING`].
    pub leader_recovery_state: i8,
    /// Grows with every change of leader.
    pub leader_epoch: i32,
    /// Grows with every change of anything.
    pub partition_epoch: i32,
}

impl Partition {
    /// Whether a replica may be elected as it is: it has all that is committed.
    pub fn may_lead(&self, id: i32) -> bool {
        self.isr.contains(&id) || self.eligible_leader_replicas.contains(&id)
    }

    pub(super) fn new(record: &PartitionRecord) -> Self {
        let or_none = |list: &Option<Vec<i32>>| Ids::from(list.as_deref().unwrap_or_default());
        Self {
            replicas: record.replicas[..].into(),
            directories: directory::one_each(&record.directories, record.replicas.len()),
            isr: record.isr[..].into(),
            removing_replicas: record.removing_replicas[..].into(),
            adding_replicas: record.adding_replicas[..].into(),
            eligible_leader_replicas: or_none(&record.eligible_leader_replicas),
            last_known_elr: or_none(&record.last_known_elr),
            leader: record.leader,
            leader_recovery_state: record.leader_recovery_state,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        }
    }

    /// What the partition is after the change. Naming a leader makes a new leader epoch even where
    /// the leader stays the same.
    pub(crate) fn merged(&self, change: &PartitionChangeRecord) -> Self {
        let mut next = self.clone();
        next.partition_epoch += 1;
        if change.leader != NO_LEADER_CHANGE {
            next.leader = change.leader;
            next.leader_epoch += 1;
        }
        if change.leader_recovery_state != NO_RECOVERY_CHANGE {
            next.leader_recovery_state = change.leader_recovery_state;
        }
        let lists = [
            (&mut next.replicas, &change.replicas),
            (&mut next.isr, &change.isr),
            (&mut next.removing_replicas, &change.removing_replicas),
            (&mut next.adding_replicas, &change.adding_replicas),
            (&mut next.eligible_leader_replicas, &change.eligible_leader_replicas),
            (&mut next.last_known_elr, &change.last_known_elr),
        ];
        for (list, changed) in lists {
            if let Some(changed) = changed {
                *list = changed[..].into();
            }
        }
        if let Some(directories) = &change.directories {
            next.directories = directories[..].into();
        }
        next.directories = directory::one_each(&next.directories, next.replicas.len());
        next
    }

    pub fn has_leader(&self) -> bool {
        self.leader != NO_LEADER
    }

    /// The first replica leads, as it should where nothing is wrong.
    pub fn has_preferred_leader(&self) -> bool {
        self.replicas.first() == Some(&self.leader)
    }

    /// Replicas are on their way in or out (KIP-455).
    pub fn is_reassigning(&self) -> bool {
        !self.removing_replicas.is_empty() || !self.adding_replicas.is_empty()
    }

    /// The log directory the broker keeps its replica in; nothing where it has none.
    pub fn directory(&self, broker: i32) -> Option<Uuid> {
        let at = self.replicas.iter().position(|id| *id == broker)?;
        self.directories.get(at).copied()
    }
}
