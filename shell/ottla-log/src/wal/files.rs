//! The write-ahead files: preallocated, written front to back, recycled under a new name.
//!
//! A file's name is the position of its first group. It never decides what is durable: the caller
//! asks for one group to be written and gets an answer, once.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use ottla_env::buffer::AlignedBuffer;
use ottla_env::{Disk, File, OpenOptions};
use ottla_plant::{Plant, planted};

use super::group::{GROUP_ALIGNMENT, GroupHeader, HEADER_BYTES, PAGE_BYTES, Session};
use crate::error::DiskError;
use crate::options::FlushMode;

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
}

/// The files of one session, in the hands of the one writer.
pub(crate) struct WalFiles<D: Disk> {
    disk: D,
    folder: PathBuf,
    flush: FlushMode,
    session: Session,
    file_bytes: u64,
    current: Option<Current<D::File>>,
    /// Full ones, oldest first: (first position, path).
    full: VecDeque<(u64, PathBuf)>,
    /// Full ones that were written but never synced (`flush=none`).
    unsynced: Vec<(D::File, PathBuf)>,
    free: Vec<PathBuf>,
    scratch: AlignedBuffer,
}

impl<D: Disk> WalFiles<D> {
    /// The files of a new session: none yet.
    pub(crate) fn new(
        disk: D,
        folder: &Path,
        flush: FlushMode,
        session: Session,
        file_bytes: u64,
    ) -> WalFiles<D> {
        WalFiles {
            disk,
            folder: folder.to_path_buf(),
            flush,
            session,
            file_bytes,
            current: None,
            full: VecDeque::new(),
            unsynced: Vec::new(),
            free: Vec::new(),
            scratch: AlignedBuffer::zeroed(PAGE_BYTES),
        }
    }

    /// Takes over files of earlier sessions: those of the right size are used again.
    pub(crate) fn adopt(&mut self, leftover: Vec<PathBuf>) -> Result<(), DiskError> {
        for path in leftover {
            let metadata = self.disk.metadata(&path).map_err(DiskError::at("look at", &path))?;
            if metadata.len == self.file_bytes && self.free.len() < FREE_FILES_MAX {
                self.free.push(path);
            } else {
                self.disk.remove_file(&path).map_err(DiskError::at("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Bytes of the files that hold something needed.
    pub(crate) fn used_bytes(&self) -> u64 {
        (self.full.len() as u64 + u64::from(self.current.is_some())) * self.file_bytes
    }

    /// Writes one group. When it returns, the group is on stable storage (`flush=wal`) or in the
    /// page cache.
    pub(crate) fn write(
        &mut self,
        payload: &[u8],
        start_lsn: u64,
        durable_lsn: u64,
    ) -> Result<(), DiskError> {
        let end = HEADER_BYTES + payload.len();
        let boundary = match self.flush {
            FlushMode::Wal => PAGE_BYTES,
            FlushMode::None => GROUP_ALIGNMENT,
        };
        let padded = end.next_multiple_of(boundary);
        if self.scratch.len() < padded {
            self.scratch = AlignedBuffer::zeroed(padded.next_power_of_two());
        }
        let group = &mut self.scratch[..padded];
        group[HEADER_BYTES..end].copy_from_slice(payload);
        group[end..].fill(0);
        let header = GroupHeader {
            start_lsn,
            durable_lsn,
            payload_bytes: u32::try_from(payload.len()).expect("a group fits a file"),
            padded_bytes: u32::try_from(padded).expect("a group fits a file"),
        };
        header.seal(&self.session, group);
        self.make_room(padded as u64, start_lsn)?;
        let current = self.current.as_mut().expect("make_room leaves a file");
        let written = current.file.write_all_at(&self.scratch[..padded], current.position);
        written.map_err(DiskError::at("write", &current.path))?;
        current.position += padded as u64;
        Ok(())
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
            let next = self.full.get(1).map(|(start, _)| *start);
            let end = next.or_else(|| self.current.as_ref().map(|current| current.start_lsn));
            if self.full.is_empty() || end.is_none_or(|end| end > lsn) {
                return Ok(());
            }
            let (_, path) = self.full.pop_front().expect("just seen");
            if self.free.len() < FREE_FILES_MAX {
                self.free.push(path);
            } else {
                self.disk.remove_file(&path).map_err(DiskError::at("remove", &path))?;
            }
        }
    }

    fn make_room(&mut self, padded: u64, start_lsn: u64) -> Result<(), DiskError> {
        let fits = self
            .current
            .as_ref()
            .is_some_and(|current| current.position + padded <= self.file_bytes);
        if fits {
            return Ok(());
        }
        if let Some(full) = self.current.take() {
            if self.flush == FlushMode::None {
                self.unsynced.push((full.file, full.path.clone()));
            }
            self.full.push_back((full.start_lsn, full.path));
        }
        let path = self.folder.join(file_name(start_lsn));
        let file = match self.free.pop() {
            Some(old) => {
                self.disk.rename(&old, &path).map_err(DiskError::at("rename", &old))?;
                self.disk.open(&path, &self.open_options()).map_err(DiskError::at("open", &path))?
            }
            None => self.allocate(&path)?,
        };
        // The name must be there before what is written under it counts.
        if !planted(Plant::WalFolderNotSynced) {
            self.disk.sync_dir(&self.folder).map_err(DiskError::at("sync", &self.folder))?;
        }
        self.current = Some(Current { file, path, start_lsn, position: 0 });
        Ok(())
    }

    fn allocate(&self, path: &Path) -> Result<D::File, DiskError> {
        let plain = OpenOptions { truncate: true, ..OpenOptions::read_write_create() };
        let file = self.disk.open(path, &plain).map_err(DiskError::at("create", path))?;
        file.allocate(self.file_bytes).map_err(DiskError::at("allocate", path))?;
        file.sync_all().map_err(DiskError::at("sync", path))?;
        self.disk.open(path, &self.open_options()).map_err(DiskError::at("open", path))
    }

    fn open_options(&self) -> OpenOptions {
        let durable = self.flush == FlushMode::Wal && !planted(Plant::WalNotSynced);
        OpenOptions { direct: durable, dsync: durable, ..OpenOptions::read_write() }
    }
}

/// Recycled files kept for the next writes.
const FREE_FILES_MAX: usize = 2;
