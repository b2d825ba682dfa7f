//! The records inside a batch: borrowed ones for checking, owned ones that share the batch's memory.

use bytes::Bytes;

use crate::records::attributes::TimestampType;
use crate::records::batch_error::BatchError;
use crate::records::compression::{Compression, decompress};
use crate::records::header::{BATCH_HEADER_SIZE, BatchHeader};
use crate::records::varint::Reader;
use crate::str::Str;

/// The fewest bytes a header of a record takes.
const HEADER_LEAST: usize = 2;

/// A record whose key, value and headers are slices of its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    /// In order, with duplicates.
    pub headers: Vec<(Str, Option<Bytes>)>,
}

/// A record as it lies in the batch; reading one allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    pub offset: i64,
    /// The delta as written: the broker checks that they count up from 0.
    pub offset_delta: i32,
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers_count: usize,
    /// The headers, checked but not taken apart.
    headers: &'a [u8],
}

impl<'a> RecordRef<'a> {
    /// The headers in order, with duplicates.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let mut reader = Reader::new(self.headers, 0);
        (0..self.headers_count).map_while(move |_| header(&mut reader).ok())
    }
}

/// Iterates over the records of one whole batch; stops after the first error, and makes an error of a batch that
/// holds fewer or more than its header says.
#[derive(Debug, Clone)]
pub struct RecordIter {
    body: Bytes,
    at: usize,
    remaining: i32,
    base_offset: i64,
    base_timestamp: i64,
    /// The one timestamp of all records, where the broker set it.
    log_append_time: Option<i64>,
}

/// The records of `batch`, whose header is `header`. Compressed ones are unpacked up to `max_output` bytes;
/// others stay slices of the batch.
pub fn records(
    header: &BatchHeader,
    batch: &Bytes,
    max_output: usize,
) -> Result<RecordIter, BatchError> {
    let size = header.size_in_bytes();
    if size > batch.len() {
        return Err(BatchError::Truncated { needed: size, remaining: batch.len() });
    }
    let body = batch.slice(BATCH_HEADER_SIZE.min(size)..size);
    let body = match header.compression()? {
        Compression::None => body,
        // A batch without records may come without even an empty stream.
        _ if header.records_count == 0 && body.is_empty() => body,
        codec => decompress(codec, &body, max_output)?,
    };
    Ok(RecordIter::new(header, body))
}

impl RecordIter {
    /// `body` is what follows the header, already unpacked.
    pub fn new(header: &BatchHeader, body: Bytes) -> Self {
        let log_append_time = match header.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(header.max_timestamp),
        };
        Self {
            body,
            at: 0,
            remaining: header.records_count,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            log_append_time,
        }
    }

    /// The next record without taking a share of the batch's memory.
    #[inline]
    pub fn next_ref(&mut self) -> Option<Result<RecordRef<'_>, BatchError>> {
        if self.remaining <= 0 {
            let left_over = self.remaining == 0 && self.at < self.body.len();
            self.remaining = -1;
            return left_over.then_some(Err(BatchError::InvalidRecord(
                "bytes left over after the last record",
            )));
        }
        self.remaining -= 1;
        let mut reader = Reader::new(&self.body, self.at);
        let read = read(&mut reader, self.base_offset, self.base_timestamp, self.log_append_time);
        self.at = reader.position();
        if read.is_err() {
            self.remaining = -1;
        }
        Some(read)
    }
}

impl Iterator for RecordIter {
    type Item = Result<Record, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        // The body is shared before the borrow, so that slices of it can be taken.
        let body = self.body.clone();
        let record = match self.next_ref()? {
            Ok(record) => record,
            Err(error) => return Some(Err(error)),
        };
        let share = |slice: &[u8]| match slice {
            [] => Bytes::new(),
            slice => body.slice_ref(slice),
        };
        Some(Ok(Record {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(share),
            value: record.value.map(share),
            headers: record
                .headers()
                .map(|(key, value)| (Str::from_utf8_lossy(share(key)), value.map(share)))
                .collect(),
        }))
    }
}

/// In line, and with it all that it reads: checking is once a record, and as dear as all the rest.
#[inline]
fn read<'a>(
    reader: &mut Reader<'a>,
    base_offset: i64,
    base_timestamp: i64,
    log_append_time: Option<i64>,
) -> Result<RecordRef<'a>, BatchError> {
    let length = reader.varint()?;
    if length < 0 {
        return Err(BatchError::InvalidLength(length.into()));
    }
    // Confined to its own length, a record cannot reach into the next.
    let mut inner = Reader::new(reader.take(length as usize)?, 0);
    let _attributes = inner.i8()?;
    let timestamp_delta = inner.varlong()?;
    let offset_delta = inner.varint()?;
    let key = inner.nullable_slice()?;
    let value = inner.nullable_slice()?;
    let (headers_count, headers) = headers(&mut inner)?;
    if inner.remaining() != 0 {
        return Err(BatchError::InvalidRecord("shorter than its length"));
    }
    Ok(RecordRef {
        offset: base_offset.wrapping_add(offset_delta.into()),
        offset_delta,
        timestamp: log_append_time.unwrap_or(base_timestamp.wrapping_add(timestamp_delta)),
        key,
        value,
        headers_count,
        headers,
    })
}

#[inline]
fn headers<'a>(reader: &mut Reader<'a>) -> Result<(usize, &'a [u8]), BatchError> {
    let count = reader.varint()?;
    if count < 0 || count as usize > reader.remaining() / HEADER_LEAST {
        return Err(BatchError::InvalidRecord("more headers than bytes"));
    }
    if count == 0 {
        return Ok((0, &[]));
    }
    let mut ahead = *reader;
    for _ in 0..count {
        header(&mut ahead)?;
    }
    let span = reader.take(ahead.position() - reader.position())?;
    Ok((count as usize, span))
}

type Header<'a> = (&'a [u8], Option<&'a [u8]>);

fn header<'a>(reader: &mut Reader<'a>) -> Result<Header<'a>, BatchError> {
    let Some(key) = reader.nullable_slice()? else {
        return Err(BatchError::InvalidRecord("a header without a key"));
    };
    Ok((key, reader.nullable_slice()?))
}
