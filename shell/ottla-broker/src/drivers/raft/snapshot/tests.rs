use ottla_metadata::MetadataRecord;
use ottla_metadata::image::METADATA_VERSION;
use ottla_protocol::Uuid;
use ottla_protocol::messages::{
    FeatureLevelRecord, PartitionRecord, RegisterBrokerRecord, TopicRecord,
};
use ottla_raft::{NodeId, ReplicaKey, Voter};

use super::*;

fn topic(number: u128) -> MetadataRecord {
    let name = format!("topic-{number}").into();
    TopicRecord { name, topic_id: Uuid::from_u128(number), ..Default::default() }.into()
}

fn set() -> VoterSet {
    VoterSet::new([Voter {
        key: ReplicaKey::new(NodeId(3), Uuid::from_u128(33)),
        endpoints: [(
            "CONTROLLER".to_owned(),
            ottla_raft::Endpoint { host: "c3".to_owned(), port: 9093 },
        )]
        .into(),
        kraft_versions: (0, 1),
    }])
}

const AT: OffsetAndEpoch = OffsetAndEpoch { offset: 1234, epoch: 7 };

/// Goal: what is written is read back, over many batches; offsets run through, every batch has the snapshot's epoch.
#[test]
fn a_snapshot_is_read_back() {
    let records: Vec<MetadataRecord> = (1..60_000).map(topic).collect();
    let whole = write::encode(AT, 1_700_000_000_000, Some(&set()), &records).unwrap();
    let contents = Contents::of(&whole).unwrap();
    assert_eq!(contents.voters, Some(set()));
    assert_eq!(contents.records.len(), records.len());
    let mut next = 0;
    for batch in batches(&whole) {
        let (header, _) = batch.unwrap();
        assert_eq!((header.base_offset, header.partition_leader_epoch), (next, AT.epoch));
        next = header.next_offset();
    }
    let headers_and_footer = 4;
    assert_eq!(next, records.len() as i64 + headers_and_footer);
    let none = write::encode(AT, 0, None, &[]).unwrap();
    let contents = Contents::of(&none).unwrap();
    assert!(contents.voters.is_none() && contents.records.is_empty());
}

/// Goal: a node of an older release can read a snapshot: its records are written in the versions of the level that the
/// cluster has agreed on, not in the newest ones.
#[test]
fn records_are_written_at_the_clusters_level() {
    let level = |feature_level: i16| -> MetadataRecord {
        let name = METADATA_VERSION.into();
        FeatureLevelRecord { name, feature_level, ..Default::default() }.into()
    };
    let broker = RegisterBrokerRecord::default();
    let versions = |metadata_version: i16| -> Vec<u8> {
        let partition = PartitionRecord::default();
        let records = [level(metadata_version), broker.clone().into(), partition.into()];
        let whole = write::encode(AT, 0, None, &records).unwrap();
        let (header, batch) = batches(&whole).nth(1).unwrap().unwrap();
        let values = ottla_protocol::records::records(&header, &batch, BATCH_BYTES_MAX).unwrap();
        // A value begins with the version of its frame, its kind and its version.
        values.map(|record| record.unwrap().value.unwrap()[2]).collect()
    };
    assert_eq!(versions(33), [0, 4, 2]);
    assert_eq!(versions(30), [0, 4, 2]);
    assert_eq!(versions(29), [0, 3, 2]);
    assert_eq!(versions(22), [0, 3, 1]);
    assert_eq!(versions(8), [0, 2, 0]);
}

/// Goal: a copy that lacks its beginning or its end, or has a bit turned, is never installed.
#[test]
fn a_damaged_copy_is_refused() {
    let whole = write::encode(AT, 0, Some(&set()), &[topic(1), topic(2)]).unwrap();
    let ends: Vec<usize> = batches(&whole)
        .scan(0, |end, batch| {
            *end += batch.unwrap().1.len();
            Some(*end)
        })
        .collect();
    for end in &ends[..ends.len() - 1] {
        assert!(Contents::of(&whole.slice(..*end)).is_err(), "cut at {end}");
    }
    assert!(Contents::of(&whole.slice(ends[0]..)).is_err(), "no header");
    assert!(Contents::of(&Bytes::new()).is_err());
    for at in [70, ends[0] + 70, whole.len() - 1] {
        let mut turned = whole.to_vec();
        turned[at] ^= 1;
        assert!(Contents::of(&turned.into()).is_err(), "a bit at {at}");
    }
}

#[test]
fn names_are_kafkas() {
    assert_eq!(name(AT), "00000000000000001234-0000000007.checkpoint");
    assert_eq!(parse_name(&name(AT)), Some(AT));
    for other in ["1234-7.checkpoint", "00000000000000001234-0000000007.checkpoint.part", "x"] {
        assert_eq!(parse_name(other), None, "{other}");
    }
}
