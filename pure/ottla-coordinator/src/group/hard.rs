//! The replicated state of a shard. Nothing but `replay` changes it.

use std::collections::BTreeMap;

use ottla_protocol::Str;
use ottla_protocol::messages::OffsetCommitValue;

use crate::group::committed::{CommittedOffset, Offsets};
use crate::group::metadata::GroupMetadata;
use crate::group::records::{self, GroupRecord};
use crate::record::{CoordinatorRecord, RecordError};

/// No producer: a record outside any transaction.
pub const NO_PRODUCER_ID: i64 = -1;

/// Groups and offsets, as a function of the records alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hard {
    groups: BTreeMap<Str, GroupMetadata>,
    offsets: Offsets,
}

impl Hard {
    pub fn groups(&self) -> &BTreeMap<Str, GroupMetadata> {
        &self.groups
    }

    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// Applies the record at `record_offset` of the log.
    pub fn replay(
        &mut self,
        record_offset: i64,
        producer_id: i64,
        record: &CoordinatorRecord,
    ) -> Result<(), RecordError> {
        match records::decode(record)? {
            GroupRecord::Group { group, value: Some(metadata) } => {
                self.groups.insert(group.detach(), metadata);
            }
            GroupRecord::Group { group, value: None } => {
                self.groups.remove(&group);
            }
            GroupRecord::Offset { group, topic, partition, value: None } => {
                self.offsets.remove(&group, &topic, partition);
            }
            GroupRecord::Offset { group, topic, partition, value: Some(value) } => {
                if !self.groups.contains_key(&group) {
                    self.groups.insert(group.detach(), GroupMetadata::default());
                }
                let offset = committed(record_offset, &value);
                if producer_id == NO_PRODUCER_ID {
                    self.offsets.commit(&group, &topic, partition, offset);
                } else {
                    let key = (&group, &topic, partition);
                    self.offsets.commit_pending(producer_id, key, offset);
                }
            }
        }
        Ok(())
    }

    /// Applies the marker that ends a producer's transaction.
    pub fn replay_end_transaction(&mut self, producer_id: i64, commit: bool) {
        self.offsets.end_transaction(producer_id, commit);
    }
}

fn committed(record_offset: i64, value: &OffsetCommitValue) -> CommittedOffset {
    CommittedOffset {
        record_offset,
        offset: value.offset,
        leader_epoch: value.leader_epoch.max(-1),
        metadata: value.metadata.detach(),
        commit_timestamp_ms: value.commit_timestamp,
        expire_timestamp_ms: Some(value.expire_timestamp).filter(|ms| *ms != -1),
        topic_id: value.topic_id,
    }
}
