//! As much of Kafka's protocol as the harness needs, by hand: a task of the repository is built in
//! seconds, and what it says of a broker owes nothing to the code under test.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Largest answer that is taken.
const FRAME_BYTES_MAX: usize = 64 << 20;
/// Bytes of a batch before its records.
const BATCH_HEADER: usize = 61;

/// A connection: a request, then its answer.
pub(crate) struct Wire {
    stream: TcpStream,
    correlation: i32,
}

impl Wire {
    pub(crate) fn connect(address: &str, limit: Duration) -> Result<Wire, String> {
        let wrong = |error: std::io::Error| format!("{address}: {error}");
        let found = address.to_socket_addrs().map_err(wrong)?.next();
        let found = found.ok_or_else(|| format!("{address}: no address"))?;
        let stream = TcpStream::connect_timeout(&found, limit).map_err(wrong)?;
        stream.set_nodelay(true).map_err(wrong)?;
        stream.set_read_timeout(Some(limit)).map_err(wrong)?;
        stream.set_write_timeout(Some(limit)).map_err(wrong)?;
        Ok(Wire { stream, correlation: 0 })
    }

    /// Sends a request of an old kind (no tagged fields), and reads its answer.
    pub(crate) fn call(&mut self, api: i16, version: i16, body: &[u8]) -> Result<Answer, String> {
        self.exchange(api, version, &[], body)
    }

    /// The same for a flexible version; skips the tags of the answer's header.
    pub(crate) fn call_flexible(
        &mut self,
        api: i16,
        version: i16,
        body: &[u8],
    ) -> Result<Answer, String> {
        let mut answer = self.exchange(api, version, &[0], body)?;
        answer.tags()?;
        Ok(answer)
    }

    fn exchange(
        &mut self,
        api: i16,
        version: i16,
        tags: &[u8],
        body: &[u8],
    ) -> Result<Answer, String> {
        self.correlation += 1;
        let mut frame = vec![0; 4];
        frame.extend_from_slice(&api.to_be_bytes());
        frame.extend_from_slice(&version.to_be_bytes());
        frame.extend_from_slice(&self.correlation.to_be_bytes());
        string(&mut frame, "ottla-xtask");
        frame.extend_from_slice(tags);
        frame.extend_from_slice(body);
        let length = u32::try_from(frame.len() - 4).map_err(|error| error.to_string())?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).map_err(|error| error.to_string())?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(|error| error.to_string())?;
        let length = u32::from_be_bytes(length) as usize;
        if !(4..=FRAME_BYTES_MAX).contains(&length) {
            return Err(format!("an answer of {length} bytes"));
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).map_err(|error| error.to_string())?;
        let mut answer = Answer { bytes, at: 0 };
        match answer.i32()? {
            id if id == self.correlation => Ok(answer),
            other => Err(format!("answer {other} to question {}", self.correlation)),
        }
    }
}

/// An answer that is read front to back.
pub(crate) struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| format!("the answer ends at {}", self.bytes.len()))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many as were taken"))
    }

    pub(crate) fn i8(&mut self) -> Result<i8, String> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(crate) fn i16(&mut self) -> Result<i16, String> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, String> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, String> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(crate) fn varint(&mut self) -> Result<usize, String> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number without an end".to_string())
    }

    /// A string; none is empty.
    pub(crate) fn string(&mut self) -> Result<String, String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    pub(crate) fn compact_string(&mut self) -> Result<String, String> {
        let length = self.varint()?.saturating_sub(1);
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// The elements of an array.
    pub(crate) fn each<T>(
        &mut self,
        mut one: impl FnMut(&mut Answer) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let count = self.i32()?.max(0);
        (0..count).map(|_| one(self)).collect()
    }

    pub(crate) fn each_compact<T>(
        &mut self,
        mut one: impl FnMut(&mut Answer) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let count = self.varint()?.saturating_sub(1);
        (0..count).map(|_| one(self)).collect()
    }

    /// Sixteen bytes: a topic's id.
    pub(crate) fn id(&mut self) -> Result<[u8; 16], String> {
        self.array()
    }

    /// What was not read.
    pub(crate) fn rest(self) -> Vec<u8> {
        self.bytes[self.at..].to_vec()
    }

    /// Passes tagged fields over.
    pub(crate) fn tags(&mut self) -> Result<(), String> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.take(length)?;
        }
        Ok(())
    }
}

/// Puts a string.
pub(crate) fn string(into: &mut Vec<u8>, text: &str) {
    into.extend_from_slice(&(text.len() as i16).to_be_bytes());
    into.extend_from_slice(text.as_bytes());
}

/// Puts a string of a flexible version; short ones only.
pub(crate) fn compact_string(into: &mut Vec<u8>, text: &str) {
    debug_assert!(text.len() < 127, "one byte of length");
    into.push(text.len() as u8 + 1);
    into.extend_from_slice(text.as_bytes());
}

/// A batch of one record with this value.
pub(crate) fn batch(value: &[u8], timestamp_ms: i64) -> Vec<u8> {
    let mut record = vec![0, 0, 0, 1];
    zigzag(&mut record, value.len() as i64);
    record.extend_from_slice(value);
    record.push(0);
    let mut bytes = vec![0; BATCH_HEADER];
    bytes[16] = 2;
    bytes[27..35].copy_from_slice(&timestamp_ms.to_be_bytes());
    bytes[35..43].copy_from_slice(&timestamp_ms.to_be_bytes());
    bytes[43..51].copy_from_slice(&(-1i64).to_be_bytes());
    bytes[51..53].copy_from_slice(&(-1i16).to_be_bytes());
    bytes[53..57].copy_from_slice(&(-1i32).to_be_bytes());
    bytes[57..61].copy_from_slice(&1i32.to_be_bytes());
    zigzag(&mut bytes, record.len() as i64);
    bytes.extend_from_slice(&record);
    let length = bytes.len() as i32 - 12;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn zigzag(into: &mut Vec<u8>, value: i64) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    while left >= 0x80 {
        into.push(left as u8 | 0x80);
        left >>= 7;
    }
    into.push(left as u8);
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::{Answer, batch, crc32c};

    #[test]
    fn a_batch_is_as_kafka_writes_it() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        let bytes = batch(b"v", 5);
        // One record: attributes, two deltas, no key, the value, no headers.
        assert_eq!(bytes[61..], [14, 0, 0, 0, 1, 2, b'v', 0]);
        assert_eq!(bytes[8..12], 57i32.to_be_bytes());
    }

    #[test]
    fn an_answer_that_is_too_short_is_an_error() {
        let mut answer = Answer { bytes: vec![0, 0, 0, 2, 0, 1], at: 0 };
        assert!(answer.each(Answer::i16).is_err());
        let mut answer = Answer { bytes: vec![0, 0, 0, 1, 0, 1], at: 0 };
        assert_eq!(answer.each(Answer::i16), Ok(vec![1]));
    }
}
