//! Producer state as bytes: Kafka's `.snapshot` file, and an exact form for the checkpoint.
//!
//! Kafka's keeps only the last batch of each producer. The exact form keeps all that is remembered,
//! so that a restart answers every retry as before; its container adds the checksum.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, BufMut, Bytes};
use crc_fast::CrcAlgorithm;
use ottla_protocol::messages::ProducerSnapshot;
use ottla_protocol::messages::producer_snapshot::ProducerEntry;
use ottla_protocol::{decode_exact, encode_to_bytes};

use super::{BATCHES_REMEMBERED, BatchMemory, ProducerState, Producers};
use crate::error::Corruption;

impl Producers {
    /// The bytes of Kafka's `<offset>.snapshot`: version 1, CRC-32C of what follows it, entries.
    pub fn to_snapshot(&self) -> Bytes {
        let snapshot = ProducerSnapshot {
            producer_entries: self.states.iter().map(|(id, state)| entry(*id, state)).collect(),
            ..ProducerSnapshot::default()
        };
        let body = encode_to_bytes(&snapshot, SNAPSHOT_VERSION)
            .expect("numbers and an array of numbers can always be encoded");
        let mut bytes = Vec::with_capacity(body.len() + 2);
        bytes.put_i16(SNAPSHOT_VERSION);
        bytes.put_slice(&body);
        let crc = checksum(&bytes[CRC_END..]);
        bytes[CRC_START..CRC_END].copy_from_slice(&crc.to_be_bytes());
        bytes.into()
    }

    /// Reads Kafka's `.snapshot`, leaving out producers that expired; -1 for `expiration_ms` keeps
    /// all.
    ///
    /// # Errors
    /// A version, a checksum or a length that is wrong: the state is to be rebuilt from the log.
    pub fn from_snapshot(
        bytes: Bytes,
        now_ms: i64,
        expiration_ms: i64,
    ) -> Result<Producers, Corruption> {
        if bytes.len() < CRC_END {
            return Err(Corruption::new(0, "the producer snapshot is shorter than its header"));
        }
        let version = i16::from_be_bytes([bytes[0], bytes[1]]);
        if version != SNAPSHOT_VERSION {
            return Err(Corruption::new(0, format!("producer snapshot version {version}")));
        }
        let crc = u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]);
        if crc != checksum(&bytes[CRC_END..]) {
            return Err(Corruption::new(2, "the producer snapshot's checksum does not match"));
        }
        let snapshot: ProducerSnapshot = decode_exact(bytes.slice(2..), SNAPSHOT_VERSION)
            .map_err(|error| Corruption::new(2, error.to_string()))?;
        let mut producers = Producers::new();
        for entry in snapshot.producer_entries {
            producers.insert(entry.producer_id, state(&entry));
        }
        if expiration_ms >= 0 {
            producers.expire(now_ms, expiration_ms);
        }
        Ok(producers)
    }

    /// Appends the exact state.
    pub fn encode(&self, into: &mut Vec<u8>) {
        into.put_u8(EXACT_VERSION);
        into.put_u32(count(self.states.len()));
        for (id, state) in &self.states {
            into.put_i64(*id);
            into.put_i16(state.epoch);
            into.put_i32(state.coordinator_epoch);
            into.put_i64(state.last_timestamp);
            into.put_i64(state.transaction_start.unwrap_or(-1));
            into.put_u8(u8::try_from(state.batches.len()).expect("at most five batches"));
            for batch in &state.batches {
                into.put_i32(batch.last_sequence);
                into.put_i64(batch.last_offset);
                into.put_i32(batch.offset_delta);
                into.put_i64(batch.timestamp);
            }
        }
        into.put_u32(count(self.unreplicated.len()));
        for (first, last) in &self.unreplicated {
            into.put_i64(*first);
            into.put_i64(*last);
        }
    }

    /// Takes an exact state off the front of `bytes`.
    ///
    /// # Errors
    /// A version or a length that is wrong.
    pub fn decode(bytes: &mut Bytes) -> Result<Producers, Corruption> {
        let torn = |_| Corruption::new(0, "the producer state is torn");
        let version = bytes.try_get_u8().map_err(torn)?;
        if version != EXACT_VERSION {
            return Err(Corruption::new(0, format!("producer state version {version}")));
        }
        let mut producers = Producers::new();
        for _ in 0..bytes.try_get_u32().map_err(torn)? {
            let id = bytes.try_get_i64().map_err(torn)?;
            let mut state = ProducerState {
                epoch: bytes.try_get_i16().map_err(torn)?,
                coordinator_epoch: bytes.try_get_i32().map_err(torn)?,
                last_timestamp: bytes.try_get_i64().map_err(torn)?,
                transaction_start: offset(bytes.try_get_i64().map_err(torn)?),
                batches: VecDeque::new(),
            };
            let batches = bytes.try_get_u8().map_err(torn)?;
            if usize::from(batches) > BATCHES_REMEMBERED {
                return Err(Corruption::new(0, format!("{batches} batches of one producer")));
            }
            for _ in 0..batches {
                state.batches.push_back(BatchMemory {
                    last_sequence: bytes.try_get_i32().map_err(torn)?,
                    last_offset: bytes.try_get_i64().map_err(torn)?,
                    offset_delta: bytes.try_get_i32().map_err(torn)?,
                    timestamp: bytes.try_get_i64().map_err(torn)?,
                });
            }
            producers.insert(id, state);
        }
        let mut unreplicated = BTreeMap::new();
        for _ in 0..bytes.try_get_u32().map_err(torn)? {
            let first = bytes.try_get_i64().map_err(torn)?;
            unreplicated.insert(first, bytes.try_get_i64().map_err(torn)?);
        }
        producers.unreplicated = unreplicated;
        Ok(producers)
    }

    fn insert(&mut self, producer_id: i64, state: ProducerState) {
        if let Some(start) = state.transaction_start {
            self.ongoing.insert(start, producer_id);
        }
        self.states.insert(producer_id, state);
    }
}

fn entry(producer_id: i64, state: &ProducerState) -> ProducerEntry {
    let last = state.batches.back();
    ProducerEntry {
        producer_id,
        epoch: state.epoch,
        last_sequence: last.map_or(-1, |batch| batch.last_sequence),
        last_offset: last.map_or(-1, |batch| batch.last_offset),
        offset_delta: last.map_or(0, |batch| batch.offset_delta),
        timestamp: state.last_timestamp,
        coordinator_epoch: state.coordinator_epoch,
        current_txn_first_offset: state.transaction_start.unwrap_or(-1),
    }
}

fn state(entry: &ProducerEntry) -> ProducerState {
    let batch = BatchMemory {
        last_sequence: entry.last_sequence,
        last_offset: entry.last_offset,
        offset_delta: entry.offset_delta,
        timestamp: entry.timestamp,
    };
    ProducerState {
        epoch: entry.epoch,
        coordinator_epoch: entry.coordinator_epoch,
        last_timestamp: entry.timestamp,
        transaction_start: offset(entry.current_txn_first_offset),
        batches: (entry.last_offset >= 0).then_some(batch).into_iter().collect(),
    }
}

fn offset(raw: i64) -> Option<i64> {
    (raw >= 0).then_some(raw)
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("fewer than 2^32 producers fit in memory")
}

fn checksum(bytes: &[u8]) -> u32 {
    u32::try_from(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes)).expect("CRC-32C has 32 bits")
}

const SNAPSHOT_VERSION: i16 = 1;
const CRC_START: usize = 2;
const CRC_END: usize = 6;
const EXACT_VERSION: u8 = 1;
