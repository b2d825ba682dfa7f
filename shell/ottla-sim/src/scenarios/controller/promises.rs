//! What a controller promises of every partition, held against each record it writes.

use std::collections::BTreeMap;

use ottla_judge::Violation;
use ottla_metadata::MetadataRecord;
use ottla_metadata::image::{MetadataImage, NO_LEADER, Partition, PartitionId, RECOVERING};

/// Broken promises, and what is remembered to find them.
#[derive(Debug, Default)]
pub(super) struct Promises {
    pub(super) found: Vec<Violation>,
    /// Who led in which epoch.
    leaders: BTreeMap<(PartitionId, i32), i32>,
}

impl Promises {
    pub(super) fn is_content(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn broken(&mut self, promise: &'static str, text: String) {
        self.found.push(Violation { promise, text });
    }

    /// Looks at one record between the images before and after it.
    pub(super) fn check(
        &mut self,
        before: &MetadataImage,
        record: &MetadataRecord,
        after: &MetadataImage,
    ) {
        let MetadataRecord::PartitionChange(change) = record else { return };
        let id = PartitionId { topic_id: change.topic_id, partition: change.partition_id };
        let find = |image: &MetadataImage| {
            image.topics.partition(id.topic_id, id.partition).map(|found| (**found).clone())
        };
        let (Some(was), Some(is)) = (find(before), find(after)) else { return };
        self.one_leader_an_epoch(id, &is);
        self.lists(after, &is);
        self.epochs(&was, &is);
        self.clean_leader(&was, &is);
        self.in_sync_is_up(before, &was, &is);
        self.reassigned(&was, &is);
    }

    /// KIP-101: an epoch names one history.
    fn one_leader_an_epoch(&mut self, id: PartitionId, is: &Partition) {
        if is.leader == NO_LEADER {
            return;
        }
        let leader = *self.leaders.entry((id, is.leader_epoch)).or_insert(is.leader);
        if leader != is.leader {
            self.broken("one-leader", format!("{leader} and {} in one epoch: {is:?}", is.leader));
        }
    }

    fn lists(&mut self, image: &MetadataImage, is: &Partition) {
        let has_eligible = image.features.has_eligible_leader_replicas();
        let within = |list: &[i32]| list.iter().all(|id| is.replicas.contains(id));
        let leads = is.leader == NO_LEADER || is.isr.contains(&is.leader);
        let apart = is.eligible_leader_replicas.iter().all(|id| !is.isr.contains(id));
        let is_kept = has_eligible || !is.isr.is_empty();
        let all = within(&is.isr) && within(&is.eligible_leader_replicas);
        if !(all && leads && apart && is_kept) {
            self.broken("in-sync", format!("{is:?}"));
        }
    }

    fn epochs(&mut self, was: &Partition, is: &Partition) {
        let begins = is.leader_epoch - was.leader_epoch;
        let moves = was.leader != is.leader;
        if is.partition_epoch != was.partition_epoch + 1
            || !(0..=1).contains(&begins)
            || (moves && begins != 1)
        {
            self.broken("epochs", format!("{was:?} {is:?}"));
        }
    }

    /// A leader has what was committed, or says that it recovers (KIP-704, KIP-966).
    fn clean_leader(&mut self, was: &Partition, is: &Partition) {
        if is.leader == was.leader || is.leader == NO_LEADER {
            return;
        }
        // Eligible are those who left an ISR that has been too small to commit anything since.
        let had_it =
            was.isr.contains(&is.leader) || was.eligible_leader_replicas.contains(&is.leader);
        let by_isr = was.leader != NO_LEADER && is.isr.contains(&is.leader);
        if !(had_it || by_isr || is.leader_recovery_state == RECOVERING) {
            self.broken("clean-leader", format!("{was:?} {is:?}"));
        }
    }

    /// KIP-841, KIP-903: who comes into the ISR is up.
    fn in_sync_is_up(&mut self, image: &MetadataImage, was: &Partition, is: &Partition) {
        // An unclean way back from a reassignment puts somebody there who has to come back first.
        if !was.has_leader() || !is.has_leader() {
            return;
        }
        let new = is.isr.iter().filter(|id| !was.isr.contains(id));
        let away: Vec<i32> = new.copied().filter(|id| !image.brokers.is_active(*id)).collect();
        if !away.is_empty() {
            self.broken("in-sync-is-up", format!("{away:?} are away: {was:?} {is:?}"));
        }
    }

    /// KIP-455: old replicas leave when the new ones are in sync.
    fn reassigned(&mut self, was: &Partition, is: &Partition) {
        let completes = was.is_reassigning() && !is.is_reassigning();
        let taken_back = was.adding_replicas.iter().any(|id| !is.replicas.contains(id))
            || was.removing_replicas.iter().any(|id| is.replicas.contains(id));
        if completes && !taken_back && !is.replicas.iter().all(|id| is.isr.contains(id)) {
            self.broken("reassigned", format!("{was:?} {is:?}"));
        }
    }

    /// Nothing is due any more, so nothing is left undone.
    pub(super) fn rest(&mut self, image: &MetadataImage) {
        let has_eligible = image.features.has_eligible_leader_replicas();
        for topic in image.topics.iter() {
            for partition in topic.partitions.values() {
                let is_away = |id: &i32| !image.brokers.is_active(*id);
                let away = partition.isr.iter().filter(|id| is_away(id)).count();
                let stays = away == 0 || (!has_eligible && partition.isr.len() == 1);
                let led = partition.leader == NO_LEADER || !is_away(&partition.leader);
                let could = match partition.isr.is_empty() {
                    true => &partition.eligible_leader_replicas,
                    false => &partition.isr,
                };
                let has_it = |id: &i32| {
                    let broker = image.brokers.get(*id).filter(|broker| broker.is_active());
                    let directory = partition.directory(*id);
                    broker.zip(directory).is_some_and(|(broker, at)| broker.has_online_dir(at))
                };
                let idle = partition.has_leader() || !could.iter().any(has_it);
                if !(stays && led && idle) {
                    self.broken("failover", format!("{partition:?}"));
                }
            }
        }
    }
}
