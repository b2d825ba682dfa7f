//! Kafka's own files, as Kafka 4.3 wrote them, and what must be refused.

use ottla_protocol::Uuid;
use proptest::prelude::*;

use super::dir_name::{DirName, Role};
use super::meta_properties::MetaProperties;
use super::offset_checkpoint::PartitionOffset;
use super::*;
use crate::epochs::EpochEntry;

#[test]
fn meta_properties_of_kafka() {
    let text = "#\n#Sun Nov 22 18:46:04 UTC 2026\nnode.id=0\ndirectory.id=GnYIhvxAsf-VnAupC4KVKg\n\
                version=1\ncluster.id=35cefTQ68w60-Dbsr6rSPw\n";
    let meta = meta_properties::parse(text).unwrap();
    assert_eq!(meta.cluster_id, "35cefTQ68w60-Dbsr6rSPw");
    assert_eq!((meta.node_id, meta.directory_id.is_some()), (0, true));
    assert_eq!(meta_properties::format(&meta, "Sun Nov 22 18:46:04 UTC 2026"), text);
    assert!(meta_properties::parse("version=0\nbroker.id=1\ncluster.id=x\n").is_err());
    assert!(meta_properties::parse("version=1\ncluster.id=x\n").is_err());
    let odd = MetaProperties { cluster_id: "a=b:c\\".into(), node_id: 7, directory_id: None };
    assert_eq!(meta_properties::parse(&meta_properties::format(&odd, "")).unwrap(), odd);
}

#[test]
fn partition_metadata_of_kafka() {
    let text = "version: 0\ntopic_id: uwRGFrJLRqaKzoFvMyczFA";
    let id = partition_metadata::parse(text).unwrap();
    assert_eq!(partition_metadata::format(id), text);
    assert!(partition_metadata::parse("version: 1\ntopic_id: uwRGFrJLRqaKzoFvMyczFA").is_err());
    assert!(partition_metadata::parse(&partition_metadata::format(Uuid::ZERO)).is_err());
}

#[test]
fn checkpoints_of_kafka() {
    let text = "0\n2\na 0 30000\n__transaction_state 2 0\n";
    let offsets = offset_checkpoint::parse(text).unwrap();
    let first = PartitionOffset { topic: "a".into(), partition: 0, offset: 30000 };
    assert_eq!(offsets[0], first);
    assert_eq!(offset_checkpoint::format(&offsets), text);
    assert_eq!(offset_checkpoint::parse("0\n0\n").unwrap(), []);

    let epochs = epoch_checkpoint::parse("0\n2\n0 0\n3 17\n").unwrap();
    assert_eq!(epochs.latest(), Some(EpochEntry { epoch: 3, start_offset: 17 }));
    assert_eq!(epoch_checkpoint::format(&epochs), "0\n2\n0 0\n3 17\n");
}

#[test]
fn torn_checkpoints_are_refused() {
    for text in ["", "1\n0\n", "0\n", "0\nx\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na 0 1 2\n"] {
        assert!(offset_checkpoint::parse(text).is_err(), "{text:?}");
    }
    for text in ["0\n2\n3 0\n3 1\n", "0\n1\n-1 0\n", "0\n1\n1\n"] {
        assert!(epoch_checkpoint::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn folder_names() {
    let name = |topic: &str, partition, role| DirName { topic: topic.into(), partition, role };
    let unique = "0123456789abcdef0123456789abcdef";
    let cases = [
        ("a-0".to_owned(), name("a", 0, Role::Current)),
        ("a.b-c-12".to_owned(), name("a.b-c", 12, Role::Current)),
        (format!("a-1-3.{unique}-delete"), name("a-1", 3, Role::Deleted)),
        (format!("a-3.{unique}-future"), name("a", 3, Role::Future)),
        (format!("x-0.{unique}-stray"), name("x", 0, Role::Stray)),
    ];
    for (text, expected) in cases {
        assert_eq!(dir_name::parse(&text).unwrap(), expected);
    }
    for bad in ["", "a", "-0", "a-", "a-x", "a-0-delete", "a-0.-delete", "a-00"] {
        assert!(dir_name::parse(bad).is_err(), "{bad}");
    }
    let long = "t".repeat(249);
    assert_eq!(dir_name::suffixed(&long, 0, unique, Role::Deleted).len(), 255);
}

proptest! {
    #[test]
    fn text_never_panics(text in "\\PC{0,60}") {
        let _ = meta_properties::parse(&text);
        let _ = offset_checkpoint::parse(&text);
        let _ = epoch_checkpoint::parse(&text);
        let _ = partition_metadata::parse(&text);
        let _ = dir_name::parse(&text);
    }

    #[test]
    fn folder_names_round_trip(topic in "[a-zA-Z0-9._-]{1,249}", partition in 0..i32::MAX) {
        let current = dir_name::current(&topic, partition);
        let parsed = dir_name::parse(&current);
        // A topic may look like a suffix only in a name that Kafka itself misreads.
        if let Ok(parsed) = parsed {
            prop_assert_eq!(parsed.topic, topic);
            prop_assert_eq!(parsed.partition, partition);
        }
    }
}
