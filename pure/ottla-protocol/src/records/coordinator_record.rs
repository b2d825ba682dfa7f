//! Keys and values of `__consumer_offsets`, `__transaction_state` and `__share_group_state`: a key is its type
//! and body, a value its version and body.

use bytes::Bytes;

use crate::decode_error::{DecodeError, DecodeErrorKind};
use crate::decoder::Decoder;
use crate::encode_error::EncodeError;
use crate::encoder::Encoder;
use crate::message::{Message, Record};

/// Keys have one version for ever: a change makes a new type.
const KEY_BODY_VERSION: i16 = 0;

pub fn encode_key<R: Record>(key: &R) -> Result<Bytes, EncodeError> {
    let mut e = Encoder::new();
    e.put_i16(R::KEY);
    key.encode(&mut e, KEY_BODY_VERSION)?;
    Ok(e.into_bytes())
}

pub fn encode_value<M: Message>(value: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut e = Encoder::new();
    e.put_i16(version);
    value.encode(&mut e, version)?;
    Ok(e.into_bytes())
}

/// The type at the front of a key, to choose what to decode it as.
pub fn key_type(key: &Bytes) -> Result<i16, DecodeError> {
    let mut d = Decoder::new(key.clone());
    d.enter("coordinator record key", KEY_BODY_VERSION);
    d.i16("type")
}

/// The version at the front of a value.
pub fn value_version(value: &Bytes) -> Result<i16, DecodeError> {
    let mut d = Decoder::new(value.clone());
    d.enter("coordinator record value", 0);
    d.i16("version")
}

pub fn decode_key<R: Record>(key: Bytes) -> Result<R, DecodeError> {
    let mut d = Decoder::new(key);
    d.enter(R::NAME, KEY_BODY_VERSION);
    let found = d.i16("type")?;
    if found != R::KEY {
        return Err(d.error("type", DecodeErrorKind::InvalidLength(found.into())));
    }
    let record = R::decode(&mut d, KEY_BODY_VERSION)?;
    d.finish()?;
    Ok(record)
}

pub fn decode_value<M: Message>(value: Bytes) -> Result<M, DecodeError> {
    let mut d = Decoder::new(value);
    d.enter(M::NAME, *M::VERSIONS.start());
    let version = d.i16("version")?;
    let message = M::decode(&mut d, version)?;
    d.finish()?;
    Ok(message)
}
