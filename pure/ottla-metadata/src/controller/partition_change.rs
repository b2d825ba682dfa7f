//! `PartitionChange`: the one place where it is decided what a change does to a partition: who leads,
//! who is in sync or eligible, whether a reassignment is complete, whether an epoch begins. Looks at
//! one partition and writes nothing.

use std::collections::BTreeMap;

use ottla_plant::{Plant, planted};
use ottla_protocol::Uuid;
use ottla_protocol::messages::PartitionChangeRecord;

use super::leaders::{Leaders, Rules};
use super::reassignment;
use crate::image::{
    NO_LEADER, NO_LEADER_CHANGE, NO_RECOVERY_CHANGE, Partition, PartitionId, RECOVERING,
};

/// How far an election may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Election {
    /// The first replica if it is in sync, else whoever keeps the partition online.
    Preferred,
    /// The present leader if it may go on, else the first replica in sync.
    Online,
    /// Anybody who is up, where nobody is in sync. What only the others had is lost.
    Unclean,
}

/// A partition on its way to what is wanted of it; see [`PartitionChange::build`].
pub(super) struct PartitionChange<'a> {
    partition: &'a Partition,
    id: PartitionId,
    rules: Rules,
    election: Election,
    isr: Vec<i32>,
    replicas: Vec<i32>,
    removing: Vec<i32>,
    adding: Vec<i32>,
    eligible: Vec<i32>,
    leader_recovery_state: i8,
    /// Where a broker says that its replica is.
    directories: BTreeMap<i32, Uuid>,
    /// May have lost what it acknowledged: not eligible (KIP-966).
    unclean_shutdown: Option<i32>,
}

/// The leader that an election found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Elected {
    leader: i32,
    is_unclean: bool,
}

impl Elected {
    fn clean(leader: i32) -> Self {
        Self { leader, is_unclean: false }
    }

    fn unclean(leader: i32) -> Self {
        Self { leader, is_unclean: true }
    }
}

impl<'a> PartitionChange<'a> {
    /// Wants nothing yet but a leader, where there is none that may go on.
    pub(super) fn new(partition: &'a Partition, id: PartitionId, rules: Rules) -> Self {
        Self {
            partition,
            id,
            rules,
            election: Election::Online,
            isr: partition.isr.to_vec(),
            replicas: partition.replicas.to_vec(),
            removing: partition.removing_replicas.to_vec(),
            adding: partition.adding_replicas.to_vec(),
            eligible: partition.eligible_leader_replicas.to_vec(),
            leader_recovery_state: partition.leader_recovery_state,
            directories: BTreeMap::new(),
            unclean_shutdown: None,
        }
    }

    pub(super) fn election(mut self, election: Election) -> Self {
        self.election = election;
        self
    }

    /// An unclean election where the topic's settings allow one.
    pub(super) fn election_by_rules(self) -> Self {
        match self.rules.unclean_elections {
            true => self.election(Election::Unclean),
            false => self,
        }
    }

    pub(super) fn isr(mut self, isr: Vec<i32>) -> Self {
        self.isr = isr;
        self
    }

    pub(super) fn without(mut self, broker: Option<i32>) -> Self {
        self.isr.retain(|id| Some(*id) != broker);
        self
    }

    pub(super) fn unclean_shutdown(mut self, broker: Option<i32>) -> Self {
        self.unclean_shutdown = broker;
        self
    }

    pub(super) fn leader_recovery_state(mut self, state: i8) -> Self {
        self.leader_recovery_state = state;
        self
    }

    pub(super) fn directory(mut self, broker: i32, directory: Uuid) -> Self {
        self.directories.insert(broker, directory);
        self
    }

    pub(super) fn replicas(
        mut self,
        replicas: Vec<i32>,
        removing: Vec<i32>,
        adding: Vec<i32>,
    ) -> Self {
        (self.replicas, self.removing, self.adding) = (replicas, removing, adding);
        self
    }

    /// The record that takes the partition there, if that is a change at all.
    pub(super) fn build(mut self, leaders: &Leaders<'_>) -> Option<PartitionChangeRecord> {
        let mut record = PartitionChangeRecord {
            topic_id: self.id.topic_id,
            partition_id: self.id.partition,
            ..Default::default()
        };
        self.complete_reassignment();
        self.track_eligible();
        self.elect(leaders, &mut record);
        self.begin_epoch_where_replicas_leave(&mut record);
        self.record_eligible(&mut record);
        // Where eligible replicas are not tracked the last member never leaves the ISR.
        if record.isr.is_none()
            && (!self.isr.is_empty()
                || self.rules.eligible_leader_replicas
                || planted(Plant::LastReplicaDropped))
            && self.isr != self.partition.isr
        {
            record.isr = Some(self.isr.clone());
        }
        self.begin_epoch_where_isr_shrinks(&mut record);
        self.record_last_known_leader(&mut record);
        self.record_assignment(leaders, &mut record);
        if self.leader_recovery_state != self.partition.leader_recovery_state {
            record.leader_recovery_state = self.leader_recovery_state;
        }
        is_change(&record).then_some(record)
    }

    fn complete_reassignment(&mut self) {
        let completed =
            reassignment::completed(&self.replicas, &self.removing, &self.adding, &self.isr);
        if let Some((replicas, isr)) = completed {
            (self.replicas, self.isr) = (replicas, isr);
            self.removing.clear();
            self.adding.clear();
        }
    }

    /// While the ISR is smaller than min.insync.replicas nothing new is committed, so whoever left
    /// it meanwhile still has all that was (KIP-966). Not so a replica that a reassignment removed,
    /// which Kafka's controller keeps in the list.
    fn track_eligible(&mut self) {
        if !self.rules.eligible_leader_replicas {
            return;
        }
        if self.isr.len() >= self.rules.min_isr {
            self.eligible.clear();
            return;
        }
        let left = self.partition.isr.iter().filter(|id| !self.eligible.contains(id));
        let mut eligible: Vec<i32> = self.eligible.iter().chain(left).copied().collect();
        eligible.retain(|id| {
            self.replicas.contains(id)
                && !self.isr.contains(id)
                && self.unclean_shutdown != Some(*id)
        });
        // In the order in which Kafka's controller writes them down.
        eligible.sort_unstable();
        self.eligible = eligible;
    }

    fn elect(&mut self, leaders: &Leaders<'_>, record: &mut PartitionChangeRecord) {
        let elected = self.find_leader(leaders);
        if elected.leader == self.partition.leader {
            return;
        }
        if let Some(only) = leaders.replaced_directory(self.partition, elected.leader) {
            self.directories.insert(elected.leader, only);
        }
        if self.eligible.contains(&elected.leader) {
            self.isr = vec![elected.leader];
            self.eligible.retain(|id| *id != elected.leader);
        }
        record.leader = elected.leader;
        if elected.is_unclean {
            // Nobody else is known to have what the new leader has.
            record.isr = Some(vec![elected.leader]);
            if self.partition.leader_recovery_state != RECOVERING
                && !planted(Plant::UncleanLeaderUnmarked)
            {
                record.leader_recovery_state = RECOVERING;
            }
        }
    }

    fn find_leader(&self, leaders: &Leaders<'_>) -> Elected {
        let is_valid = |id: i32| {
            let has_all =
                self.isr.contains(&id) || (self.isr.is_empty() && self.eligible.contains(&id));
            has_all && leaders.may_lead(self.partition, id)
        };
        let first = self.replicas.first().copied().filter(|_| self.election == Election::Preferred);
        let candidates = first.into_iter().chain([self.partition.leader]);
        let mut candidates = candidates.chain(self.replicas.iter().copied());
        if let Some(leader) = candidates.find(|id| is_valid(*id)) {
            return Elected::clean(leader);
        }
        if let Some(leader) = self.last_known_leader(leaders) {
            return Elected::unclean(leader);
        }
        if self.election != Election::Unclean {
            return Elected::clean(NO_LEADER);
        }
        let up = |id: &&i32| leaders.may_lead(self.partition, **id);
        // An empty disk is the last resort of the last resort.
        let empty = |id: &&i32| leaders.replaced_directory(self.partition, **id).is_some();
        let last_resort = || self.replicas.iter().find(empty);
        let found = self.replicas.iter().find(up).or_else(last_resort);
        found.map_or(Elected::clean(NO_LEADER), |leader| Elected::unclean(*leader))
    }

    /// Who led when the last eligible replica was lost, if that is what the partition remembers.
    fn last_known_leader(&self, leaders: &Leaders<'_>) -> Option<i32> {
        let nobody_else = self.isr.is_empty() && self.eligible.is_empty();
        match &self.partition.last_known_elr[..] {
            [leader] if self.rules.eligible_leader_replicas && nobody_else => {
                leaders.may_lead(self.partition, *leader).then_some(*leader)
            }
            _ => None,
        }
    }

    /// Naming a leader, even the same one, begins a leader epoch: who leaves must notice.
    fn begin_epoch_where_replicas_leave(&self, record: &mut PartitionChangeRecord) {
        let leaves = |id: &i32| !self.replicas.contains(id);
        if record.leader == NO_LEADER_CHANGE && self.partition.replicas.iter().any(leaves) {
            record.leader = self.partition.leader;
        }
    }

    fn begin_epoch_where_isr_shrinks(&self, record: &mut PartitionChangeRecord) {
        let Some(isr) = &record.isr else { return };
        let leaves = |id: &i32| !isr.contains(id);
        if self.rules.epoch_on_isr_shrink
            && record.leader == NO_LEADER_CHANGE
            && self.partition.isr.iter().any(leaves)
        {
            record.leader = self.partition.leader;
        }
    }

    fn record_eligible(&mut self, record: &mut PartitionChangeRecord) {
        let is_unclean = record.isr.is_some();
        if is_unclean || !self.rules.eligible_leader_replicas {
            self.eligible.clear();
        }
        if self.eligible != self.partition.eligible_leader_replicas {
            record.eligible_leader_replicas = Some(self.eligible.clone());
        }
    }

    /// Remembers who led when the ISR empties, and forgets it once somebody leads.
    fn record_last_known_leader(&self, record: &mut PartitionChangeRecord) {
        if !self.rules.eligible_leader_replicas {
            return;
        }
        let before = &self.partition.last_known_elr;
        let empties = record.isr.as_ref().is_some_and(Vec::is_empty);
        let leader = match record.leader {
            NO_LEADER_CHANGE => self.partition.leader,
            leader => leader,
        };
        if empties && *before != [self.partition.leader] {
            record.last_known_elr = Some(vec![self.partition.leader]);
        } else if leader != NO_LEADER && !before.is_empty() {
            record.last_known_elr = Some(Vec::new());
        }
    }

    fn record_assignment(&self, leaders: &Leaders<'_>, record: &mut PartitionChangeRecord) {
        let before = self.partition;
        if !self.replicas.is_empty() {
            if self.rules.directories {
                let directory = |id: &i32| {
                    let said = self.directories.get(id).copied();
                    let known = || before.directory(*id);
                    said.or_else(known).unwrap_or_else(|| leaders.default_directory(*id))
                };
                let directories: Vec<Uuid> = self.replicas.iter().map(directory).collect();
                if directories[..] != before.directories[..] {
                    record.directories = Some(directories);
                }
            }
            if self.replicas != before.replicas {
                record.replicas = Some(self.replicas.clone());
            }
        }
        if self.removing != before.removing_replicas {
            record.removing_replicas = Some(self.removing.clone());
        }
        if self.adding != before.adding_replicas {
            record.adding_replicas = Some(self.adding.clone());
        }
    }
}

/// Whether anything is said beyond which partition it is about.
fn is_change(record: &PartitionChangeRecord) -> bool {
    let lists = [
        &record.isr,
        &record.eligible_leader_replicas,
        &record.last_known_elr,
        &record.replicas,
        &record.removing_replicas,
        &record.adding_replicas,
    ];
    lists.iter().any(|list| list.is_some())
        || record.leader != NO_LEADER_CHANGE
        || record.leader_recovery_state != NO_RECOVERY_CHANGE
        || record.directories.is_some()
}
