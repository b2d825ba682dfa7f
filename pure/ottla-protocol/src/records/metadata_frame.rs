//! The frame around each record of the metadata log: frame version, the record's key, its version, its body.

use bytes::Bytes;

use crate::decode_error::{DecodeError, DecodeErrorKind};
use crate::decoder::Decoder;
use crate::encode_error::EncodeError;
use crate::encoder::Encoder;
use crate::message::Record;

/// The only frame version there has been.
pub const FRAME_VERSION: u32 = 1;

/// Which record follows, and in which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    pub key: i16,
    pub version: i16,
}

/// Reads up to the body, which is what `d` then holds.
pub fn decode_head(d: &mut Decoder) -> Result<FrameHead, DecodeError> {
    d.enter("metadata frame", FRAME_VERSION as i16);
    let frame_version = d.unsigned_varint("frame version")?;
    if frame_version != FRAME_VERSION {
        return Err(d.error("frame version", DecodeErrorKind::UnsupportedVersion));
    }
    let mut number = |field| {
        let value = d.unsigned_varint(field)?;
        i16::try_from(value)
            .map_err(|_| d.error(field, DecodeErrorKind::InvalidLength(value.into())))
    };
    Ok(FrameHead { key: number("api key")?, version: number("version")? })
}

pub fn encode<R: Record>(record: &R, version: i16) -> Result<Bytes, EncodeError> {
    let mut e = Encoder::new();
    e.put_unsigned_varint(FRAME_VERSION);
    e.put_unsigned_varint(R::KEY as u32);
    e.put_unsigned_varint(version as u32);
    record.encode(&mut e, version)?;
    Ok(e.into_bytes())
}

/// The record of a frame that is known to hold an `R`.
pub fn decode<R: Record>(frame: Bytes) -> Result<R, DecodeError> {
    let mut d = Decoder::new(frame);
    let head = decode_head(&mut d)?;
    if head.key != R::KEY {
        return Err(d.error("api key", DecodeErrorKind::InvalidLength(head.key.into())));
    }
    let record = R::decode(&mut d, head.version)?;
    d.finish()?;
    Ok(record)
}
