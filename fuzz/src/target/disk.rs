//! What a data directory holds, as a crash, a bad disk or somebody else may have left it.

use ottla_log::index::{OffsetIndex, ReadAt, TimeIndex, TxnIndex};
use ottla_log::kafka_dir::{
    dir_name, epoch_checkpoint, meta_properties, offset_checkpoint, partition_metadata,
};
use ottla_log::producers::Producers;
use ottla_log::segment::{HeaderWalk, Segment, recover};
use ottla_log::{LogConfig, fuzzing};

use super::batches;
use crate::Target;

/// Structures in memory against their bytes, small buffers.
const SMALL: usize = 64 << 10;
/// A simulated disk with its pages of 4 KiB, and a directory read twice.
const DISK: usize = 1 << 20;
/// The window of 256 KiB segments are read through, twice while it grows.
const WINDOW: usize = 1 << 20;

pub const CHECKPOINT: Target = Target {
    name: "checkpoint",
    constant: SMALL,
    run: fuzzing::checkpoint,
    seeds: fuzzing::checkpoint_seeds,
};
pub const WRITE_AHEAD: Target =
    Target { name: "write_ahead", constant: DISK, run: fuzzing::write_ahead, seeds: crate::no_seeds };
pub const RECOVERY: Target =
    Target { name: "recovery", constant: DISK, run: fuzzing::recovery, seeds: directories };
pub const SEGMENT: Target =
    Target { name: "segment", constant: WINDOW, run: segment, seeds: batches::batch_seeds };
pub const INDEX: Target = Target { name: "index", constant: SMALL, run: index, seeds: crate::no_seeds };
pub const KAFKA_FILES: Target =
    Target { name: "kafka_files", constant: SMALL, run: kafka_files, seeds: texts };

/// A segment file with good checksums, recovered, walked, and its indexes read back.
fn segment(data: &[u8]) {
    let bytes = batches::sealed(data, false);
    let source: &[u8] = &bytes;
    let config = LogConfig { index_interval_bytes: 1, ..LogConfig::default() };
    let mut producers = Producers::new();
    let found = recover(Segment::new(0, 0, 0), source, &config, |_, header, _| {
        producers.apply(header, None);
    });
    let found = found.expect("memory does not fail");
    let size = found.segment.size();
    assert!(size <= source.size());
    if found.corruption.is_none() {
        assert_eq!(size, source.size(), "all of it is valid");
    }
    let again = recover(Segment::new(0, 0, 0), &source[..size as usize], &config, |_, _, _| {});
    let again = again.expect("memory does not fail");
    assert_eq!(again.corruption, None, "what is left is whole");
    assert_eq!(again.segment, found.segment);
    let mut walk = HeaderWalk::new(source, 0);
    while let Ok(Some(_)) = walk.next_batch() {}
    let offset = found.segment.offset_index.encode();
    assert_eq!(OffsetIndex::decode_checked(&offset, 0, size.max(1)).as_ref(), Ok(&found.segment.offset_index));
    let mut written = Vec::new();
    producers.encode(&mut written);
    let read = Producers::decode(&mut written.clone().into()).expect("what was written can be read");
    let mut rewritten = Vec::new();
    read.encode(&mut rewritten);
    assert_eq!(rewritten, written);
    let snapshot = producers.to_snapshot();
    let _ = Producers::from_snapshot(snapshot, 0, -1).expect("what was written can be read");
}

/// The index files and the producer snapshot: what is read is written as it was.
fn index(data: &[u8]) {
    let [kind, base, bytes @ ..] = data else { return };
    let base = i64::from(*base);
    match kind % 4 {
        0 => {
            if let Ok(index) = OffsetIndex::decode_checked(bytes, base, 1 << 31) {
                let written = index.encode();
                assert_eq!(written[..], bytes[..written.len()]);
                let last = index.lookup(i64::MAX / 2);
                assert!(last.offset >= base);
            }
        }
        1 => {
            if let Ok(index) = TimeIndex::decode_checked(bytes, base, i64::MAX) {
                // Entries without a timestamp are left out, so the bytes may be fewer.
                let again = TimeIndex::decode_checked(&index.encode(), base, i64::MAX);
                assert_eq!(again.as_ref(), Ok(&index));
                assert!(index.lookup(i64::MAX).offset >= base);
            }
        }
        2 => {
            if let Ok(index) = TxnIndex::decode_checked(bytes, base) {
                assert_eq!(index.encode(), bytes);
            }
        }
        _ => {
            let mut bytes = bytes.to_vec();
            if bytes.len() > 6 {
                let crc = ottla_protocol::records::crc32c(&bytes[6..]);
                bytes[..2].copy_from_slice(&1i16.to_be_bytes());
                bytes[2..6].copy_from_slice(&crc.to_be_bytes());
            }
            if let Ok(producers) = Producers::from_snapshot(bytes.into(), 0, -1) {
                let written = producers.to_snapshot();
                let again = Producers::from_snapshot(written.clone(), 0, -1).expect("its own");
                assert_eq!(again.to_snapshot(), written);
            }
        }
    }
}

/// The small text files of a Kafka data directory.
fn kafka_files(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(epochs) = epoch_checkpoint::parse(text) {
        assert_eq!(epoch_checkpoint::parse(&epoch_checkpoint::format(&epochs)), Ok(epochs));
    }
    if let Ok(offsets) = offset_checkpoint::parse(text) {
        assert_eq!(offset_checkpoint::parse(&offset_checkpoint::format(&offsets)), Ok(offsets));
    }
    if let Ok(id) = partition_metadata::parse(text) {
        assert_eq!(partition_metadata::parse(&partition_metadata::format(id)), Ok(id));
    }
    let _ = meta_properties::parse(text);
    let _ = dir_name::parse(text);
}

fn directories() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for checkpoint in fuzzing::checkpoint_seeds() {
        let mut seed = vec![0, 1];
        seed.extend_from_slice(&(checkpoint.len() as u16).to_be_bytes());
        seed.extend_from_slice(&checkpoint);
        seed.extend_from_slice(&[0, 40, 0, 0]);
        seed.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 8]);
        seed.extend_from_slice(&[0; 32]);
        seeds.push(seed);
    }
    seeds
}

fn texts() -> Vec<Vec<u8>> {
    let texts = [
        "0\n2\n0 0\n3 17\n",
        "0\n1\norders 3 1234\n",
        "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n",
        "#\nversion=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAQ\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAg\n",
        "orders-3.0123456789abcdef0123456789abcdef-delete",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
