//! Why an operation on a data directory or a partition did not happen. One enum per operation.
//!
//! What the client is answered is the broker's matter; `kafka_code` names the usual one.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_protocol::ErrorCode;

use crate::producers::SequenceError;
use crate::validate::{RecordError, Rejection};

/// The directory went offline: a write or sync failed, and what it held may be lost. Nothing is
/// retried and nothing more is acknowledged; the text says what a human should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed(pub Arc<str>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the log directory is offline: {}", self.0)
    }
}

impl std::error::Error for Failed {}

/// Why an append did not happen. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendError {
    /// An answer for the producer: the code, a sentence, the records at fault if single ones are.
    Refused {
        code: ErrorCode,
        message: String,
        record_errors: Vec<RecordError>,
    },
    /// No room in the staging buffers or the write-ahead log: wait for `DataDir::room`, try again.
    Busy,
    /// The partition was deleted.
    Deleted,
    Failed(Failed),
}

impl AppendError {
    /// What a client is told.
    pub fn kafka_code(&self) -> ErrorCode {
        match self {
            AppendError::Refused { code, .. } => *code,
            AppendError::Busy | AppendError::Failed(_) => ErrorCode::KafkaStorageError,
            AppendError::Deleted => ErrorCode::UnknownTopicOrPartition,
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::Refused { message, .. } => f.write_str(message),
            AppendError::Busy => f.write_str("the write-ahead log has no room at the moment"),
            AppendError::Deleted => f.write_str("the partition was deleted"),
            AppendError::Failed(failed) => failed.fmt(f),
        }
    }
}

impl std::error::Error for AppendError {}

/// Why a read gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// The offset lies before the log start or past the log end.
    OffsetOutOfRange { log_start: i64, log_end: i64 },
    /// The bytes on disk are not what was written; they are never served.
    Corrupt { path: PathBuf, what: String },
    /// The disk refused.
    Io { path: PathBuf, what: String },
    /// The partition was deleted.
    Deleted,
}

impl ReadError {
    /// What a client is told.
    pub fn kafka_code(&self) -> ErrorCode {
        match self {
            ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            ReadError::Corrupt { .. } => ErrorCode::CorruptMessage,
            ReadError::Io { .. } => ErrorCode::KafkaStorageError,
            ReadError::Deleted => ErrorCode::UnknownTopicOrPartition,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::OffsetOutOfRange { log_start, log_end } => {
                write!(f, "the offset is not within {log_start}..={log_end}")
            }
            ReadError::Corrupt { path, what } => {
                write!(f, "{} is corrupt: {what}", path.display())
            }
            ReadError::Io { path, what } => write!(f, "cannot read {}: {what}", path.display()),
            ReadError::Deleted => f.write_str("the partition was deleted"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Why a partition was not made, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogError {
    /// Not for this partition, and why.
    Refused {
        code: ErrorCode,
        message: String,
    },
    /// See [`AppendError::Busy`].
    Busy,
    Failed(Failed),
    Read(ReadError),
}

impl LogError {
    /// What a client is told.
    pub fn kafka_code(&self) -> ErrorCode {
        match self {
            LogError::Refused { code, .. } => *code,
            LogError::Busy | LogError::Failed(_) => ErrorCode::KafkaStorageError,
            LogError::Read(error) => error.kafka_code(),
        }
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogError::Refused { message, .. } => f.write_str(message),
            LogError::Busy => AppendError::Busy.fmt(f),
            LogError::Failed(failed) => failed.fmt(f),
            LogError::Read(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LogError {}

impl From<Failed> for LogError {
    fn from(failed: Failed) -> LogError {
        LogError::Failed(failed)
    }
}

impl From<Rejection> for AppendError {
    fn from(rejection: Rejection) -> AppendError {
        let Rejection { code, message, record_errors } = rejection;
        AppendError::Refused { code, message, record_errors }
    }
}

impl From<SequenceError> for AppendError {
    fn from(error: SequenceError) -> AppendError {
        let SequenceError { code, message } = error;
        AppendError::Refused { code, message, record_errors: Vec::new() }
    }
}

impl From<Failed> for AppendError {
    fn from(failed: Failed) -> AppendError {
        AppendError::Failed(failed)
    }
}

/// Why a data directory was not opened. Each says what to do next.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it.
    Locked {
        path: PathBuf,
    },
    /// It belongs to another node or cluster.
    Foreign {
        path: PathBuf,
        what: String,
    },
    /// Its contents contradict each other in a way that only losing acknowledged records explains.
    Corrupt {
        path: PathBuf,
        what: String,
    },
    /// It was written by a later version.
    Version {
        path: PathBuf,
        found: u16,
    },
    Io {
        path: PathBuf,
        what: String,
    },
    /// A partition is in another directory of the node as well.
    Twin {
        path: PathBuf,
        what: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked { path } => {
                let path = path.display();
                write!(
                    f,
                    "{path} is in use by another process; stop it or choose another directory"
                )
            }
            OpenError::Foreign { path, what } => write!(f, "{}: {what}", path.display()),
            OpenError::Corrupt { path, what } => write!(
                f,
                "{} is corrupt: {what}. Acknowledged records may be lost if it is opened as it is: \
                 restore it from a replica or a backup, or move the directory aside and start anew",
                path.display()
            ),
            OpenError::Version { path, found } => write!(
                f,
                "{} has format version {found}, which this release does not know; use a later one",
                path.display()
            ),
            OpenError::Io { path, what } => write!(f, "cannot open {}: {what}", path.display()),
            OpenError::Twin { path, what } => write!(
                f,
                "{}: {what}; move one of the two folders away, the older one if replicas or a \
                 backup say which that is, and start again",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    /// For `map_err` on disk operations.
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> OpenError {
        move |error| OpenError::Io { path: path.to_path_buf(), what: error.to_string() }
    }
}
