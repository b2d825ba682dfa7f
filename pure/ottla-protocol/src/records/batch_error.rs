//! Why bytes are not a record batch. The broker turns it into CORRUPT_MESSAGE, INVALID_RECORD and the like.

use std::fmt;

use crate::decode_error::DecodeError;
use crate::records::compression::Compression;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes end inside the batch.
    Truncated {
        needed: usize,
        remaining: usize,
    },
    /// A length field that no batch can have.
    InvalidLength(i64),
    /// Neither 0, 1 nor 2, or not the one asked for.
    UnsupportedMagic(i8),
    CrcMismatch {
        stored: u32,
        computed: u32,
    },
    /// A compression code that Kafka has not given out.
    UnknownCompression(u8),
    /// The compressed bytes are damaged.
    Corrupt(Compression),
    /// The records would take more than the caller allows.
    TooLarge {
        max_output: usize,
    },
    /// A record that contradicts itself or its batch.
    InvalidRecord(&'static str),
    /// A control record whose content is not what its type says.
    InvalidControl(DecodeError),
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, remaining } => {
                write!(f, "record batch needs {needed} bytes, {remaining} remain")
            }
            Self::InvalidLength(length) => write!(f, "record batch of invalid length {length}"),
            Self::UnsupportedMagic(magic) => write!(f, "record batch of unknown magic {magic}"),
            Self::CrcMismatch { stored, computed } => {
                write!(f, "record batch says CRC {stored:#010x}, its bytes say {computed:#010x}")
            }
            Self::UnknownCompression(code) => write!(f, "unknown compression type {code}"),
            Self::Corrupt(codec) => write!(f, "damaged {} data", codec.name()),
            Self::TooLarge { max_output } => {
                write!(f, "records take more than the allowed {max_output} bytes")
            }
            Self::InvalidRecord(why) => write!(f, "invalid record: {why}"),
            Self::InvalidControl(error) => write!(f, "invalid control record: {error}"),
        }
    }
}

impl std::error::Error for BatchError {}
