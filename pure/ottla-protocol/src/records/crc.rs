//! The two checksums of Kafka's records: CRC-32C for batches, CRC-32 for the old messages.

use crc_fast::{CrcAlgorithm, checksum};

pub fn crc32c(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

pub fn crc32(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32IsoHdlc, bytes) as u32
}
