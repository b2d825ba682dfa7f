//! The operating system's file systems.

#![allow(clippy::disallowed_types)]

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use rustix::fs::{FlockOperation, OFlags, fcntl_getfl, fcntl_setfl, flock};

use super::file::OsFile;
use crate::disk::{Disk, Entry, FileKind, LockError, Metadata, OpenOptions};

/// All of the machine's file systems.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

/// A flock(2) of a file; the kernel drops it with the process.
#[derive(Debug)]
pub struct OsLock(#[allow(dead_code)] fs::File);

impl Disk for OsDisk {
    type File = OsFile;
    type Lock = OsLock;

    fn open(&self, path: &Path, options: &OpenOptions) -> io::Result<OsFile> {
        let mut flags = OFlags::empty();
        if options.dsync {
            flags |= OFlags::DSYNC;
        }
        let file = fs::OpenOptions::new()
            .read(options.read)
            .write(options.write)
            .create(options.create)
            .create_new(options.create_new)
            .truncate(options.truncate)
            .custom_flags(flags.bits().cast_signed())
            .open(path)?;
        let direct = options.direct && set_direct(&file);
        Ok(OsFile::new(file, direct))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // A name that is not UTF-8 is not ours.
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(Entry { name, kind: kind(entry.file_type()?) });
            }
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let found = fs::metadata(path)?;
        let modified = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified_ms = i64::try_from(modified.as_millis()).unwrap_or(i64::MAX);
        Ok(Metadata { kind: kind(found.file_type()), len: found.len(), modified_ms })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::DIRECTORY.bits().cast_signed())
            .open(path)?
            .sync_all()
    }

    fn lock(&self, path: &Path) -> Result<OsLock, LockError> {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(LockError::Io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(OsLock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held),
            Err(error) => Err(LockError::Io(error.into())),
        }
    }

    fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        let found = rustix::fs::statvfs(path)?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        Ok((free, found.f_blocks.saturating_mul(found.f_frsize)))
    }
}

fn kind(found: fs::FileType) -> FileKind {
    if found.is_file() {
        FileKind::File
    } else if found.is_dir() {
        FileKind::Dir
    } else {
        FileKind::Other
    }
}

/// Asked for after the open: an open with O_CREAT that O_DIRECT makes fail leaves the file behind.
fn set_direct(file: &fs::File) -> bool {
    fcntl_getfl(file).and_then(|flags| fcntl_setfl(file, flags | OFlags::DIRECT)).is_ok()
}
