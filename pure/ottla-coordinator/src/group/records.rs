//! The records of `__consumer_offsets`, byte for byte as Kafka 4 writes them. Never a guess at an unknown one.
//!
//! A key is its type (i16) and the body of the key message in version 0; a value is its version
//! (i16) and the body in that version.

use bytes::Bytes;
use ottla_protocol::messages::group_metadata_value::MemberMetadata;
use ottla_protocol::messages::{
    GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue,
};
use ottla_protocol::{Decoder, Encoder, Message, Str};

use crate::group::committed::CommittedOffset;
use crate::group::metadata::{GroupMember, GroupMetadata};
use crate::record::{CoordinatorRecord, RecordError};

const LEGACY_OFFSET_COMMIT: i16 = 0;
const OFFSET_COMMIT: i16 = 1;
const GROUP_METADATA: i16 = 2;

/// What Kafka 4.x writes; higher known versions are read.
const GROUP_METADATA_VERSION: i16 = 3;
const OFFSET_COMMIT_VERSION: i16 = 4;
/// The only version that can carry an expiry of its own.
const OFFSET_COMMIT_VERSION_WITH_EXPIRY: i16 = 1;

/// A record, read. No value is a tombstone.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupRecord {
    Offset { group: Str, topic: Str, partition: i32, value: Option<OffsetCommitValue> },
    Group { group: Str, value: Option<GroupMetadata> },
}

/// Reads one record.
pub fn decode(record: &CoordinatorRecord) -> Result<GroupRecord, RecordError> {
    let mut key = Decoder::new(record.key.clone());
    let kind = key.i16("type").map_err(|_| RecordError::NoKey)?;
    match kind {
        LEGACY_OFFSET_COMMIT | OFFSET_COMMIT => {
            let key: OffsetCommitKey = body("OffsetCommitKey", &mut key, 0)?;
            let value = match &record.value {
                Some(value) => Some(versioned("OffsetCommitValue", value)?),
                None => None,
            };
            let OffsetCommitKey { group, topic, partition } = key;
            Ok(GroupRecord::Offset { group, topic, partition, value })
        }
        GROUP_METADATA => {
            let key: GroupMetadataKey = body("GroupMetadataKey", &mut key, 0)?;
            let value = match &record.value {
                Some(value) => Some(stored(versioned("GroupMetadataValue", value)?)),
                None => None,
            };
            Ok(GroupRecord::Group { group: key.group, value })
        }
        unknown => Err(RecordError::UnknownType(unknown)),
    }
}

/// The state of a group.
pub(crate) fn group_metadata(group: &Str, metadata: &GroupMetadata) -> CoordinatorRecord {
    let members = metadata.members.iter().map(|member| MemberMetadata {
        member_id: member.member_id.clone(),
        group_instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: member.subscription.clone(),
        assignment: member.assignment.clone(),
        ..Default::default()
    });
    let value = GroupMetadataValue {
        protocol_type: metadata.protocol_type.clone().unwrap_or_default(),
        generation: metadata.generation,
        protocol: metadata.protocol.clone(),
        leader: metadata.leader.clone(),
        current_state_timestamp: metadata.state_timestamp_ms.unwrap_or(-1),
        members: members.collect(),
        ..Default::default()
    };
    let value = encode(GROUP_METADATA_VERSION, &value, GROUP_METADATA_VERSION);
    CoordinatorRecord { key: group_key(group), value: Some(value) }
}

/// The end of a group.
pub(crate) fn group_tombstone(group: &Str) -> CoordinatorRecord {
    CoordinatorRecord { key: group_key(group), value: None }
}

/// A committed offset.
pub(crate) fn offset_commit(
    group: &Str,
    topic: &Str,
    partition: i32,
    offset: &CommittedOffset,
) -> CoordinatorRecord {
    let version = match offset.expire_timestamp_ms {
        Some(_) => OFFSET_COMMIT_VERSION_WITH_EXPIRY,
        None => OFFSET_COMMIT_VERSION,
    };
    let value = OffsetCommitValue {
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata: offset.metadata.clone(),
        commit_timestamp: offset.commit_timestamp_ms,
        expire_timestamp: offset.expire_timestamp_ms.unwrap_or(-1),
        topic_id: offset.topic_id,
        ..Default::default()
    };
    let value = encode(version, &value, version);
    CoordinatorRecord { key: offset_key(group, topic, partition), value: Some(value) }
}

/// The end of a committed offset.
pub(crate) fn offset_tombstone(group: &Str, topic: &Str, partition: i32) -> CoordinatorRecord {
    CoordinatorRecord { key: offset_key(group, topic, partition), value: None }
}

fn group_key(group: &Str) -> Bytes {
    encode(GROUP_METADATA, &GroupMetadataKey { group: group.clone() }, 0)
}

fn offset_key(group: &Str, topic: &Str, partition: i32) -> Bytes {
    let key = OffsetCommitKey { group: group.clone(), topic: topic.clone(), partition };
    encode(OFFSET_COMMIT, &key, 0)
}

fn encode<M: Message>(prefix: i16, message: &M, version: i16) -> Bytes {
    let mut encoder = Encoder::new();
    encoder.put_i16(prefix);
    message.encode(&mut encoder, version).expect(
        "strings came in through a frame of the same limits, and the version has each field",
    );
    encoder.into_bytes()
}

fn versioned<M: Message>(kind: &'static str, bytes: &Bytes) -> Result<M, RecordError> {
    let mut decoder = Decoder::with_budget(bytes.clone(), usize::MAX);
    let version = decoder.i16("version").map_err(|error| malformed(kind, &error))?;
    if !M::VERSIONS.contains(&version) {
        return Err(RecordError::UnknownVersion { kind, version });
    }
    body(kind, &mut decoder, version)
}

fn body<M: Message>(
    kind: &'static str,
    decoder: &mut Decoder,
    version: i16,
) -> Result<M, RecordError> {
    let message = M::decode(decoder, version).map_err(|error| malformed(kind, &error))?;
    decoder.finish().map_err(|error| malformed(kind, &error))?;
    Ok(message)
}

fn malformed(kind: &'static str, error: &dyn std::fmt::Display) -> RecordError {
    RecordError::Malformed { kind, reason: error.to_string() }
}

/// Copies what will be kept out of the log's chunk.
fn stored(value: GroupMetadataValue) -> GroupMetadata {
    let members = value.members.iter().map(|member| GroupMember {
        member_id: member.member_id.detach(),
        instance_id: member.group_instance_id.as_ref().map(Str::detach),
        client_id: member.client_id.detach(),
        client_host: member.client_host.detach(),
        rebalance_timeout_ms: match member.rebalance_timeout {
            -1 => member.session_timeout,
            timeout => timeout,
        },
        session_timeout_ms: member.session_timeout,
        subscription: Bytes::copy_from_slice(&member.subscription),
        assignment: Bytes::copy_from_slice(&member.assignment),
    });
    GroupMetadata {
        protocol_type: Some(value.protocol_type.detach()).filter(|kind| !kind.is_empty()),
        protocol: value.protocol.as_ref().map(Str::detach),
        generation: value.generation,
        leader: value.leader.as_ref().map(Str::detach),
        state_timestamp_ms: Some(value.current_state_timestamp).filter(|ms| *ms != -1),
        members: members.collect(),
    }
}
