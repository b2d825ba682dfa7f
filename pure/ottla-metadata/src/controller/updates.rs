//! What follows for partitions when a broker goes, comes, or loses a directory: new leaders, smaller
//! ISRs. Bounded: what does not fit one batch of records is left for the next step.

use std::sync::Arc;

use super::leaders::{Leaders, Rules, RulesByTopic};
use super::partition_change::PartitionChange;
use super::{RECORDS_MAX, Soft};
use crate::image::{MetadataImage, Partition, PartitionId, Topic};
use crate::record::MetadataRecord;

/// Which broker the change is about, and how. All may be nothing: then partitions without a leader
/// get one where somebody may lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Movement {
    /// Leaves the ISRs and leads no more.
    pub(super) leaves: Option<i32>,
    /// May lead, though the image still has it fenced.
    pub(super) comes: Option<i32>,
    /// Leaves the ISRs, and is not eligible either: it may have lost what it acknowledged.
    pub(super) unclean_shutdown: Option<i32>,
}

impl Movement {
    pub(super) fn leaves(broker: i32) -> Self {
        Self { leaves: Some(broker), ..Self::default() }
    }

    pub(super) fn comes(broker: i32) -> Self {
        Self { comes: Some(broker), ..Self::default() }
    }

    pub(super) fn unclean_shutdown(broker: i32) -> Self {
        Self { unclean_shutdown: Some(broker), ..Self::default() }
    }
}

/// Whether everything that follows is in the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Progress {
    Complete,
    /// The batch is full; the state still says what is left.
    More,
}

impl Progress {
    pub(super) fn and(self, other: Self) -> Self {
        if self == Self::Complete { other } else { self }
    }
}

/// A partition with what is needed to change it.
pub(super) fn find(
    image: &MetadataImage,
    id: PartitionId,
) -> Option<(&Arc<Topic>, &Arc<Partition>)> {
    let topic = image.topics.by_id(id.topic_id)?;
    Some((topic, topic.partitions.get(&id.partition)?))
}

/// Adds a change for each of the partitions that needs one.
pub(super) fn of_partitions(
    image: &MetadataImage,
    soft: &Soft,
    movement: Movement,
    ids: impl Iterator<Item = PartitionId>,
    records: &mut Vec<MetadataRecord>,
) -> Progress {
    of_partitions_within(image, soft, movement, ids, records, RECORDS_MAX)
}

/// The same, for a batch of at most `records_max` records.
pub(super) fn of_partitions_within(
    image: &MetadataImage,
    soft: &Soft,
    movement: Movement,
    ids: impl Iterator<Item = PartitionId>,
    records: &mut Vec<MetadataRecord>,
    records_max: usize,
) -> Progress {
    let gone = movement.leaves.or(movement.unclean_shutdown);
    let leaders = Leaders::of(image).without(gone).with(movement.comes);
    let mut rules = RulesByTopic::new(image, soft);
    for id in ids {
        let Some((topic, partition)) = find(image, id) else { continue };
        let rules: Rules = rules.of(topic);
        let change = PartitionChange::new(partition, id, rules)
            .election_by_rules()
            .unclean_shutdown(movement.unclean_shutdown)
            .without(gone)
            .build(&leaders);
        let Some(change) = change else { continue };
        if records.len() >= records_max {
            return Progress::More;
        }
        records.push(change.into());
    }
    Progress::Complete
}
