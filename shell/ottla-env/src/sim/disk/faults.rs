//! Errors the disk is told to give.

use std::io;
use std::path::{Path, PathBuf};

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Reading bytes.
    Read,
    /// Writing bytes, cutting, allocating.
    Write,
    /// Syncing a file or folder.
    Sync,
    /// Opening, making, moving or removing a name.
    Name,
}

/// EIO, as a failing disk says it.
const EIO: i32 = 5;

#[derive(Debug, Clone, Copy)]
struct Fault {
    op: Op,
    /// Calls that still go well.
    skip: u64,
    /// Calls that then fail.
    count: u64,
}

/// The faults still to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    planned: Vec<Fault>,
    /// Folders on disks that are gone.
    lost: Vec<PathBuf>,
}

impl Faults {
    pub(super) fn plan(&mut self, op: Op, skip: u64, count: u64) {
        self.planned.push(Fault { op, skip, count });
    }

    pub(super) fn clear(&mut self) {
        self.planned.clear();
        self.lost.clear();
    }

    pub(super) fn lose(&mut self, folder: &Path) {
        self.lost.push(folder.to_path_buf());
    }

    /// Whether this call fails.
    pub(super) fn strike(&mut self, op: Op, path: &Path) -> io::Result<()> {
        let mut struck = self.lost.iter().any(|folder| path.starts_with(folder));
        for fault in self.planned.iter_mut().filter(|fault| fault.op == op) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.count > 0 {
                fault.count -= 1;
                struck = true;
            }
        }
        self.planned.retain(|fault| fault.count > 0);
        if struck { Err(input_output_error()) } else { Ok(()) }
    }
}

pub(super) fn input_output_error() -> io::Error {
    io::Error::from_raw_os_error(EIO)
}
