//! What every generated message can do, and the two calls that frame one exactly.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::api_key::ApiKey;
use crate::decode_error::DecodeError;
use crate::decoder::Decoder;
use crate::encode_error::EncodeError;
use crate::encoder::Encoder;

pub use crate::decoder::RawTaggedField;

pub trait Message: Sized + Default {
    /// Kafka's name, such as `FetchRequest`.
    const NAME: &'static str;
    /// Every version that can be read and written.
    const VERSIONS: RangeInclusive<i16>;
    /// The first version with compact lengths and tagged fields.
    const FLEXIBLE: Option<i16>;

    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError>;
    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError>;
}

pub trait Request: Message {
    const KEY: ApiKey;
    type Response: Message;
}

/// A record of the metadata log, or a key or value of a coordinator's log.
pub trait Record: Message {
    /// Its number among the records of its log.
    const KEY: i16;
}

/// Reads one message that must fill `bytes` to the last one.
pub fn decode_exact<M: Message>(bytes: Bytes, version: i16) -> Result<M, DecodeError> {
    let mut d = Decoder::new(bytes);
    let message = M::decode(&mut d, version)?;
    d.finish()?;
    Ok(message)
}

/// Reads a request as Kafka's brokers do: what follows it in its frame is ignored.
///
/// Clients rely on that. librdkafka 2.16 asks for all topics (Metadata v13) with three bytes too many.
pub fn decode_request<R: Request>(bytes: Bytes, version: i16) -> Result<R, DecodeError> {
    R::decode(&mut Decoder::new(bytes), version)
}

/// Writes one message into contiguous memory.
pub fn encode_to_bytes<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut e = Encoder::new();
    message.encode(&mut e, version)?;
    Ok(e.into_bytes())
}

/// Every version of the API that can be read and written; what is advertised is the broker's matter.
pub fn valid_versions(key: ApiKey) -> RangeInclusive<i16> {
    key.versions()
}
