use ottla_protocol::Uuid;
use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect::<Vec<u8>>()
        .into()
}

#[test]
fn a_feature_level_has_kafkas_bytes() {
    let record = MetadataRecord::from(FeatureLevelRecord {
        name: "metadata.version".into(),
        feature_level: 30,
        ..Default::default()
    });
    let bytes = record.encode().unwrap();
    // Frame 1, key 12, version 0, compact string, level, no tags.
    assert_eq!(bytes, hex("01 0c 00 11 6d657461646174612e76657273696f6e 001e 00"));
    // Kafka's log has 23 bytes for this value.
    assert_eq!(bytes.len(), 23);
    assert_eq!(MetadataRecord::decode(bytes).unwrap(), record);
}

#[test]
fn a_change_of_registration_is_written_in_the_lowest_version() {
    let mut change = BrokerRegistrationChangeRecord { fenced: -1, ..Default::default() };
    assert_eq!(MetadataRecord::from(change.clone()).version_at(33), 0);
    change.in_controlled_shutdown = 1;
    assert_eq!(MetadataRecord::from(change.clone()).version_at(33), 1);
    change.log_dirs = vec![Uuid::ONE];
    assert_eq!(MetadataRecord::from(change.clone()).version_at(33), 2);
    change.cordoned_log_dirs = Some(vec![]);
    let record = MetadataRecord::from(change);
    assert_eq!(record.version_at(33), 3);
    assert_eq!(MetadataRecord::decode(record.encode().unwrap()).unwrap(), record);
}

/// Goal: an old record with a field from the future that a later version gives a meaning is not
/// written in that version, wherever the field stands; it would be read back as another record.
#[test]
fn an_unknown_field_does_not_become_a_known_one() {
    let body = "00000001 0000000000000000 0000000000000001 02 00000001 02 00000001 01 01 \
                00000001 00000000 00000000";
    let with_tags = |tags: &str| {
        MetadataRecord::decode(hex(&format!("01 03 00 {body} {tags}")))
            .expect("a record of version 0")
    };
    assert!(with_tags("00").encode().is_ok());
    // Tag 1 holds the eligible leader replicas since version 2.
    assert!(with_tags("01 01 01 01").encode().is_err());
    assert!(with_tags("02 05 01 00 01 01 01").encode().is_err());
    let kept = with_tags("02 11 00 05 00").encode().expect("nobody knows these");
    assert_eq!(MetadataRecord::decode(kept.clone()).unwrap().encode(), Ok(kept));
}

#[test]
fn what_is_not_known_is_an_error() {
    assert_eq!(MetadataRecord::decode(hex("02 0c 00")), Err(RecordError::FrameVersion(2)));
    assert_eq!(MetadataRecord::decode(hex("01 06 00")), Err(RecordError::UnknownKey(6)));
    assert_eq!(
        MetadataRecord::decode(hex("01 02 05")),
        Err(RecordError::UnknownVersion { key: 2, version: 5 })
    );
    assert!(matches!(MetadataRecord::decode(hex("")), Err(RecordError::Header(_))));
    // A no-op with a byte too many.
    assert!(matches!(MetadataRecord::decode(hex("01 14 00 00 00")), Err(RecordError::Body(_))));
    assert!(MetadataRecord::decode(hex("01 14 00 00")).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = MetadataRecord::decode(bytes.into());
    }

    #[test]
    fn any_body_is_read_without_panic(
        key in 0u8..30,
        version in 0u8..5,
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut bytes = vec![1, key, version];
        bytes.extend(body);
        let _ = MetadataRecord::decode(bytes.into());
    }
}
