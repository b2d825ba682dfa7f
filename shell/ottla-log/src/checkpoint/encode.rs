//! State to bytes; partitions are added one by one, so that no second copy of all state is made.

use super::{CheckpointHeader, HEADER_BYTES, MAGIC, PartitionRecord, VERSION};
use crate::options::TopicPartition;
use crate::wal::crc32c;

/// A checkpoint being put together.
pub(crate) struct Builder {
    bytes: Vec<u8>,
    partitions: u32,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder { bytes: vec![0; HEADER_BYTES], partitions: 0 }
    }

    /// Adds a partition.
    pub(crate) fn push(&mut self, partition: &PartitionRecord) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        put_partition(&mut self.bytes, partition);
        let length = count(self.bytes.len() - at - 4);
        self.bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
        self.partitions += 1;
    }

    /// The file's bytes.
    pub(crate) fn finish(mut self, header: &CheckpointHeader) -> Vec<u8> {
        let body_bytes = (self.bytes.len() - HEADER_BYTES) as u64;
        let head = &mut self.bytes[..HEADER_BYTES];
        head[0..4].copy_from_slice(&MAGIC.to_be_bytes());
        head[4..6].copy_from_slice(&VERSION.to_be_bytes());
        head[6..8].copy_from_slice(&u16::from(header.clean).to_be_bytes());
        head[12..16].copy_from_slice(&self.partitions.to_be_bytes());
        head[16..24].copy_from_slice(&body_bytes.to_be_bytes());
        head[24..40].copy_from_slice(&header.directory.0);
        head[40..48].copy_from_slice(&header.epoch.to_be_bytes());
        head[48..56].copy_from_slice(&header.wal_start_lsn.to_be_bytes());
        head[56..64].copy_from_slice(&header.next_number.to_be_bytes());
        let crc = crc32c(&self.bytes[12..]);
        // The version and the flags before it are covered by what they must be equal to.
        let crc = crc ^ u32::from(header.clean);
        self.bytes[8..12].copy_from_slice(&crc.to_be_bytes());
        self.bytes
    }
}

/// A partition's name as bytes: topic id, index, `segment.bytes`, topic.
pub(crate) fn encode_name(id: &TopicPartition, segment_bytes: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(26 + id.topic.len());
    put_name(&mut bytes, id, segment_bytes);
    bytes
}

fn put_name(into: &mut Vec<u8>, id: &TopicPartition, segment_bytes: u32) {
    into.extend_from_slice(&id.topic_id.0);
    into.extend_from_slice(&id.partition.to_be_bytes());
    into.extend_from_slice(&segment_bytes.to_be_bytes());
    let length = u16::try_from(id.topic.len()).expect("topic names have at most 249 bytes");
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(id.topic.as_bytes());
}

/// Bits of a partition's flags before those of its moves.
pub(super) const FLAGS: u8 = 3;

fn put_partition(into: &mut Vec<u8>, partition: &PartitionRecord) {
    into.extend_from_slice(&partition.number.to_be_bytes());
    put_name(into, &partition.id, partition.segment_bytes);
    into.extend_from_slice(&partition.applied_lsn.to_be_bytes());
    for offset in [partition.log_start, partition.high_watermark, partition.log_end] {
        into.extend_from_slice(&offset.to_be_bytes());
    }
    let flags = [partition.has_folder, partition.index_saved, partition.replicated];
    let flags = flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag));
    into.push(flags | partition.copying.to_bits() << FLAGS);
    into.extend_from_slice(&count(partition.segments.len()).to_be_bytes());
    for segment in &partition.segments {
        into.extend_from_slice(&segment.base_offset.to_be_bytes());
        into.extend_from_slice(&segment.size.to_be_bytes());
        into.extend_from_slice(&segment.max_timestamp.to_be_bytes());
        into.extend_from_slice(&segment.max_timestamp_offset.to_be_bytes());
        into.extend_from_slice(&segment.first_timestamp.to_be_bytes());
        into.extend_from_slice(&segment.created_ms.to_be_bytes());
        into.extend_from_slice(&segment.modified_ms.to_be_bytes());
    }
    into.extend_from_slice(&count(partition.epochs.len()).to_be_bytes());
    for entry in &partition.epochs {
        into.extend_from_slice(&entry.epoch.to_be_bytes());
        into.extend_from_slice(&entry.start_offset.to_be_bytes());
    }
    let at = into.len();
    into.extend_from_slice(&[0; 4]);
    partition.producers.encode(into);
    let length = count(into.len() - at - 4);
    into[at..at + 4].copy_from_slice(&length.to_be_bytes());
    into.extend_from_slice(&count(partition.aborted.len()).to_be_bytes());
    for aborted in &partition.aborted {
        into.extend_from_slice(&aborted.producer_id.to_be_bytes());
        into.extend_from_slice(&aborted.first_offset.to_be_bytes());
        into.extend_from_slice(&aborted.last_offset.to_be_bytes());
        into.extend_from_slice(&aborted.last_stable_offset.to_be_bytes());
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a partition's state has fewer than 2^32 parts")
}
