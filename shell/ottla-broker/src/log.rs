//! The words of `ottla-log` that the broker uses.

pub(crate) use ottla_log::producers::ProducerState;
pub(crate) use ottla_log::validate::RecordError;
pub(crate) use ottla_log::{
    AppendError, AppendOptions, Appended, DataDir, DataDirOptions, DataDirs, Failed, FileRange,
    FileRun, FlushMode, LogConfig, LogError, Mark, Offsets, OpenError, Origin, Partition, Progress,
    ProgressListener, ReadError, ReadOptions, ReadOutcome, Sendable, Slices, TimestampedOffset,
    TopicPartition,
};
