//! The frame around what is written at once: a header of 64 bytes with the checksum, the entries,
//! zeroes up to the next boundary. See docs/storage-format.md.
//!
//! A group is taken for valid only if directory, epoch, position and checksum agree, so what an
//! earlier use of a recycled file left behind is never mistaken for new.

use ottla_plant::{Plant, planted};
use ottla_protocol::Uuid;

/// Bytes of a group's header.
pub(crate) const HEADER_BYTES: usize = 64;
/// Groups begin at multiples of this.
pub(crate) const GROUP_ALIGNMENT: usize = 64;
/// In `flush=wal` a group has its pages for itself, so that a torn write harms no other.
pub(crate) const PAGE_BYTES: usize = 4096;

const MAGIC: u32 = 0x4f57_414c;
const VERSION: u16 = 1;
/// Where the checksum ends and what it covers begins.
const CHECKED_FROM: usize = 12;

/// Whose groups these are: one session of one directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) directory: Uuid,
    /// Raised at each start.
    pub(crate) epoch: u64,
}

/// A group's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    /// The position of the first payload byte in the stream of entries.
    pub(crate) start_lsn: u64,
    /// What was known to be durable when this was written: `durable_lsn <= start_lsn`.
    pub(crate) durable_lsn: u64,
    pub(crate) payload_bytes: u32,
    /// From this group's first byte to the next one's.
    pub(crate) padded_bytes: u32,
}

impl GroupHeader {
    /// The position after the payload.
    pub(crate) fn end_lsn(&self) -> u64 {
        self.start_lsn + u64::from(self.payload_bytes)
    }

    /// Fills in the header of `group`, whose payload already stands behind the header.
    pub(crate) fn seal(&self, session: &Session, group: &mut [u8]) {
        let end = HEADER_BYTES + self.payload_bytes as usize;
        group[0..4].copy_from_slice(&MAGIC.to_be_bytes());
        group[4..6].copy_from_slice(&VERSION.to_be_bytes());
        group[6..8].copy_from_slice(&(HEADER_BYTES as u16).to_be_bytes());
        group[12..16].copy_from_slice(&self.payload_bytes.to_be_bytes());
        group[16..24].copy_from_slice(&self.start_lsn.to_be_bytes());
        group[24..32].copy_from_slice(&self.durable_lsn.to_be_bytes());
        group[32..40].copy_from_slice(&session.epoch.to_be_bytes());
        group[40..56].copy_from_slice(&session.directory.0);
        group[56..60].copy_from_slice(&self.padded_bytes.to_be_bytes());
        group[60..64].fill(0);
        let crc = crc32c(&group[CHECKED_FROM..end]);
        group[8..12].copy_from_slice(&crc.to_be_bytes());
    }

    /// The valid group of this session at the beginning of `bytes`, if there is one.
    pub(crate) fn parse(session: &Session, bytes: &[u8]) -> Option<GroupHeader> {
        let head = bytes.get(..HEADER_BYTES)?;
        let known = head[0..4] == MAGIC.to_be_bytes()
            && head[4..6] == VERSION.to_be_bytes()
            && head[6..8] == (HEADER_BYTES as u16).to_be_bytes()
            && head[32..40] == session.epoch.to_be_bytes()
            && head[40..56] == session.directory.0;
        if !known {
            return None;
        }
        let header = GroupHeader {
            payload_bytes: u32::from_be_bytes(array(head, 12)),
            start_lsn: u64::from_be_bytes(array(head, 16)),
            durable_lsn: u64::from_be_bytes(array(head, 24)),
            padded_bytes: u32::from_be_bytes(array(head, 56)),
        };
        let end = HEADER_BYTES.checked_add(header.payload_bytes as usize)?;
        let covered = bytes.get(CHECKED_FROM..end)?;
        let fits = header.padded_bytes as usize >= end && header.durable_lsn <= header.start_lsn;
        let crc = u32::from_be_bytes(array(head, 8));
        let whole = crc == crc32c(covered) || planted(Plant::TornGroupAccepted);
        (fits && whole).then_some(header)
    }
}

/// CRC-32C, as in Kafka's record batches.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    u32::try_from(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes))
        .expect("a checksum of 32 bits")
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the caller checked the length")
}
