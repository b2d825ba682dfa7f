//! `.txnindex`: the aborted transactions whose marker lies in the segment, 34 bytes each.
//!
//! Version 0 (2 bytes), producer id, first offset, last offset (the marker's), last stable offset
//! when the marker was written (8 each), big endian, in order of last offset.

use super::array;
use crate::error::Corruption;

/// A transaction that a read-committed consumer skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
    /// The offset of the abort marker.
    pub last_offset: i64,
    /// The first offset of the oldest transaction then still open, or the one after the marker.
    pub last_stable_offset: i64,
}

/// The aborted transactions of one segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TxnIndex {
    entries: Vec<AbortedTransaction>,
}

const ENTRY: usize = 34;

impl TxnIndex {
    /// An index without entries.
    pub const fn new() -> TxnIndex {
        TxnIndex { entries: Vec::new() }
    }

    /// The entries in order of last offset.
    pub fn entries(&self) -> &[AbortedTransaction] {
        &self.entries
    }

    /// Whether there are none; Kafka writes no file then.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds one; markers are written in order, so an older one is a repetition and is left out.
    pub fn append(&mut self, aborted: AbortedTransaction) {
        if self.entries.last().is_none_or(|last| last.last_offset < aborted.last_offset) {
            self.entries.push(aborted);
        }
    }

    /// Adds to `into` those that overlap `from..upper`; says whether later segments may be left out:
    /// an abort whose last stable offset reaches `upper` proves that nothing later concerns it.
    pub fn collect(&self, from: i64, upper: i64, into: &mut Vec<AbortedTransaction>) -> bool {
        for aborted in &self.entries {
            if aborted.last_offset >= from && aborted.first_offset < upper {
                into.push(*aborted);
            }
            if aborted.last_stable_offset >= upper {
                return true;
            }
        }
        false
    }

    /// Drops those whose marker lies at or past `offset`.
    pub fn truncate(&mut self, offset: i64) {
        let keep = self.entries.partition_point(|aborted| aborted.last_offset < offset);
        self.entries.truncate(keep);
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * ENTRY);
        for aborted in &self.entries {
            bytes.extend_from_slice(&0i16.to_be_bytes());
            bytes.extend_from_slice(&aborted.producer_id.to_be_bytes());
            bytes.extend_from_slice(&aborted.first_offset.to_be_bytes());
            bytes.extend_from_slice(&aborted.last_offset.to_be_bytes());
            bytes.extend_from_slice(&aborted.last_stable_offset.to_be_bytes());
        }
        bytes
    }

    /// Reads a whole file, trusting nothing.
    ///
    /// # Errors
    /// What does not hold; the index is to be rebuilt from the log.
    pub fn decode_checked(bytes: &[u8], base_offset: i64) -> Result<TxnIndex, Corruption> {
        if !bytes.len().is_multiple_of(ENTRY) {
            return Err(Corruption::new(
                bytes.len() as u64,
                "the transaction index has a torn entry",
            ));
        }
        let mut entries: Vec<AbortedTransaction> = Vec::with_capacity(bytes.len() / ENTRY);
        for (number, chunk) in bytes.chunks_exact(ENTRY).enumerate() {
            let version = i16::from_be_bytes(array(chunk, 0));
            let aborted = AbortedTransaction {
                producer_id: i64::from_be_bytes(array(chunk, 2)),
                first_offset: i64::from_be_bytes(array(chunk, 10)),
                last_offset: i64::from_be_bytes(array(chunk, 18)),
                last_stable_offset: i64::from_be_bytes(array(chunk, 26)),
            };
            let ordered = aborted.first_offset <= aborted.last_offset
                && aborted.last_offset >= base_offset
                && entries.last().is_none_or(|last| last.last_offset < aborted.last_offset);
            if version != 0 || !ordered {
                let what =
                    format!("transaction index entry {number} (version {version}) is not valid");
                return Err(Corruption::new((number * ENTRY) as u64, what));
            }
            entries.push(aborted);
        }
        Ok(TxnIndex { entries })
    }
}

#[cfg(test)]
mod tests;
