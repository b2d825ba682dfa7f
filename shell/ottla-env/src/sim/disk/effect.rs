//! One change to a disk, as data: what a live disk applies and a recording replays.

use std::fmt;
use std::sync::Arc;

/// A file or folder, whatever its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Inode(pub(super) u64);

/// A change to the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NameChange {
    Link { folder: Inode, name: Arc<str>, inode: Inode, is_folder: bool },
    Unlink { folder: Inode, name: Arc<str> },
    Rename { from: (Inode, Arc<str>), to: (Inode, Arc<str>) },
}

/// A change to the disk.
#[derive(Clone)]
pub(super) enum Effect {
    Write {
        inode: Inode,
        position: u64,
        bytes: Arc<[u8]>,
        dsync: bool,
        at_ms: i64,
    },
    SetLen {
        inode: Inode,
        len: u64,
        at_ms: i64,
    },
    Allocate {
        inode: Inode,
        len: u64,
        at_ms: i64,
    },
    Sync {
        inode: Inode,
    },
    Name(NameChange),
    SyncDir {
        folder: Inode,
    },
    /// A sync of the file failed.
    Forsake {
        inode: Inode,
    },
}

impl NameChange {
    /// Whether `sync_dir` of `folder` makes this durable.
    pub(super) fn concerns(&self, folder: Inode) -> bool {
        match self {
            NameChange::Link { folder: own, .. } | NameChange::Unlink { folder: own, .. } => {
                *own == folder
            }
            NameChange::Rename { from, to } => from.0 == folder || to.0 == folder,
        }
    }
}

impl Effect {
    /// Two numbers that tell this effect from others in a trace.
    pub(super) fn fingerprint(&self) -> (u64, u64) {
        match self {
            Effect::Write { inode, position, bytes, .. } => {
                fingerprint_of_write(*inode, *position, bytes.len())
            }
            Effect::SetLen { inode, len, .. } => (inode.0 << 8 | 2, *len),
            Effect::Allocate { inode, len, .. } => (inode.0 << 8 | 3, *len),
            Effect::Sync { inode } => (inode.0 << 8 | 4, 0),
            Effect::Name(NameChange::Link { folder, inode, .. }) => (folder.0 << 8 | 5, inode.0),
            Effect::Name(NameChange::Unlink { folder, name }) => {
                (folder.0 << 8 | 6, name.len() as u64)
            }
            Effect::Name(NameChange::Rename { from, to }) => (from.0.0 << 8 | 7, to.0.0),
            Effect::SyncDir { folder } => (folder.0 << 8 | 8, 0),
            Effect::Forsake { inode } => (inode.0 << 8 | 9, 0),
        }
    }
}

/// See [`Effect::fingerprint`].
pub(super) fn fingerprint_of_write(inode: Inode, position: u64, len: usize) -> (u64, u64) {
    (inode.0 << 8 | 1, position ^ ((len as u64) << 40))
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Write { inode, position, bytes, dsync, .. } => {
                let kind = if *dsync { "write and sync" } else { "write" };
                write!(f, "{kind} file {} at {position}, {} bytes", inode.0, bytes.len())
            }
            Effect::SetLen { inode, len, .. } => {
                write!(f, "set file {}'s length to {len}", inode.0)
            }
            Effect::Allocate { inode, len, .. } => write!(f, "allocate file {} to {len}", inode.0),
            Effect::Sync { inode } => write!(f, "sync file {}", inode.0),
            Effect::Name(NameChange::Link { folder, name, inode, is_folder }) => {
                let kind = if *is_folder { "folder" } else { "file" };
                write!(f, "make {kind} {} as {name} in folder {}", inode.0, folder.0)
            }
            Effect::Name(NameChange::Unlink { folder, name }) => {
                write!(f, "remove {name} from folder {}", folder.0)
            }
            Effect::Name(NameChange::Rename { from, to }) => {
                write!(f, "rename {} in folder {} to {} in {}", from.1, from.0.0, to.1, to.0.0)
            }
            Effect::SyncDir { folder } => write!(f, "sync folder {}", folder.0),
            Effect::Forsake { inode } => write!(f, "fail to sync file {}", inode.0),
        }
    }
}
