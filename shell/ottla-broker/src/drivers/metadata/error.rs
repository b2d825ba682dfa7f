//! Why the cluster's metadata cannot be followed. Each says what to do next.

use std::fmt;

use ottla_metadata::RecordError;
use ottla_metadata::image::ReplayError;
use ottla_protocol::records::BatchError;

use crate::log::{LogError, ReadError};

#[derive(Debug, Clone)]
pub enum MetadataError {
    /// The metadata log cannot be read back.
    Read(String),
    /// The log no longer begins with its first record, and there is no snapshot of what came before.
    Snapshot {
        log_start: i64,
    },
    Batch {
        offset: i64,
        error: BatchError,
    },
    /// A record this version does not know, or that is damaged.
    Record {
        offset: i64,
        error: RecordError,
    },
    /// A record that cannot follow the ones before it.
    Replay {
        offset: i64,
        record: &'static str,
        error: ReplayError,
    },
    /// This node cannot become what the metadata says.
    CarryOut(String),
    /// The node stops.
    Stopped,
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot read the metadata log: {error}"),
            Self::Snapshot { log_start } => write!(
                f,
                "the metadata log begins at offset {log_start}, and the snapshot of what came before \
                 is not there"
            ),
            Self::Batch { offset, error } => {
                write!(f, "the metadata log is damaged at offset {offset}: {error}")
            }
            Self::Record { offset, error } => {
                write!(f, "cannot understand the metadata log at offset {offset}: {error}")
            }
            Self::Replay { offset, record, error } => write!(
                f,
                "the metadata log contradicts itself: {record} at offset {offset} does not fit, {error}"
            ),
            Self::CarryOut(error) => write!(f, "cannot carry out a change of the cluster: {error}"),
            Self::Stopped => f.write_str("this node stops"),
        }
    }
}

impl std::error::Error for MetadataError {}

impl From<LogError> for MetadataError {
    fn from(error: LogError) -> Self {
        Self::CarryOut(error.to_string())
    }
}

impl From<ReadError> for MetadataError {
    fn from(error: ReadError) -> Self {
        Self::Read(error.to_string())
    }
}
