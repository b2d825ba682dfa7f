//! The reader of one frame. It never allocates on the word of a length: every count is held against the
//! bytes that remain, Kafka's own limits, and a budget of memory for the whole frame.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::decode_error::{DecodeError, DecodeErrorKind as Kind};
use crate::str::Str;
use crate::uuid::Uuid;

/// Most elements one array may announce.
pub(crate) const ARRAY_ELEMENTS_MAX: usize = 1_000_000;
/// Most tagged fields one structure may announce.
pub(crate) const TAGS_MAX: usize = 10_000;
/// Elements room is made for before any has been read.
const INITIAL_CAPACITY_MAX: usize = 1_000;
/// Memory any frame may take once decoded, however short it is.
const BUDGET_FLOOR: usize = 16 << 20;
/// Decoded bytes allowed for each byte of the frame beyond that.
const BUDGET_PER_BYTE: usize = 16;

/// A tagged field this version of Ottla does not know; kept so that it can be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawTaggedField {
    pub tag: u32,
    pub data: Bytes,
}

#[derive(Debug)]
pub struct Decoder {
    frame: Bytes,
    at: usize,
    /// Where reading must stop: the frame's end, or the end of the tagged field being read.
    end: usize,
    budget: usize,
    message: &'static str,
    version: i16,
}

/// Where a tagged field's content ends and where its structure goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TagSpan {
    pub(crate) tag: u32,
    start: usize,
    outer_end: usize,
}

impl Decoder {
    pub fn new(frame: Bytes) -> Self {
        let budget = BUDGET_FLOOR.saturating_add(frame.len().saturating_mul(BUDGET_PER_BYTE));
        Self::with_budget(frame, budget)
    }

    /// `budget` bounds the memory of the decoded arrays; slices of the frame cost nothing.
    pub fn with_budget(frame: Bytes, budget: usize) -> Self {
        let end = frame.len();
        Self { frame, at: 0, end, budget, message: "frame", version: 0 }
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
    ) -> Result<(), DecodeError> {
        self.enter(message, version);
        if versions.contains(&version) {
            return Ok(());
        }
        Err(self.error("version", Kind::UnsupportedVersion))
    }

    pub fn remaining(&self) -> usize {
        self.end - self.at
    }

    /// What has not been read yet, as a slice of the frame.
    pub fn rest(&self) -> Bytes {
        self.frame.slice(self.at..self.end)
    }

    /// The message must have used every byte.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(self.error("end", Kind::TrailingBytes(left))),
        }
    }

    #[cold]
    pub fn error(&self, field: &'static str, kind: Kind) -> DecodeError {
        DecodeError::new(self.message, self.version, field, kind)
    }

    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        match self.frame[self.at..self.end].first_chunk::<N>() {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => Err(self.truncated(field, N)),
        }
    }

    #[cold]
    fn truncated(&self, field: &'static str, needed: usize) -> DecodeError {
        self.error(field, Kind::Truncated { needed, remaining: self.remaining() })
    }

    pub fn bool(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.take::<1>(field)?[0] != 0)
    }

    pub fn i8(&mut self, field: &'static str) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.take(field)?))
    }

    pub fn i16(&mut self, field: &'static str) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.take(field)?))
    }

    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.take(field)?))
    }

    pub fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.take(field)?))
    }

    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.take(field)?))
    }

    pub fn i64(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.take(field)?))
    }

    pub fn f64(&mut self, field: &'static str) -> Result<f64, DecodeError> {
        Ok(f64::from_be_bytes(self.take(field)?))
    }

    pub fn uuid(&mut self, field: &'static str) -> Result<Uuid, DecodeError> {
        Ok(Uuid(self.take(field)?))
    }

    /// Base-128, least significant group first, at most five bytes.
    pub fn unsigned_varint(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.take::<1>(field)?[0];
            value |= u32::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.error(field, Kind::InvalidVarint))
    }

    /// The next `length` bytes, sharing memory with the frame.
    pub fn slice(&mut self, field: &'static str, length: usize) -> Result<Bytes, DecodeError> {
        if length > self.remaining() {
            return Err(self.truncated(field, length));
        }
        let slice = self.frame.slice(self.at..self.at + length);
        self.at += length;
        Ok(slice)
    }

    pub fn string(&mut self, field: &'static str, flexible: bool) -> Result<Str, DecodeError> {
        match self.nullable_string(field, flexible)? {
            Some(text) => Ok(text),
            None => Err(self.error(field, Kind::UnexpectedNull)),
        }
    }

    pub fn nullable_string(
        &mut self,
        field: &'static str,
        flexible: bool,
    ) -> Result<Option<Str>, DecodeError> {
        let length = if flexible {
            i64::from(self.unsigned_varint(field)? as i32) - 1
        } else {
            i64::from(self.i16(field)?)
        };
        match length {
            -1 => Ok(None),
            0..=0x7fff => Ok(Some(self.text(field, length as usize)?)),
            _ if !flexible && length < 0 => Ok(None),
            _ => Err(self.error(field, Kind::InvalidLength(length))),
        }
    }

    fn text(&mut self, field: &'static str, length: usize) -> Result<Str, DecodeError> {
        Ok(Str::from_utf8_lossy(self.slice(field, length)?))
    }

    pub fn bytes(&mut self, field: &'static str, flexible: bool) -> Result<Bytes, DecodeError> {
        match self.nullable_bytes(field, flexible)? {
            Some(bytes) => Ok(bytes),
            None => Err(self.error(field, Kind::UnexpectedNull)),
        }
    }

    pub fn nullable_bytes(
        &mut self,
        field: &'static str,
        flexible: bool,
    ) -> Result<Option<Bytes>, DecodeError> {
        match self.length(field, flexible)? {
            None => Ok(None),
            Some(length) => Ok(Some(self.slice(field, length)?)),
        }
    }

    /// A length of four bytes, or a varint of one more; `None` is null.
    fn length(
        &mut self,
        field: &'static str,
        flexible: bool,
    ) -> Result<Option<usize>, DecodeError> {
        let length = if flexible {
            i64::from(self.unsigned_varint(field)? as i32) - 1
        } else {
            i64::from(self.i32(field)?)
        };
        match length {
            0.. => Ok(Some(length as usize)),
            -1 => Ok(None),
            _ if !flexible => Ok(None),
            _ => Err(self.error(field, Kind::InvalidLength(length))),
        }
    }

    /// An array whose elements take at least `least` bytes each. `read` is a plain function so that one copy
    /// of this loop serves every array of the same element.
    pub(crate) fn array<T>(
        &mut self,
        field: &'static str,
        flexible: bool,
        least: usize,
        read: fn(&mut Decoder, i16) -> Result<T, DecodeError>,
        version: i16,
    ) -> Result<Vec<T>, DecodeError> {
        match self.nullable_array(field, flexible, least, read, version)? {
            Some(elements) => Ok(elements),
            None => Err(self.error(field, Kind::UnexpectedNull)),
        }
    }

    pub(crate) fn nullable_array<T>(
        &mut self,
        field: &'static str,
        flexible: bool,
        least: usize,
        read: fn(&mut Decoder, i16) -> Result<T, DecodeError>,
        version: i16,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(length) = self.length(field, flexible)? else { return Ok(None) };
        self.admit(field, length, least, size_of::<T>())?;
        let mut elements = Vec::with_capacity(length.min(INITIAL_CAPACITY_MAX));
        for _ in 0..length {
            elements.push(read(self, version)?);
        }
        Ok(Some(elements))
    }

    /// Lets an array of `length` elements in, or says which limit it breaks.
    fn admit(
        &mut self,
        field: &'static str,
        length: usize,
        least: usize,
        size: usize,
    ) -> Result<(), DecodeError> {
        if length > ARRAY_ELEMENTS_MAX {
            return Err(self.error(field, Kind::TooManyElements(length)));
        }
        if length.saturating_mul(least) > self.remaining() {
            return Err(self.truncated(field, length.saturating_mul(least)));
        }
        self.charge(field, length.saturating_mul(size))
    }

    fn charge(&mut self, field: &'static str, memory: usize) -> Result<(), DecodeError> {
        match self.budget.checked_sub(memory) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => Err(self.error(field, Kind::BudgetExceeded)),
        }
    }

    /// The marker before a structure that may be null.
    pub(crate) fn present(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.i8(field)? >= 0)
    }

    /// The marker before a tagged structure that may be null: Kafka writes null there as a lone 0.
    pub(crate) fn tag_present(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        let present = self.present(field)?;
        Ok(present && self.remaining() > 0)
    }

    pub(crate) fn tag_count(&mut self) -> Result<usize, DecodeError> {
        let count = self.unsigned_varint("tagged fields")? as usize;
        if count > TAGS_MAX {
            return Err(self.error("tagged fields", Kind::TooManyTags(count)));
        }
        Ok(count)
    }

    /// Opens a tagged field: reading is confined to it until [`Decoder::end_tag`].
    pub(crate) fn tag(&mut self) -> Result<TagSpan, DecodeError> {
        let tag = self.unsigned_varint("tag")?;
        let size = self.unsigned_varint("tag size")? as usize;
        if size > self.remaining() {
            return Err(self.truncated("tagged field", size));
        }
        let span = TagSpan { tag, start: self.at, outer_end: self.end };
        self.end = self.at + size;
        Ok(span)
    }

    pub(crate) fn end_tag(&mut self, span: TagSpan) -> Result<(), DecodeError> {
        if self.at != self.end {
            let announced = self.end - span.start;
            let used = self.at - span.start;
            return Err(self.error("tagged field", Kind::TagSize { announced, used }));
        }
        self.end = span.outer_end;
        Ok(())
    }

    /// Keeps the open tagged field as it is.
    pub(crate) fn raw_tag(
        &mut self,
        span: TagSpan,
        kept: &mut Vec<RawTaggedField>,
    ) -> Result<(), DecodeError> {
        self.charge("tagged field", size_of::<RawTaggedField>())?;
        let length = self.remaining();
        kept.push(RawTaggedField { tag: span.tag, data: self.slice("tagged field", length)? });
        Ok(())
    }

    /// The tagged fields of a structure that knows none.
    pub(crate) fn unknown_tags(&mut self) -> Result<Vec<RawTaggedField>, DecodeError> {
        let mut kept = Vec::new();
        for _ in 0..self.tag_count()? {
            let span = self.tag()?;
            self.raw_tag(span, &mut kept)?;
            self.end_tag(span)?;
        }
        Ok(kept)
    }
}

/// Readers of single elements, in the shape that [`Decoder::array`] takes.
pub(crate) mod element {
    use super::{DecodeError, Decoder, Str, Uuid};

    macro_rules! elements {
        ($($name:ident: $type:ty = $call:ident $args:tt;)*) => {
            $(pub(crate) fn $name(d: &mut Decoder, _: i16) -> Result<$type, DecodeError> {
                d.$call $args
            })*
        };
    }

    elements! {
        i8: i8 = i8("element");
        i16: i16 = i16("element");
        i32: i32 = i32("element");
        i64: i64 = i64("element");
        uuid: Uuid = uuid("element");
        string: Str = string("element", false);
        compact_string: Str = string("element", true);
    }
}
