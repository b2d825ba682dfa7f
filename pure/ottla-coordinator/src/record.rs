//! A record of `__consumer_offsets` as bytes, and why one cannot be read. Never skips what it does not know.

use std::fmt;

use bytes::Bytes;

/// One key and its value; no value is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorRecord {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

/// A record that the machine must not pass over: state built without it would be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// A record without a key, or with one too short to name its type.
    NoKey,
    /// A key type that this version does not serve.
    UnknownType(i16),
    /// A value version beyond what Kafka 4.4 writes.
    UnknownVersion { kind: &'static str, version: i16 },
    /// The bytes are not what the type and version say.
    Malformed { kind: &'static str, reason: String },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::NoKey => f.write_str("the record has no key"),
            RecordError::UnknownType(kind) => write!(
                f,
                "a record of type {kind} is not served by this version (0 to 2 are): \
                 the partition was written by a newer version or holds groups of another protocol"
            ),
            RecordError::UnknownVersion { kind, version } => {
                write!(f, "{kind} of version {version} is newer than this version can read")
            }
            RecordError::Malformed { kind, reason } => write!(f, "{kind} cannot be read: {reason}"),
        }
    }
}

impl std::error::Error for RecordError {}
