//! Record batches: as a client may send them, as a segment may hold them, as Kafka 0.8 wrote them.

use bytes::Bytes;
use ottla_log::validate::{Depth, Rules, assign, validate};
use ottla_log::{LogConfig, Origin};
use ottla_protocol::records::{
    BATCH_HEADER_SIZE, BatchBuilder, BatchHeader, BatchOptions, Compression, batches, control,
    crc32, crc32c, legacy, records, verify_crc,
};

use super::codecs::OUTPUT_MAX;
use crate::Target;

/// Unpacked records and the codec's tables.
const UNPACKED: usize = 6 * OUTPUT_MAX + (2 << 20);

/// Header, codec, records, headers, control records.
pub const BATCH: Target =
    Target { name: "batch", constant: UNPACKED, run: batch, seeds: batch_seeds };
/// Message sets of magic 0 and 1. The first message's CRC is put right.
pub const LEGACY: Target =
    Target { name: "legacy", constant: UNPACKED, run: run_legacy, seeds: crate::no_seeds };
/// What a produce request holds for one partition, judged as the log judges it. The CRCs are put
/// right and nothing is compressed.
pub const VALIDATE: Target =
    Target { name: "validate", constant: 64 << 10, run: run_validate, seeds: batch_seeds };

fn batch(data: &[u8]) {
    let bytes = sealed(data, false);
    for item in batches(&bytes) {
        let Ok((header, batch)) = item else { return };
        let _ = verify_crc(&batch);
        let _ = control::first_of(&header, &batch);
        assert_eq!(&header.to_bytes()[..], &batch[..BATCH_HEADER_SIZE]);
        let Ok(found) = records(&header, &batch, OUTPUT_MAX) else { continue };
        for record in found {
            let _ = record.map(|record| control::ControlRecord::parse(&record));
        }
    }
}

fn run_legacy(data: &[u8]) {
    let mut set = data.to_vec();
    if let Some(size) = set.get(8..12) {
        let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize;
        if let Some(body) = set.get(16..12usize.saturating_add(size)) {
            let crc = crc32(body);
            set[12..16].copy_from_slice(&crc.to_be_bytes());
        }
    }
    let set = Bytes::from(set);
    if let Ok(Some(batch)) = legacy::to_batch(&set, BatchOptions::default(), OUTPUT_MAX) {
        assert_eq!(verify_crc(&batch), Ok(()));
    }
}

fn run_validate(data: &[u8]) {
    let bytes = sealed(data, true);
    let config = LogConfig::default();
    for depth in [Depth::Full, Depth::Header] {
        let rules = Rules { config: &config, origin: Origin::Client, depth, now_ms: 1 << 40 };
        let Ok(passed) = validate(bytes.clone(), &rules) else { continue };
        assert!(!passed.batches.is_empty(), "nothing is not appended");
        let mut log = passed.records.to_vec();
        let last = assign(&mut log, &passed.batches, 1000, 3);
        assert_eq!(last, 999 + passed.offsets_count, "each record has one offset");
        let first = BatchHeader::parse(&log).expect("what passed is a batch");
        assert_eq!((first.base_offset, first.partition_leader_epoch), (1000, 3));
        assert_eq!(verify_crc(&log[..first.size_in_bytes()]), Ok(()));
    }
}

/// The same batches with checksums that hold, and without compression if `plain`.
pub(crate) fn sealed(data: &[u8], plain: bool) -> Bytes {
    let mut bytes = data.to_vec();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + BATCH_HEADER_SIZE) {
        let length = i32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        let Ok(length) = usize::try_from(length) else { break };
        let Some(end) = at.checked_add(12 + length).filter(|end| *end <= bytes.len()) else { break };
        if end - at < BATCH_HEADER_SIZE {
            break;
        }
        bytes[at + 16] = 2;
        if plain {
            bytes[at + 22] &= !7;
        }
        let crc = crc32c(&bytes[at + 21..end]);
        bytes[at + 17..at + 21].copy_from_slice(&crc.to_be_bytes());
        at = end;
    }
    Bytes::from(bytes)
}

/// Small batches of each codec, plain and of a producer.
pub(crate) fn batch_seeds() -> Vec<Vec<u8>> {
    let codecs = [Compression::None, Compression::Gzip, Compression::Lz4, Compression::Zstd];
    let mut seeds = Vec::new();
    for compression in codecs {
        for producer_id in [-1, 5] {
            let mut builder = BatchBuilder::new(BatchOptions {
                compression,
                producer_id,
                producer_epoch: if producer_id < 0 { -1 } else { 0 },
                base_sequence: if producer_id < 0 { -1 } else { 0 },
                ..BatchOptions::default()
            });
            builder.push(1 << 40, Some(b"key"), Some(b"value"), &[]);
            builder.push((1 << 40) + 1, None, Some(&[3; 40]), &[]);
            seeds.push(builder.build().to_vec());
        }
    }
    let twice = seeds[0].repeat(2);
    seeds.push(twice);
    seeds
}
