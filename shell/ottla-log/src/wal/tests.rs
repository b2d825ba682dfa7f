//! Groups and entries: golden bytes, round trips, and what must not pass for a group.

use bytes::Bytes;
use ottla_protocol::Uuid;
use proptest::prelude::*;

use super::epoch::EpochFile;
use super::group::{Checksum, GroupHeader, HEADER_BYTES, Session};
use super::{Entry, EntryHead, EntryKind, entries, groups};

const SESSION: Session = Session { directory: Uuid([5; 16]), epoch: 9 };

fn group(start_lsn: u64, payload: &[u8]) -> Vec<u8> {
    let end = HEADER_BYTES + payload.len();
    let mut bytes = vec![0; end.next_multiple_of(64)];
    bytes[HEADER_BYTES..end].copy_from_slice(payload);
    let header = GroupHeader {
        start_lsn,
        durable_lsn: start_lsn,
        payload_bytes: payload.len() as u32,
        padded_bytes: bytes.len() as u32,
    };
    let mut checksum = Checksum::default();
    checksum.update(payload);
    bytes[..HEADER_BYTES].copy_from_slice(&header.encode(&SESSION, checksum));
    bytes
}

#[test]
fn group_bytes() {
    let bytes = group(258, b"abc");
    assert_eq!(&bytes[..8], b"OWAL\x00\x02\x00\x40");
    assert_eq!(bytes[12..24], [0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(bytes[32..40], [0, 0, 0, 0, 0, 0, 0, 9]);
    assert_eq!(bytes[56..64], [0, 0, 0, 128, 0, 0, 0, 0]);
    assert_eq!(&bytes[64..68], b"abc\0");
    assert_eq!(bytes.len(), 128);
}

#[test]
fn no_flipped_bit_passes() {
    let bytes = group(100, b"payload");
    assert!(GroupHeader::parse(&SESSION, &bytes).is_some());
    for at in 0..HEADER_BYTES + 7 {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert_eq!(GroupHeader::parse(&SESSION, &flipped), None, "byte {at} bit {bit}");
        }
    }
    for other in [Session { epoch: 8, ..SESSION }, Session { directory: Uuid([6; 16]), ..SESSION }]
    {
        assert_eq!(GroupHeader::parse(&other, &bytes), None);
    }
}

#[test]
fn stale_groups_are_left_out_and_later_ones_found() {
    let mut file = [group(100, b"one"), group(103, b"two")].concat();
    // A torn group, what an earlier use left behind, and a later group.
    file.extend(vec![0xee; 64]);
    file.extend(group(50, b"stale"));
    file.extend(group(110, b"later"));
    let found: Vec<u64> =
        groups(&SESSION, &file, 0, 0).iter().map(|found| found.header.start_lsn).collect();
    assert_eq!(found, [100, 103, 110]);
}

fn entry(head: &EntryHead, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; super::entry::HEAD_BYTES];
    head.encode(payload.len(), &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

proptest! {
    #[test]
    fn entries_come_back(
        parts in prop::collection::vec(
            (1u8..9, any::<u64>(), any::<i64>(), any::<i64>(), prop::collection::vec(any::<u8>(), 0..40)),
            0..8,
        ),
    ) {
        const KINDS: [EntryKind; 8] = [
            EntryKind::Append, EntryKind::Create, EntryKind::Delete, EntryKind::Truncate,
            EntryKind::LogStart, EntryKind::Epoch, EntryKind::Restart, EntryKind::Commit,
        ];
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (kind, number, offset, extra, payload) in parts {
            let head = EntryHead { kind: KINDS[usize::from(kind - 1)], number, offset, extra };
            bytes.extend(entry(&head, &payload));
            let lsn = 1000 + bytes.len() as u64;
            expected.push(Entry { head, payload: Bytes::from(payload), lsn });
        }
        let bytes = Bytes::from(bytes);
        prop_assert_eq!(entries(&bytes, 1000).unwrap(), expected);
        if !bytes.is_empty() {
            prop_assert!(entries(&bytes.slice(..bytes.len() - 1), 1000).is_err() || bytes.len() == 1);
        }
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = entries(&Bytes::from(bytes.clone()), 0);
        prop_assert!(groups(&SESSION, &bytes, 0, 0).is_empty());
        prop_assert!(EpochFile::decode(&bytes).is_err());
    }
}

#[test]
fn epoch_file_bytes() {
    let file = EpochFile { epoch: 3, start_lsn: 258 };
    let bytes = file.encode();
    assert_eq!(&bytes[..6], b"OWEP\x00\x02");
    assert_eq!(EpochFile::decode(&bytes), Ok(file));
    for at in 0..24 {
        let mut flipped = bytes;
        flipped[at] ^= 1;
        assert!(EpochFile::decode(&flipped).is_err());
    }
}
