//! The writer of one frame: small values into one buffer, large byte slices as chunks of their own that are
//! never copied.

use std::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};

use crate::decoder::RawTaggedField;
use crate::encode_error::{EncodeError, EncodeErrorKind as Kind};
use crate::uuid::Uuid;

/// From this size on a `Bytes` travels as it is; below, copying it is cheaper than another chunk.
const CHUNK_MIN: usize = 1024;

#[derive(Debug)]
pub struct Encoder {
    /// Finished chunks, in order.
    chunks: Vec<Bytes>,
    chunks_len: usize,
    tail: BytesMut,
    message: &'static str,
    version: i16,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            chunks: Vec::new(),
            chunks_len: 0,
            tail: BytesMut::with_capacity(bytes),
            message: "frame",
            version: 0,
        }
    }

    /// Names the message for errors from here on.
    pub fn enter(&mut self, message: &'static str, version: i16) {
        self.message = message;
        self.version = version;
    }

    /// Names the message for errors, and checks that it has this version.
    pub(crate) fn begin(
        &mut self,
        message: &'static str,
        versions: RangeInclusive<i16>,
        version: i16,
    ) -> Result<(), EncodeError> {
        self.enter(message, version);
        if versions.contains(&version) {
            return Ok(());
        }
        Err(self.error("version", Kind::UnsupportedVersion))
    }

    pub fn len(&self) -> usize {
        self.chunks_len + self.tail.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything written, without joining it.
    pub fn into_chunks(mut self) -> Vec<Bytes> {
        self.seal();
        self.chunks
    }

    /// Everything written, in one piece.
    pub fn into_bytes(mut self) -> Bytes {
        if self.chunks.is_empty() {
            return self.tail.freeze();
        }
        self.seal();
        let mut whole = BytesMut::with_capacity(self.chunks_len);
        for chunk in &self.chunks {
            whole.extend_from_slice(chunk);
        }
        whole.freeze()
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let chunk = self.tail.split().freeze();
            self.chunks_len += chunk.len();
            self.chunks.push(chunk);
        }
    }

    #[cold]
    pub fn error(&self, field: &'static str, kind: Kind) -> EncodeError {
        EncodeError::new(self.message, self.version, field, kind)
    }

    /// The field is not in this version and would be lost.
    #[cold]
    pub fn not_in_version(&self, field: &'static str) -> EncodeError {
        self.error(field, Kind::NotInVersion)
    }

    /// A null where this version has none.
    #[cold]
    pub fn unexpected_null(&self, field: &'static str) -> EncodeError {
        self.error(field, Kind::UnexpectedNull)
    }

    pub fn put_bool(&mut self, value: bool) {
        self.tail.put_u8(u8::from(value));
    }

    pub fn put_i8(&mut self, value: i8) {
        self.tail.put_i8(value);
    }

    pub fn put_i16(&mut self, value: i16) {
        self.tail.put_i16(value);
    }

    pub fn put_u16(&mut self, value: u16) {
        self.tail.put_u16(value);
    }

    pub fn put_i32(&mut self, value: i32) {
        self.tail.put_i32(value);
    }

    pub fn put_u32(&mut self, value: u32) {
        self.tail.put_u32(value);
    }

    pub fn put_i64(&mut self, value: i64) {
        self.tail.put_i64(value);
    }

    pub fn put_f64(&mut self, value: f64) {
        self.tail.put_f64(value);
    }

    pub fn put_uuid(&mut self, value: Uuid) {
        self.tail.put_slice(&value.0);
    }

    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.tail.put_slice(bytes);
    }

    /// `bytes` as they are: shared when large, copied when small.
    pub fn put_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() < CHUNK_MIN {
            self.tail.put_slice(bytes);
        } else {
            self.seal();
            self.chunks_len += bytes.len();
            self.chunks.push(bytes.clone());
        }
    }

    pub fn put_unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.tail.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.tail.put_u8(value as u8);
    }

    pub fn string(
        &mut self,
        field: &'static str,
        text: &[u8],
        flexible: bool,
    ) -> Result<(), EncodeError> {
        if text.len() > i16::MAX as usize {
            return Err(self.error(field, Kind::TooLong(text.len())));
        }
        match flexible {
            true => self.put_unsigned_varint(text.len() as u32 + 1),
            false => self.put_i16(text.len() as i16),
        }
        self.put_slice(text);
        Ok(())
    }

    pub fn null_string(&mut self, flexible: bool) {
        match flexible {
            true => self.put_unsigned_varint(0),
            false => self.put_i16(-1),
        }
    }

    pub fn bytes(
        &mut self,
        field: &'static str,
        bytes: &Bytes,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        self.length(field, bytes.len(), flexible)?;
        self.put_bytes(bytes);
        Ok(())
    }

    /// The length before bytes or array elements.
    pub fn length(
        &mut self,
        field: &'static str,
        length: usize,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        if length >= i32::MAX as usize {
            return Err(self.error(field, Kind::TooLong(length)));
        }
        match flexible {
            true => self.put_unsigned_varint(length as u32 + 1),
            false => self.put_i32(length as i32),
        }
        Ok(())
    }

    /// Null bytes or a null array.
    pub fn null_length(&mut self, flexible: bool) {
        match flexible {
            true => self.put_unsigned_varint(0),
            false => self.put_i32(-1),
        }
    }

    /// An array of 32-bit numbers, the one kind of long array of numbers that Kafka sends.
    pub fn put_i32s(&mut self, values: &[i32]) {
        self.tail.reserve(values.len() * 4);
        for value in values {
            self.tail.put_i32(*value);
        }
    }

    /// A writer for the content of one tagged field, whose size goes before it.
    pub fn begin_tag(&self) -> Encoder {
        let mut inner = Encoder::new();
        inner.enter(self.message, self.version);
        inner
    }

    pub fn end_tag(&mut self, tag: u32, mut content: Encoder) {
        self.put_unsigned_varint(tag);
        self.put_unsigned_varint(content.len() as u32);
        if content.chunks.is_empty() {
            self.tail.put_slice(&content.tail);
            return;
        }
        content.seal();
        for chunk in &content.chunks {
            self.put_bytes(chunk);
        }
    }

    /// Unknown tagged fields below `next`, a known field's tag, from `from` on; returns where it stopped.
    pub fn raw_tags(
        &mut self,
        fields: &[RawTaggedField],
        from: usize,
        next: u32,
    ) -> Result<usize, EncodeError> {
        let mut at = from;
        // They stand as they came: a tag that a later version knows may lie behind higher ones.
        if fields.get(from..).unwrap_or_default().iter().any(|field| field.tag == next) {
            return Err(self.error("unknown tagged fields", Kind::TagTaken(next)));
        }
        while let Some(field) = fields.get(at).filter(|field| field.tag < next) {
            self.put_raw_tag(field);
            at += 1;
        }
        Ok(at)
    }

    /// The unknown tagged fields that come after every known one.
    pub fn rest_of_raw_tags(&mut self, fields: &[RawTaggedField], from: usize) {
        for field in fields.get(from..).unwrap_or_default() {
            self.put_raw_tag(field);
        }
    }

    fn put_raw_tag(&mut self, field: &RawTaggedField) {
        self.put_unsigned_varint(field.tag);
        self.put_unsigned_varint(field.data.len() as u32);
        self.put_bytes(&field.data);
    }
}
