//! Why the controller did not start. Each says what to do next.

use std::fmt;

use ottla_metadata::RecordError;
use ottla_metadata::image::ReplayError;
use ottla_protocol::records::BatchError;

use crate::log::{AppendError, Failed, LogError, ReadError};

#[derive(Debug)]
pub enum ControllerError {
    /// The metadata log cannot be read back.
    Read(ReadError),
    /// The log no longer begins with its first record, and snapshots cannot be read yet.
    Snapshot {
        log_start: i64,
    },
    Batch {
        offset: i64,
        error: BatchError,
    },
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
    Log(LogError),
    Append(AppendError),
    Failed(Failed),
    /// The machine refused what a start needs.
    Refused(String),
}

impl fmt::Display for ControllerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot read the metadata log: {error}"),
            Self::Snapshot { log_start } => write!(
                f,
                "the metadata log begins at offset {log_start}; what came before is in a snapshot, \
                 which this version cannot read"
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
            Self::Log(error) => write!(f, "cannot open a partition: {error}"),
            Self::Append(error) => write!(f, "cannot write to the metadata log: {error}"),
            Self::Failed(failed) => failed.fmt(f),
            Self::Refused(message) => write!(f, "cannot register this broker: {message}"),
        }
    }
}

impl std::error::Error for ControllerError {}

impl From<LogError> for ControllerError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}
