//! The write-ahead files: preallocated, written front to back, recycled under a new name.
//!
//! The first of a new directory is a short one: its zeroes are written while somebody waits for the
//! first acknowledgement. The next is made in the background meanwhile.
//!
//! A file's name is the position of its first group. It never decides what is durable: the caller
//! asks for one group to be written and gets an answer, once.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use ottla_env::{Disk, File, OpenOptions};
use ottla_plant::{Plant, planted};

use crate::error::DiskError;
use crate::options::FlushMode;

/// The first file of a new directory is one part of so many.
const FIRST_PARTS: u64 = 16;
/// What direct writes are aligned to.
const ALIGNMENT: u64 = 4096;

/// The name of the file whose first group begins at `start_lsn`.
pub(crate) fn file_name(start_lsn: u64) -> String {
    format!("{start_lsn:020}.wal")
}

/// The position in a name made by [`file_name`].
pub(crate) fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

struct Current<F> {
    file: F,
    path: PathBuf,
    start_lsn: u64,
    position: u64,
    bytes: u64,
}

/// A file with nothing but groups that were written.
struct Full {
    start_lsn: u64,
    path: PathBuf,
    bytes: u64,
}

/// The files of one session, in the hands of the one writer.
pub(crate) struct WalFiles<D: Disk> {
    disk: D,
    folder: PathBuf,
    flush: FlushMode,
    file_bytes: u64,
    /// Recycled files kept for the next writes: writing zeroes to a new one costs as much as its
    /// first use.
    free_max: usize,
    current: Option<Current<D::File>>,
    /// Full ones, oldest first.
    full: VecDeque<Full>,
    /// Full ones that were written but never synced (`flush=none`).
    unsynced: Vec<(D::File, PathBuf)>,
    free: Vec<PathBuf>,
}

impl<D: Disk> WalFiles<D> {
    /// The files of a new session: none yet.
    pub(crate) fn new(
        disk: D,
        folder: &Path,
        flush: FlushMode,
        file_bytes: u64,
        free_max: usize,
    ) -> WalFiles<D> {
        WalFiles {
            disk,
            folder: folder.to_path_buf(),
            flush,
            file_bytes,
            free_max,
            current: None,
            full: VecDeque::new(),
            unsynced: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Takes over files of earlier sessions: those of the right size are used again.
    pub(crate) fn adopt(&mut self, leftover: Vec<PathBuf>) -> Result<(), DiskError> {
        // Whether its zeroes were all written is not known.
        let spare = self.spare_path();
        if self.disk.exists(&spare) {
            self.disk.remove_file(&spare).map_err(DiskError::at("remove", &spare))?;
        }
        for path in leftover {
            let metadata = self.disk.metadata(&path).map_err(DiskError::at("look at", &path))?;
            if metadata.len == self.file_bytes && self.free.len() < self.free_max {
                self.free.push(path);
            } else {
                self.disk.remove_file(&path).map_err(DiskError::at("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Bytes of the files that hold something needed.
    pub(crate) fn used_bytes(&self) -> u64 {
        let full: u64 = self.full.iter().map(|file| file.bytes).sum();
        full + self.current.as_ref().map_or(0, |current| current.bytes)
    }

    /// Writes one group. When it returns, the group is on stable storage (`flush=wal`) or in the
    /// page cache.
    pub(crate) fn write(&mut self, group: &[u8], start_lsn: u64) -> Result<(), DiskError> {
        let length = group.len() as u64;
        self.make_room(length, start_lsn)?;
        let current = self.current.as_mut().expect("make_room leaves a file");
        let written = current.file.write_all_at(group, current.position);
        written.map_err(DiskError::at("write", &current.path))?;
        current.position += length;
        Ok(())
    }

    /// Where the next file may be prepared, if none is at hand and the current one is half full, or
    /// short and in use.
    pub(crate) fn wants_spare(&self) -> Option<PathBuf> {
        let enough = |current: &Current<D::File>| {
            let half = if current.bytes < self.file_bytes { 0 } else { current.bytes / 2 };
            current.position > half
        };
        let soon = self.current.as_ref().is_some_and(enough);
        (soon && self.free.is_empty()).then(|| self.spare_path())
    }

    /// Takes a file that [`allocate`] made.
    pub(crate) fn add_spare(&mut self, path: PathBuf) {
        self.free.push(path);
    }

    fn spare_path(&self) -> PathBuf {
        self.folder.join("spare")
    }

    /// Makes what was written durable: for `flush=none`, where writes alone do not.
    pub(crate) fn sync(&mut self) -> Result<(), DiskError> {
        for (file, path) in self.unsynced.drain(..) {
            file.sync_data().map_err(DiskError::at("sync", &path))?;
        }
        match &self.current {
            Some(current) => current.file.sync_data().map_err(DiskError::at("sync", &current.path)),
            None => Ok(()),
        }
    }

    /// Frees the files that lie wholly below `lsn`.
    pub(crate) fn recycle(&mut self, lsn: u64) -> Result<(), DiskError> {
        loop {
            let next = self.full.get(1).map(|file| file.start_lsn);
            let end = next.or_else(|| self.current.as_ref().map(|current| current.start_lsn));
            if self.full.is_empty() || end.is_none_or(|end| end > lsn) {
                return Ok(());
            }
            let Full { path, bytes, .. } = self.full.pop_front().expect("just seen");
            if bytes == self.file_bytes && self.free.len() < self.free_max {
                self.free.push(path);
            } else {
                self.disk.remove_file(&path).map_err(DiskError::at("remove", &path))?;
            }
        }
    }

    fn make_room(&mut self, padded: u64, start_lsn: u64) -> Result<(), DiskError> {
        let fits =
            self.current.as_ref().is_some_and(|current| current.position + padded <= current.bytes);
        if fits {
            return Ok(());
        }
        let is_first = self.current.is_none() && self.full.is_empty();
        if let Some(full) = self.current.take() {
            if self.flush == FlushMode::None {
                self.unsynced.push((full.file, full.path.clone()));
            }
            let (path, start_lsn, bytes) = (full.path, full.start_lsn, full.bytes);
            self.full.push_back(Full { start_lsn, path, bytes });
        }
        let path = self.folder.join(file_name(start_lsn));
        let bytes = match self.free.pop() {
            Some(old) => {
                self.disk.rename(&old, &path).map_err(DiskError::at("rename", &old))?;
                self.file_bytes
            }
            None => {
                let bytes = if is_first { self.first_bytes(padded) } else { self.file_bytes };
                allocate(&self.disk, &path, bytes)?;
                bytes
            }
        };
        let options = self.open_options();
        let file = self.disk.open(&path, &options).map_err(DiskError::at("open", &path))?;
        // The name must be there before what is written under it counts.
        if !planted(Plant::WalFolderNotSynced) {
            self.disk.sync_dir(&self.folder).map_err(DiskError::at("sync", &self.folder))?;
        }
        self.current = Some(Current { file, path, start_lsn, position: 0, bytes });
        Ok(())
    }

    /// Room for a first group of `padded` bytes and a few more.
    fn first_bytes(&self, padded: u64) -> u64 {
        let short = (self.file_bytes / FIRST_PARTS).max(padded);
        short.next_multiple_of(ALIGNMENT).min(self.file_bytes)
    }

    fn open_options(&self) -> OpenOptions {
        let durable = self.flush == FlushMode::Wal && !planted(Plant::WalNotSynced);
        OpenOptions { direct: durable, dsync: durable, ..OpenOptions::read_write() }
    }
}

/// Makes a file of `bytes` zeroes, so that writes to it change no metadata.
pub(crate) fn allocate<D: Disk>(disk: &D, path: &Path, bytes: u64) -> Result<(), DiskError> {
    let plain = OpenOptions { truncate: true, ..OpenOptions::read_write_create() };
    let file = disk.open(path, &plain).map_err(DiskError::at("create", path))?;
    file.allocate(bytes).map_err(DiskError::at("allocate", path))?;
    file.sync_all().map_err(DiskError::at("sync", path))
}

#[cfg(test)]
mod tests;
