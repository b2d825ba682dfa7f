//! A data directory: write-ahead log, checkpoint, segments, indexes, recovery.
//!
//! Modules from the lowest floor up; each uses only those above it in this list. The leaf modules
//! (to `kafka_dir`) are pure but for reads through `ottla-env`.

pub mod error;
pub mod config;
pub mod validate;
pub mod epochs;
pub mod producers;
pub mod index;
pub mod segment;
pub mod retention;
pub mod kafka_dir;

pub mod options;
pub mod fault;
mod open_file;
mod handles;
mod wal;
mod checkpoint;
mod lazy;
mod tail;
mod volume;
pub mod partition;
mod registry;
mod names;
mod flusher;
mod recovery;
pub mod data_dir;
pub mod data_dirs;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;

pub use config::LogConfig;
pub use data_dir::{DataDir, RecoveryReport};
pub use data_dirs::{DataDirs, Mark};
pub use fault::{AppendError, Failed, LogError, OpenError, ReadError};
pub use open_file::FileRange;
pub use options::{
    AppendOptions, Appended, DataDirOptions, DeletedRecords, FlushMode, Offsets, ReadOptions,
    Slices, TimestampedOffset, TopicPartition,
};
pub use partition::{
    ColdRead, FileRun, Partition, Progress, ProgressListener, ReadOutcome, Sendable, Stilled,
};
pub use validate::Origin;
