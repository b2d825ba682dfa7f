//! Batches of records from a description, sound or broken on purpose, and the description of a batch
//! that was fetched.

use bytes::Bytes;
use ottla_protocol::json::{Json, Map, Value};
use ottla_protocol::records::{
    BATCH_HEADER_SIZE, BatchBuilder, BatchHeader, BatchOptions, Compression, TimestampType,
    batches, compress, crc32, crc32c, records, verify_crc,
};
use serde::Deserialize;

/// A record's key and value.
type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What a fetched batch may unpack to.
const UNPACKED_MAX: usize = 64 << 20;
/// The first timestamp where a description names none.
const FIRST_TIMESTAMP: i64 = 1_700_000_000_000;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;

/// One batch as a script describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Description {
    /// How many records; each has a value `v0`, `v1`, ….
    n: Option<usize>,
    /// The value of every record, instead.
    values: Option<Vec<Option<String>>>,
    /// The key of every record; none where it is not given.
    keys: Vec<Option<String>>,
    /// Bytes of filling in every value.
    value_size: usize,
    headers: Vec<(String, Option<String>)>,
    /// Of the first record; each later one is a millisecond later.
    timestamp: Option<i64>,
    codec: Option<String>,
    level: Option<i32>,
    /// 0 and 1 are messages as producers before 2017 send them.
    magic: i8,
    transactional: bool,
    control: bool,
    log_append_time: Option<i64>,
    producer_id: Option<i64>,
    producer_epoch: Option<i16>,
    base_sequence: Option<i32>,
    base_offset: i64,
    leader_epoch: Option<i32>,
    /// Offset deltas of the records, where they do not count up from 0.
    offsets: Option<Vec<i64>>,
    /// Hex that stands instead of the records.
    body: Option<String>,
    /// Header fields written over the right ones; the CRC is made anew unless it is among them.
    set: Set,
    /// A byte, counted from the start, that is turned over at the very end.
    flip: Option<usize>,
    /// Bytes taken off the end.
    cut: usize,
    /// Hex after the batch.
    tail: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Set {
    base_offset: Option<i64>,
    batch_length: Option<i32>,
    partition_leader_epoch: Option<i32>,
    magic: Option<i8>,
    crc: Option<u32>,
    attributes: Option<i16>,
    last_offset_delta: Option<i32>,
    base_timestamp: Option<i64>,
    max_timestamp: Option<i64>,
    producer_id: Option<i64>,
    producer_epoch: Option<i16>,
    base_sequence: Option<i32>,
    records_count: Option<i32>,
}

/// The bytes of the batches described by `list`.
pub(crate) fn build(list: &[Value]) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    for description in list {
        let mut with_default = description.clone();
        if let Value::Object(fields) = &mut with_default {
            fields.entry("magic").or_insert(2.into());
        }
        let description: Description = serde_json::from_value(with_default)
            .map_err(|error| format!("batch {description}: {error}"))?;
        bytes.extend_from_slice(&description.build()?);
    }
    Ok(bytes.into())
}

/// What a consumer sees in fetched bytes.
pub(crate) fn describe(bytes: &Bytes) -> Value {
    batches(bytes)
        .map(|batch| match batch {
            Ok((header, batch)) => describe_batch(&header, &batch),
            Err(error) => Value::from(error.to_string()),
        })
        .collect()
}

impl Description {
    fn build(&self) -> Result<Vec<u8>, String> {
        let mut batch = match self.magic {
            2 => self.batch()?,
            0 | 1 => self.legacy()?,
            other => return Err(format!("no messages of magic {other}: use set")),
        };
        if let Some(at) = self.flip {
            *batch.get_mut(at).ok_or("flip lies outside of the batch")? ^= 0x55;
        }
        batch.truncate(batch.len().saturating_sub(self.cut));
        batch.extend(unhex(&self.tail)?);
        Ok(batch)
    }

    fn batch(&self) -> Result<Vec<u8>, String> {
        let mut builder = BatchBuilder::new(BatchOptions {
            base_offset: self.base_offset,
            leader_epoch: self.leader_epoch.unwrap_or(-1),
            compression: self.codec()?,
            level: self.level,
            timestamp_type: match self.log_append_time {
                Some(_) => TimestampType::LogAppendTime,
                None => TimestampType::CreateTime,
            },
            log_append_time: self.log_append_time.unwrap_or(-1),
            producer_id: self.producer_id.unwrap_or(-1),
            producer_epoch: self.producer_epoch.unwrap_or(-1),
            base_sequence: self.base_sequence.unwrap_or(-1),
            transactional: self.transactional,
            control: self.control,
            delete_horizon_ms: None,
        });
        for (i, (key, value)) in self.pairs().into_iter().enumerate() {
            let offset = self.offsets.as_ref().and_then(|deltas| deltas.get(i).copied());
            let headers: Vec<(&[u8], Option<&[u8]>)> = self
                .headers
                .iter()
                .map(|(k, v)| (k.as_bytes(), v.as_ref().map(|v| v.as_bytes())))
                .collect();
            builder.push_at(
                self.base_offset + offset.unwrap_or(i as i64),
                self.timestamp.unwrap_or(FIRST_TIMESTAMP) + i as i64,
                key.as_deref(),
                value.as_deref(),
                headers.into_iter(),
            );
        }
        let mut batch = builder.build().to_vec();
        if let Some(body) = &self.body {
            batch.truncate(BATCH_HEADER_SIZE);
            batch.extend(unhex(body)?);
            let codec = i16::from(self.codec()?.code());
            batch[ATTRIBUTES_AT + 1] |= codec as u8;
            let length = (batch.len() - 12) as i32;
            batch[8..12].copy_from_slice(&length.to_be_bytes());
        }
        self.set.apply(&mut batch);
        Ok(batch)
    }

    fn legacy(&self) -> Result<Vec<u8>, String> {
        let codec = self.codec()?;
        let mut set = Vec::new();
        let pairs = self.pairs();
        let last = pairs.len() as i64 - 1;
        for (i, (key, value)) in pairs.into_iter().enumerate() {
            set.extend(self.message(i as i64, 0, key.as_deref(), value.as_deref()));
        }
        if codec == Compression::None {
            return Ok(set);
        }
        let packed = compress(codec, self.level, &set).map_err(|error| error.to_string())?;
        Ok(self.message(last, codec.code(), None, Some(&packed)))
    }

    fn message(
        &self,
        offset: i64,
        attributes: u8,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Vec<u8> {
        let mut body = vec![self.magic as u8, attributes];
        if self.magic == 1 {
            let timestamp = self.timestamp.unwrap_or(FIRST_TIMESTAMP) + offset;
            body.extend(timestamp.to_be_bytes());
        }
        for part in [key, value] {
            body.extend(part.map_or(-1, |part| part.len() as i32).to_be_bytes());
            body.extend(part.unwrap_or_default());
        }
        let mut message = offset.to_be_bytes().to_vec();
        message.extend((body.len() as i32 + 4).to_be_bytes());
        message.extend(crc32(&body).to_be_bytes());
        message.extend(body);
        message
    }

    fn codec(&self) -> Result<Compression, String> {
        let name = self.codec.as_deref().unwrap_or("none");
        Compression::from_name(name).ok_or_else(|| format!("no codec {name}"))
    }

    fn pairs(&self) -> Vec<Pair> {
        let bytes = |text: &String| text.clone().into_bytes();
        let values: Vec<_> = match &self.values {
            Some(values) => values.iter().map(|value| value.as_ref().map(bytes)).collect(),
            None => (0..self.n.unwrap_or(1)).map(|i| Some(format!("v{i}").into_bytes())).collect(),
        };
        let fill = |mut value: Vec<u8>| {
            value.resize(value.len().max(self.value_size), b'.');
            value
        };
        let key = |i: usize| self.keys.get(i).and_then(|key| key.as_ref().map(bytes));
        values.into_iter().enumerate().map(|(i, value)| (key(i), value.map(fill))).collect()
    }
}

impl Set {
    fn apply(&self, batch: &mut [u8]) {
        let mut put = |at: usize, bytes: Option<&[u8]>| {
            if let Some(bytes) = bytes {
                batch[at..at + bytes.len()].copy_from_slice(bytes);
            }
        };
        put(0, self.base_offset.map(i64::to_be_bytes).as_ref().map(|b| &b[..]));
        put(8, self.batch_length.map(i32::to_be_bytes).as_ref().map(|b| &b[..]));
        put(12, self.partition_leader_epoch.map(i32::to_be_bytes).as_ref().map(|b| &b[..]));
        put(16, self.magic.map(i8::to_be_bytes).as_ref().map(|b| &b[..]));
        put(21, self.attributes.map(i16::to_be_bytes).as_ref().map(|b| &b[..]));
        put(23, self.last_offset_delta.map(i32::to_be_bytes).as_ref().map(|b| &b[..]));
        put(27, self.base_timestamp.map(i64::to_be_bytes).as_ref().map(|b| &b[..]));
        put(35, self.max_timestamp.map(i64::to_be_bytes).as_ref().map(|b| &b[..]));
        put(43, self.producer_id.map(i64::to_be_bytes).as_ref().map(|b| &b[..]));
        put(51, self.producer_epoch.map(i16::to_be_bytes).as_ref().map(|b| &b[..]));
        put(53, self.base_sequence.map(i32::to_be_bytes).as_ref().map(|b| &b[..]));
        put(57, self.records_count.map(i32::to_be_bytes).as_ref().map(|b| &b[..]));
        let crc = self.crc.unwrap_or_else(|| crc32c(&batch[ATTRIBUTES_AT..]));
        batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    }
}

fn describe_batch(header: &BatchHeader, batch: &Bytes) -> Value {
    let mut fields = Map::new();
    fields.insert("baseOffset".into(), header.base_offset.into());
    fields.insert("leaderEpoch".into(), header.partition_leader_epoch.into());
    fields.insert("attributes".into(), header.attributes.into());
    fields.insert("lastOffsetDelta".into(), header.last_offset_delta.into());
    fields.insert("baseTimestamp".into(), header.base_timestamp.into());
    fields.insert("maxTimestamp".into(), header.max_timestamp.into());
    fields.insert("producerId".into(), header.producer_id.into());
    fields.insert("producerEpoch".into(), header.producer_epoch.into());
    fields.insert("baseSequence".into(), header.base_sequence.into());
    fields.insert("crcHolds".into(), verify_crc(batch).is_ok().into());
    let held: Value = match records(header, batch, UNPACKED_MAX) {
        Err(error) => error.to_string().into(),
        Ok(iter) => iter
            .map(|record| match record {
                Err(error) => Value::from(error.to_string()),
                Ok(record) => {
                    let headers: Vec<Value> = record
                        .headers
                        .iter()
                        .map(|(key, value)| Value::from(vec![key.as_str().into(), text(value)]))
                        .collect();
                    Value::from(vec![
                        record.offset.into(),
                        record.timestamp.into(),
                        text(&record.key),
                        text(&record.value),
                        Value::from(headers),
                    ])
                }
            })
            .collect(),
    };
    fields.insert("records".into(), held);
    Value::Object(fields)
}

/// A key or value: its text, or its length where it is long.
fn text(bytes: &Option<Bytes>) -> Value {
    match bytes {
        None => Value::Null,
        Some(bytes) if bytes.len() > 64 => format!("{} bytes", bytes.len()).into(),
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
    }
}

/// Kafka's JSON form of bytes.
pub(crate) fn base64(bytes: &Bytes) -> Value {
    bytes.to_json(0)
}

/// The bytes of Kafka's JSON form.
pub(crate) fn from_base64(text: &Value) -> Option<Bytes> {
    Bytes::from_json(text, 0).ok()
}

/// Bytes of hexadecimal digits; spaces are free.
pub(crate) fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2);
        pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
    });
    pairs.collect::<Option<Vec<u8>>>().ok_or_else(|| format!("not hexadecimal: {text}"))
}
