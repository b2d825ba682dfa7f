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
const VERSION: u16 = 2;
/// Where the checksum ends; what follows in the header is covered after the payload.
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

    /// The header's bytes; `payload` has gone over all of the payload.
    pub(crate) fn encode(&self, session: &Session, mut payload: Checksum) -> [u8; HEADER_BYTES] {
        let mut head = [0; HEADER_BYTES];
        head[0..4].copy_from_slice(&MAGIC.to_be_bytes());
        head[4..6].copy_from_slice(&VERSION.to_be_bytes());
        head[6..8].copy_from_slice(&(HEADER_BYTES as u16).to_be_bytes());
        head[12..16].copy_from_slice(&self.payload_bytes.to_be_bytes());
        head[16..24].copy_from_slice(&self.start_lsn.to_be_bytes());
        head[24..32].copy_from_slice(&self.durable_lsn.to_be_bytes());
        head[32..40].copy_from_slice(&session.epoch.to_be_bytes());
        head[40..56].copy_from_slice(&session.directory.0);
        head[56..60].copy_from_slice(&self.padded_bytes.to_be_bytes());
        payload.update(&head[CHECKED_FROM..]);
        head[8..12].copy_from_slice(&payload.value().to_be_bytes());
        head
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
        let payload = bytes.get(HEADER_BYTES..end)?;
        let fits = header.padded_bytes as usize >= end && header.durable_lsn <= header.start_lsn;
        let crc = u32::from_be_bytes(array(head, 8));
        let mut checksum = Checksum::default();
        checksum.update(payload);
        checksum.update(&head[CHECKED_FROM..]);
        let whole = crc == checksum.value() || planted(Plant::TornGroupAccepted);
        (fits && whole).then_some(header)
    }
}

/// A group's checksum, taken while the group is filled: the bytes are in the cache then.
#[derive(Debug, Clone)]
pub(crate) struct Checksum(crc_fast::Digest);

impl Default for Checksum {
    fn default() -> Checksum {
        Checksum(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi))
    }
}

impl Checksum {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn value(&self) -> u32 {
        u32::try_from(self.0.finalize()).expect("a checksum of 32 bits")
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
