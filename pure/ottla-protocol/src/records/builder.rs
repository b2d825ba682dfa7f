//! Builds one batch, record by record. It never splits: how much goes into a batch is the caller's decision.

use bytes::Bytes;

use crate::records::attributes::{self, TimestampType};
use crate::records::compression::{Compression, compress};
use crate::records::crc::crc32c;
use crate::records::header::{
    BATCH_HEADER_SIZE, BatchHeader, LENGTH_OVERHEAD, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
};
use crate::records::varint::{put_varint, put_varlong, varint_size, varlong_size};

const ATTRIBUTES_AT: usize = 21;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOptions {
    pub base_offset: i64,
    pub leader_epoch: i32,
    pub compression: Compression,
    /// The codec's own scale; `None` is its default.
    pub level: Option<i32>,
    pub timestamp_type: TimestampType,
    /// The batch's timestamp, where `timestamp_type` is the broker's.
    pub log_append_time: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub transactional: bool,
    pub control: bool,
    /// When tombstones and markers may go; the cleaner's.
    pub delete_horizon_ms: Option<i64>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            base_offset: 0,
            leader_epoch: -1,
            compression: Compression::None,
            level: None,
            timestamp_type: TimestampType::CreateTime,
            log_append_time: -1,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            transactional: false,
            control: false,
            delete_horizon_ms: None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct BatchBuilder {
    options: BatchOptions,
    records: Vec<u8>,
    count: i32,
    last_offset: i64,
    base_timestamp: Option<i64>,
    max_timestamp: i64,
}

impl BatchBuilder {
    pub fn new(options: BatchOptions) -> Self {
        let last_offset = options.base_offset - 1;
        let base_timestamp = options.delete_horizon_ms;
        Self {
            options,
            records: Vec::new(),
            count: 0,
            last_offset,
            base_timestamp,
            max_timestamp: -1,
        }
    }

    /// Adds a record at the next offset.
    pub fn push(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        self.push_at(
            self.last_offset + 1,
            timestamp,
            key,
            value,
            headers.iter().map(|(key, value)| (key.as_bytes(), *value)),
        );
    }

    /// Adds a record at an offset of its own, which must lie above the last one: what the cleaner leaves has gaps.
    pub fn push_at<'a>(
        &mut self,
        offset: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = (&'a [u8], Option<&'a [u8]>)> + Clone,
    ) {
        assert!(offset > self.last_offset, "records go in by offset");
        let base_timestamp = *self.base_timestamp.get_or_insert(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(base_timestamp);
        let offset_delta = (offset - self.options.base_offset) as i32;
        let headers_size: usize =
            headers.clone().map(|(key, value)| slice_size(Some(key)) + slice_size(value)).sum();
        let size = 1
            + varlong_size(timestamp_delta)
            + varint_size(offset_delta)
            + slice_size(key)
            + slice_size(value)
            + varint_size(headers.len() as i32)
            + headers_size;
        let out = &mut self.records;
        out.reserve(size + 5);
        put_varint(out, size as i32);
        out.push(0);
        put_varlong(out, timestamp_delta);
        put_varint(out, offset_delta);
        put_slice(out, key);
        put_slice(out, value);
        put_varint(out, headers.len() as i32);
        for (key, value) in headers {
            put_slice(out, Some(key));
            put_slice(out, value);
        }
        self.count += 1;
        self.last_offset = offset;
        self.max_timestamp = self.max_timestamp.max(timestamp);
    }

    /// Stretches the batch's offsets to `last_offset`, whatever it holds: the cleaner keeps the original range.
    pub fn keep_last_offset(&mut self, last_offset: i64) {
        self.last_offset = self.last_offset.max(last_offset);
    }

    pub fn len(&self) -> usize {
        self.count as usize
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn last_offset(&self) -> i64 {
        self.last_offset
    }

    /// The batch's size if nothing compresses; compression only helps.
    pub fn estimated_size(&self) -> usize {
        BATCH_HEADER_SIZE + self.records.len()
    }

    /// The finished batch, with its CRC.
    pub fn build(self) -> Bytes {
        // A codec that fails leaves the records as they are: worse packed, but whole.
        let packed = match self.options.compression {
            Compression::None => None,
            codec => compress(codec, self.options.level, &self.records).ok(),
        };
        let codec = if packed.is_some() { self.options.compression } else { Compression::None };
        let body = packed.as_deref().unwrap_or(&self.records);
        let header = self.header(codec, body.len());
        let mut batch = Vec::with_capacity(BATCH_HEADER_SIZE + body.len());
        batch.extend_from_slice(&header.to_bytes());
        batch.extend_from_slice(body);
        let crc = crc32c(&batch[ATTRIBUTES_AT..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        Bytes::from(batch)
    }

    fn header(&self, codec: Compression, body: usize) -> BatchHeader {
        let options = &self.options;
        let log_append = options.timestamp_type == TimestampType::LogAppendTime;
        let bit = |set: bool, bit: i16| if set { bit } else { 0 };
        BatchHeader {
            base_offset: options.base_offset,
            batch_length: (BATCH_HEADER_SIZE - LENGTH_OVERHEAD + body) as i32,
            partition_leader_epoch: options.leader_epoch,
            magic: 2,
            crc: 0,
            attributes: i16::from(codec.code())
                | bit(log_append, attributes::LOG_APPEND_TIME)
                | bit(options.transactional, attributes::TRANSACTIONAL)
                | bit(options.control, attributes::CONTROL)
                | bit(options.delete_horizon_ms.is_some(), attributes::DELETE_HORIZON),
            last_offset_delta: (self.last_offset - options.base_offset).max(0) as i32,
            base_timestamp: self.base_timestamp.unwrap_or(-1),
            max_timestamp: if log_append { options.log_append_time } else { self.max_timestamp },
            producer_id: options.producer_id,
            producer_epoch: options.producer_epoch,
            base_sequence: options.base_sequence,
            records_count: self.count,
        }
    }
}

fn slice_size(slice: Option<&[u8]>) -> usize {
    match slice {
        None => 1,
        Some(slice) => varint_size(slice.len() as i32) + slice.len(),
    }
}

fn put_slice(out: &mut Vec<u8>, slice: Option<&[u8]>) {
    match slice {
        None => put_varint(out, -1),
        Some(slice) => {
            put_varint(out, slice.len() as i32);
            out.extend_from_slice(slice);
        }
    }
}
