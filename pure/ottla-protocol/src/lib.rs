//! The Kafka wire protocol and record formats: every message, every version. It never reads a clock, a disk
//! or a socket, and never trusts a length that a peer wrote.
//!
//! The modules stand in order, lowest floor first; each uses only those above it.

mod str;
mod uuid;
mod decode_error;
mod decoder;
mod encode_error;
mod encoder;
#[path = "generated/api_key.rs"]
#[rustfmt::skip]
mod api_key;
mod error_code;
mod message;
/// Every message and record, generated from `schema/` by `cargo xtask codegen`.
#[path = "generated/mod.rs"]
#[rustfmt::skip]
#[allow(clippy::all, clippy::too_many_lines)]
pub mod messages;
pub mod records;
#[cfg(feature = "json")]
pub mod json;
/// The JSON of every message, generated beside it.
#[cfg(feature = "json")]
#[path = "generated/json/mod.rs"]
#[rustfmt::skip]
#[allow(clippy::all, clippy::too_many_lines)]
mod messages_json;

pub use api_key::ApiKey;
pub use decode_error::{DecodeError, DecodeErrorKind};
pub use decoder::Decoder;
pub use encode_error::{EncodeError, EncodeErrorKind};
pub use encoder::Encoder;
pub use error_code::ErrorCode;
pub use message::{
    Message, RawTaggedField, Record, Request, decode_exact, decode_request, encode_to_bytes,
    valid_versions,
};
pub use str::Str;
pub use uuid::{ParseUuidError, Uuid};
