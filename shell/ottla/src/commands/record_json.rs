//! Records as JSON, one per line: what `consume` writes, `produce` reads.
//!
//! Key, value and header values are strings where they are UTF-8, else base64 under `key_base64`,
//! `value_base64`; null is null.

use bytes::Bytes;
use ottla_client::{ConsumedRecord, ProducerRecord};
use ottla_protocol::Str;
use ottla_protocol::records::TimestampType;
use serde_json::{Map, Value, json};

/// A record that was read.
pub(super) fn to_json(record: &ConsumedRecord) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(&*record.topic));
    object.insert("partition".to_owned(), json!(record.partition));
    object.insert("offset".to_owned(), json!(record.offset));
    object.insert("timestamp".to_owned(), json!(record.timestamp));
    if record.timestamp_type == TimestampType::LogAppendTime {
        object.insert("timestamp_type".to_owned(), json!("LogAppendTime"));
    }
    put_bytes(&mut object, "key", record.key.as_ref());
    put_bytes(&mut object, "value", record.value.as_ref());
    let headers = record.headers.iter().map(|(key, value)| {
        let mut header = Map::new();
        header.insert("key".to_owned(), json!(&**key));
        put_bytes(&mut header, "value", value.as_ref());
        Value::Object(header)
    });
    if !record.headers.is_empty() {
        object.insert("headers".to_owned(), headers.collect());
    }
    Value::Object(object)
}

/// A record to send. Its own topic, partition and timestamp are not taken: a file that was read
/// from one topic can be sent to another. `keep_partition` and `keep_timestamp` take them.
pub(super) fn from_json(line: &str, topic: &Str, keep: Keep) -> Result<ProducerRecord, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(object) = value else {
        return Err("not a JSON object with key and value".to_owned());
    };
    let number = |name: &str| object.get(name).and_then(Value::as_i64);
    let mut headers = Vec::new();
    for header in object.get("headers").and_then(Value::as_array).into_iter().flatten() {
        let header = header.as_object().ok_or("a header is an object with key and value")?;
        let key = header.get("key").and_then(Value::as_str).ok_or("a header without a key")?;
        headers.push((Str::copy_from(key), take_bytes(header, "value")?));
    }
    let partition = number("partition").filter(|_| keep.partition);
    Ok(ProducerRecord {
        topic: topic.clone(),
        partition: partition.map(i32::try_from).transpose().map_err(|e| e.to_string())?,
        key: take_bytes(&object, "key")?,
        value: take_bytes(&object, "value")?,
        headers,
        timestamp: number("timestamp").filter(|_| keep.timestamp),
    })
}

/// What of a line's own place is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Keep {
    pub(super) partition: bool,
    pub(super) timestamp: bool,
}

fn put_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&Bytes>) {
    let Some(bytes) = bytes else {
        object.insert(name.to_owned(), Value::Null);
        return;
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), json!(text)),
        Err(_) => object.insert(format!("{name}_base64"), json!(encode_base64(bytes))),
    };
}

fn take_bytes(object: &Map<String, Value>, name: &str) -> Result<Option<Bytes>, String> {
    if let Some(encoded) = object.get(&format!("{name}_base64")).and_then(Value::as_str) {
        let decoded = decode_base64(encoded);
        return decoded
            .map(|b| Some(b.into()))
            .ok_or_else(|| format!("{name}_base64 is no base64"));
    }
    Ok(match object.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(Bytes::copy_from_slice(text.as_bytes())),
        // An object as a value is what people mean by JSON records.
        Some(other) => Some(Bytes::from(other.to_string())),
    })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let three = [chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for at in 0..4 {
            if at > chunk.len() {
                text.push('=');
            } else {
                text.push(char::from(ALPHABET[(bits >> (18 - 6 * at)) as usize & 63]));
            }
        }
    }
    text
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for chunk in digits.chunks(4) {
        let mut bits = 0u32;
        for at in 0..4 {
            let value = match chunk.get(at) {
                Some(digit) => ALPHABET.iter().position(|known| known == digit)?,
                None => 0,
            };
            bits = bits << 6 | value as u32;
        }
        let three = bits.to_be_bytes();
        bytes.extend_from_slice(&three[1..chunk.len().max(1)]);
    }
    (digits.len() % 4 != 1).then_some(bytes)
}

#[cfg(test)]
mod tests;
