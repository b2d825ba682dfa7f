//! What the cluster's own logs hold: frames of the metadata log, keys and values of the
//! coordinator's, and what replaying them makes of a machine.

use bytes::Bytes;
use ottla_coordinator::{CoordinatorRecord, GroupSettings, Shard};
use ottla_metadata::MetadataRecord;
use ottla_metadata::image::MetadataImage;
use ottla_protocol::encode_to_bytes;
use ottla_protocol::messages::*;
use ottla_protocol::records::coordinator_record;

use crate::Target;

/// Decoded structures are larger than their shortest bytes.
const STRUCTURES: usize = 1 << 20;

/// A frame of the metadata log, and its replay.
pub const METADATA_FRAME: Target =
    Target { name: "metadata_frame", constant: STRUCTURES, run: metadata, seeds: frames };
/// Records of `__consumer_offsets`, replayed into a shard: two bytes of the key's length each, two
/// of the value's (all ones is a tombstone), key, value.
pub const COORDINATOR: Target =
    Target { name: "coordinator", constant: STRUCTURES, run: coordinator, seeds: group_records };

fn metadata(data: &[u8]) {
    let Ok(record) = MetadataRecord::decode(Bytes::copy_from_slice(data)) else { return };
    // A record of an older version may hold what the version that is written cannot.
    if let Ok(written) = record.encode() {
        let again = MetadataRecord::decode(written.clone()).expect("what was written can be read");
        assert_eq!(again.encode().as_ref(), Ok(&written));
    }
    let mut image = MetadataImage::default();
    let _ = image.apply(&record);
}

fn coordinator(mut data: &[u8]) {
    let mut shard = Shard::new(GroupSettings::default());
    let mut offset = 0;
    while let [a, b, c, d, rest @ ..] = data {
        let key_length = usize::from(u16::from_be_bytes([*a, *b])).min(rest.len());
        let (key, rest) = rest.split_at(key_length);
        let announced = u16::from_be_bytes([*c, *d]);
        let value_length = if announced == u16::MAX { 0 } else { usize::from(announced) };
        let (value, rest) = rest.split_at(value_length.min(rest.len()));
        data = rest;
        let key = Bytes::copy_from_slice(key);
        let value = (announced != u16::MAX).then(|| Bytes::copy_from_slice(value));
        if let Some(value) = value.clone() {
            values(value);
        }
        let before = shard.hard().groups().len();
        let replayed = shard.replay(offset, -1, &CoordinatorRecord { key, value });
        if replayed.is_err() {
            assert_eq!(shard.hard().groups().len(), before, "a refused record changes nothing");
        }
        offset += 1;
    }
}

/// Values of the coordinators' logs; those that can be read come back as they were.
fn values(bytes: Bytes) {
    macro_rules! each {
        ($($value:ident)*) => {$(
            if let (Ok(value), Ok(version)) = (
                coordinator_record::decode_value::<$value>(bytes.clone()),
                coordinator_record::value_version(&bytes),
            ) {
                let written = encode_to_bytes(&value, version).expect("what was read");
                let value = coordinator_record::encode_value(&value, version).expect("it again");
                assert_eq!(&value[2..], &written[..]);
            }
        )*};
    }
    each!(OffsetCommitValue GroupMetadataValue TransactionLogValue);
}

fn frames() -> Vec<Vec<u8>> {
    let records: [MetadataRecord; 5] = [
        TopicRecord::default().into(),
        PartitionRecord::default().into(),
        RegisterBrokerRecord::default().into(),
        ConfigRecord::default().into(),
        FeatureLevelRecord::default().into(),
    ];
    records.iter().filter_map(|record| record.encode().ok()).map(|bytes| bytes.to_vec()).collect()
}

fn group_records() -> Vec<Vec<u8>> {
    let offset = OffsetCommitKey::default();
    let group = GroupMetadataKey::default();
    let pairs = [
        (
            coordinator_record::encode_key(&offset),
            coordinator_record::encode_value(&OffsetCommitValue::default(), 3),
        ),
        (
            coordinator_record::encode_key(&group),
            coordinator_record::encode_value(&GroupMetadataValue::default(), 3),
        ),
    ];
    let mut seeds = Vec::new();
    for (key, value) in pairs {
        let (Ok(key), Ok(value)) = (key, value) else { continue };
        let mut seed = Vec::new();
        seed.extend_from_slice(&(key.len() as u16).to_be_bytes());
        seed.extend_from_slice(&(value.len() as u16).to_be_bytes());
        seed.extend_from_slice(&key);
        seed.extend_from_slice(&value);
        let mut gone = seed.clone();
        gone.extend_from_slice(&(key.len() as u16).to_be_bytes());
        gone.extend_from_slice(&u16::MAX.to_be_bytes());
        gone.extend_from_slice(&key);
        seeds.extend([seed, gone]);
    }
    seeds
}
