//! What can go wrong on disk, said with the file's name and what was being done.
//!
//! An answer to a client (an error code) is never here: see `validate` and `producers`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An operation on a file that the disk refused.
#[derive(Debug)]
pub struct DiskError {
    /// What was attempted: "read", "write", "sync"...
    pub doing: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl DiskError {
    /// For `map_err`: `disk.open(..).map_err(DiskError::at("open", path))`.
    pub fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
        move |source| DiskError { doing, path: path.to_path_buf(), source }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.doing, self.path.display(), self.source)
    }
}

impl std::error::Error for DiskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Bytes that are not what they should be. Says what is wrong, never panics over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corruption {
    /// Where in the file.
    pub position: u64,
    pub what: String,
}

impl Corruption {
    /// Corruption at a position.
    pub fn new(position: u64, what: impl Into<String>) -> Corruption {
        Corruption { position, what: what.into() }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.position)
    }
}

impl std::error::Error for Corruption {}
