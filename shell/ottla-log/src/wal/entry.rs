//! One entry of the write-ahead log: 32 bytes of head, then the payload. See docs/storage-format.md.
//!
//! The group that holds an entry carries the checksum; an entry has none of its own.

use bytes::Bytes;

/// Bytes of an entry's head.
pub(crate) const HEAD_BYTES: usize = 32;

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum EntryKind {
    /// Payload: record batches with their final offsets. `offset` is the first one's base.
    Append = 1,
    /// Payload: the name of a new partition, see `checkpoint::encode_name`. `extra` 1: it is a copy, as in
    /// `Move`.
    Create = 2,
    /// The partition is gone.
    Delete = 3,
    /// Records at `offset` and above are gone.
    Truncate = 4,
    /// Records below `offset` are gone.
    LogStart = 5,
    /// Leader epoch `extra` begins at `offset`.
    Epoch = 6,
    /// All records are gone; the log goes on at `offset`.
    Restart = 7,
    /// What is below `offset` is committed; from here on followers say so (`extra` 1) or this disk
    /// alone (0).
    Commit = 8,
    /// The log is a copy under way of one in another directory (`extra` 1), or the replica itself from
    /// here on (0), which was moved `offset` times.
    Move = 9,
}

impl EntryKind {
    fn from_u8(value: u8) -> Option<EntryKind> {
        Some(match value {
            1 => EntryKind::Append,
            2 => EntryKind::Create,
            3 => EntryKind::Delete,
            4 => EntryKind::Truncate,
            5 => EntryKind::LogStart,
            6 => EntryKind::Epoch,
            7 => EntryKind::Restart,
            8 => EntryKind::Commit,
            9 => EntryKind::Move,
            _ => return None,
        })
    }
}

/// The head of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryHead {
    pub(crate) kind: EntryKind,
    /// The partition's number in this directory; never used twice.
    pub(crate) number: u64,
    pub(crate) offset: i64,
    pub(crate) extra: i64,
}

impl EntryHead {
    /// Writes the head into the first bytes of `into`.
    pub(crate) fn encode(&self, payload_len: usize, into: &mut [u8]) {
        let length = u32::try_from(payload_len).expect("an entry is smaller than a file");
        into[..4].copy_from_slice(&[self.kind as u8, 0, 0, 0]);
        into[4..8].copy_from_slice(&length.to_be_bytes());
        into[8..16].copy_from_slice(&self.number.to_be_bytes());
        into[16..24].copy_from_slice(&self.offset.to_be_bytes());
        into[24..32].copy_from_slice(&self.extra.to_be_bytes());
    }
}

/// An entry read back. The group's checksum held, so a malformed one means a wrong writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) head: EntryHead,
    pub(crate) payload: Bytes,
    /// The position after it.
    pub(crate) lsn: u64,
}

/// The entries of a group's payload that begins at `start_lsn`; `Err` says what is malformed.
pub(crate) fn entries(payload: &Bytes, start_lsn: u64) -> Result<Vec<Entry>, String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let rest = &payload[at..];
        if rest.len() < HEAD_BYTES {
            return Err(format!("an entry's head is cut short at byte {at} of its group"));
        }
        let length = u32::from_be_bytes(array(rest, 4)) as usize;
        let kind = EntryKind::from_u8(rest[0])
            .ok_or_else(|| format!("unknown entry kind {} at byte {at} of its group", rest[0]))?;
        if rest.len() - HEAD_BYTES < length {
            return Err(format!("an entry is cut short at byte {at} of its group"));
        }
        let head = EntryHead {
            kind,
            number: u64::from_be_bytes(array(rest, 8)),
            offset: i64::from_be_bytes(array(rest, 16)),
            extra: i64::from_be_bytes(array(rest, 24)),
        };
        let end = at + HEAD_BYTES + length;
        let payload = payload.slice(at + HEAD_BYTES..end);
        found.push(Entry { head, payload, lsn: start_lsn + end as u64 });
        at = end;
    }
    Ok(found)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the caller checked the length")
}
