//! Batches and whole produce requests, made before the clock runs. Sending one costs the client a write.

use bytes::Bytes;
use ottla_protocol::Str;
use ottla_protocol::messages::ProduceRequest;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::records::{
    BATCH_HEADER_SIZE, BatchBuilder, BatchHeader, BatchOptions, Compression, crc32c,
};

use crate::fault::Outcome;
use crate::wire;

/// Produce by name; 13 wants topic ids.
pub(crate) const PRODUCE_VERSION: i16 = 12;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const PRODUCER_ID_AT: usize = 43;

/// How a batch is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The batch with its header, before compression, at most; one record if none fits.
    pub(crate) batch_bytes: usize,
    /// The value of a record; records have no key.
    pub(crate) record_bytes: usize,
    pub(crate) compression: Compression,
}

impl Shape {
    /// A batch whose records differ from those of every other `seed`.
    pub(crate) fn batch(&self, seed: u64, timestamp_ms: i64) -> Bytes {
        let options = BatchOptions { compression: self.compression, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        let mut record = 0;
        while builder.is_empty() || builder.estimated_size() + record <= self.batch_bytes {
            let before = builder.estimated_size();
            let value = value(self.record_bytes, seed << 20 | builder.len() as u64);
            builder.push(timestamp_ms, None, Some(&value), &[]);
            // The next one is as large, but for an offset that may take a byte more.
            record = builder.estimated_size() - before + 1;
        }
        builder.build()
    }
}

/// Text like JSON of `length` bytes, of which about half is chance: it packs as real records do.
pub(crate) fn value(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut text = Vec::with_capacity(length + 64);
    while text.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let line = format!("{{\"id\":\"{state:016x}\",\"event\":\"page-view\",\"ok\":true}}");
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(length);
    text
}

/// One produce request with its frame, and where its batches lie in it.
pub(crate) struct Prepared {
    pub(crate) frame: Vec<u8>,
    pub(crate) batches: Vec<Placed>,
    /// All batches together, headers included.
    pub(crate) batch_bytes: u64,
    pub(crate) records: u64,
}

/// A batch inside a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) partition: i32,
    pub(crate) at: usize,
    pub(crate) length: usize,
    pub(crate) records: i32,
    /// As sent; it does not cover what the broker patches.
    pub(crate) crc: u32,
}

impl Prepared {
    /// A request with one batch for each of `parts`.
    pub(crate) fn new(topic: &str, acks: i16, parts: &[(i32, Bytes)]) -> Outcome<Prepared> {
        let data = |(index, records): &(i32, Bytes)| PartitionProduceData {
            index: *index,
            records: Some(records.clone()),
            ..PartitionProduceData::default()
        };
        let topic = TopicProduceData {
            name: Str::copy_from(topic),
            partition_data: parts.iter().map(data).collect(),
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks,
            timeout_ms: 30_000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        let frame = wire::frame(0, PRODUCE_VERSION, &request)?;
        let mut batches = Vec::with_capacity(parts.len());
        let mut from = 0;
        for (partition, batch) in parts {
            let at = from + find(&frame[from..], batch);
            from = at + batch.len();
            let header = BatchHeader::parse(batch).map_err(|error| {
                crate::fault::Fault::new(format!("a batch that was just made is none: {error}"))
            })?;
            batches.push(Placed {
                partition: *partition,
                at,
                length: batch.len(),
                records: header.records_count,
                crc: header.crc,
            });
        }
        let batch_bytes = batches.iter().map(|batch| batch.length as u64).sum();
        let records = batches.iter().map(|batch| batch.records as u64).sum();
        Ok(Prepared { frame, batches, batch_bytes, records })
    }

    pub(crate) fn set_correlation(&mut self, correlation: i32) {
        let at = wire::CORRELATION_AT;
        self.frame[at..at + 4].copy_from_slice(&correlation.to_be_bytes());
    }

    /// Makes each batch the next one of an idempotent producer; costs a CRC over each.
    pub(crate) fn set_sequences(&mut self, id: i64, epoch: i16, next: &mut [i32]) {
        for batch in &mut self.batches {
            let Some(sequence) = next.get_mut(batch.partition as usize) else { continue };
            let bytes = &mut self.frame[batch.at..batch.at + batch.length];
            let fields = &mut bytes[PRODUCER_ID_AT..];
            fields[..8].copy_from_slice(&id.to_be_bytes());
            fields[8..10].copy_from_slice(&epoch.to_be_bytes());
            fields[10..14].copy_from_slice(&sequence.to_be_bytes());
            *sequence = sequence.wrapping_add(batch.records) & i32::MAX;
            batch.crc = seal(bytes);
        }
    }
}

/// Writes a batch's CRC anew after something in it was changed.
pub(crate) fn seal(batch: &mut [u8]) -> u32 {
    let crc = crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    crc
}

fn find(frame: &[u8], batch: &[u8]) -> usize {
    let head = &batch[..BATCH_HEADER_SIZE.min(batch.len())];
    frame.windows(head.len()).position(|window| window == head).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::records::verify_crc;

    #[test]
    fn a_request_says_where_its_batches_are() {
        let shape = Shape { batch_bytes: 1_000, record_bytes: 100, compression: Compression::None };
        let parts = [(3, shape.batch(1, 1_000)), (5, shape.batch(2, 1_000))];
        let mut request = Prepared::new("topic", -1, &parts).expect("a request");
        for (place, (partition, batch)) in request.batches.iter().zip(&parts) {
            assert_eq!(place.partition, *partition);
            assert_eq!(&request.frame[place.at..place.at + place.length], &batch[..]);
        }
        let mut next = vec![0; 6];
        next[5] = i32::MAX - 1;
        request.set_sequences(7, 2, &mut next);
        assert_eq!(next[3], 8, "eight records of 110 bytes and less fit");
        assert_eq!(next[5], 6, "sequences go round at 2^31");
        for place in &request.batches {
            let batch = &request.frame[place.at..place.at + place.length];
            verify_crc(batch).expect("the CRC fits again");
            let header = BatchHeader::parse(batch).expect("a header");
            assert_eq!((header.producer_id, header.producer_epoch), (7, 2));
        }
    }

    #[test]
    fn batches_hold_what_fits_and_at_least_one_record() {
        let shape = |batch_bytes, record_bytes| Shape {
            batch_bytes,
            record_bytes,
            compression: Compression::None,
        };
        let full = shape(65_536, 100).batch(1, 0);
        assert!(full.len() <= 65_536 && full.len() > 63_000, "{}", full.len());
        let one = shape(100, 1_024).batch(1, 0);
        assert_eq!(BatchHeader::parse(&one).expect("a header").records_count, 1);
        assert_ne!(shape(200, 100).batch(1, 0), shape(200, 100).batch(2, 0));
    }
}
