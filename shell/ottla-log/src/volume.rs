//! What the partitions of a data directory share: the disk, the write-ahead log, open files.
//! It decides nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::Uuid;
use parking_lot::Mutex;

use crate::handles::Handles;
use crate::options::{DataDirOptions, TopicPartition};
use crate::wal::Wal;

/// The folder of a deleted partition, which goes once the log is durable up to `lsn`.
#[derive(Debug)]
pub(crate) struct Doomed {
    pub(crate) lsn: u64,
    pub(crate) id: TopicPartition,
}

/// Shared by all partitions of a data directory.
pub(crate) struct Volume<E: Env> {
    pub(crate) env: E,
    pub(crate) options: DataDirOptions,
    pub(crate) directory_id: Uuid,
    pub(crate) wal: Arc<Wal<E>>,
    pub(crate) handles: Handles<E::Disk>,
    /// Numbers of partitions with something to flush, in the order they got it.
    pub(crate) dirty: Mutex<Vec<u64>>,
    pub(crate) doomed: Mutex<Vec<Doomed>>,
}

impl<E: Env> Volume<E> {
    pub(crate) fn path(&self) -> &Path {
        &self.options.path
    }

    /// The folder of a partition.
    pub(crate) fn folder(&self, topic: &str, partition: i32) -> PathBuf {
        self.options.path.join(format!("{topic}-{partition}"))
    }
}
