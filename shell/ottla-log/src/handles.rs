//! Open files kept at hand, the least recently used closed first. No partition owns a handle.
//!
//! A file that is in use stays open for its users after it was closed here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_env::{Disk, OpenOptions};
use parking_lot::Mutex;

use crate::error::DiskError;
use crate::open_file::OpenFile;

/// The open files of a data directory, at most `limit`.
pub(crate) struct Handles<D: Disk> {
    disk: D,
    limit: usize,
    open: Mutex<Open<D::File>>,
}

struct Open<F> {
    files: BTreeMap<PathBuf, (Arc<OpenFile<F>>, u64)>,
    by_use: BTreeMap<u64, PathBuf>,
    clock: u64,
}

impl<D: Disk> Handles<D> {
    pub(crate) fn new(disk: D, limit: usize) -> Handles<D> {
        let open = Open { files: BTreeMap::new(), by_use: BTreeMap::new(), clock: 0 };
        Handles { disk, limit, open: Mutex::new(open) }
    }

    /// An existing file.
    pub(crate) fn existing(&self, path: &Path) -> Result<Arc<OpenFile<D::File>>, DiskError> {
        self.get(path, &OpenOptions::read_write())
    }

    /// A file that is made if it is missing.
    pub(crate) fn created(&self, path: &Path) -> Result<Arc<OpenFile<D::File>>, DiskError> {
        self.get(path, &OpenOptions::read_write_create())
    }

    /// A file with nothing in it.
    pub(crate) fn fresh(&self, path: &Path) -> Result<Arc<OpenFile<D::File>>, DiskError> {
        self.forget(path);
        let options = OpenOptions { truncate: true, ..OpenOptions::read_write_create() };
        self.get(path, &options)
    }

    /// Closes a file that is about to be removed or replaced.
    pub(crate) fn forget(&self, path: &Path) {
        let mut open = self.open.lock();
        if let Some((_, used)) = open.files.remove(path) {
            open.by_use.remove(&used);
        }
    }

    /// Closes all files in a folder.
    pub(crate) fn forget_folder(&self, folder: &Path) {
        let mut open = self.open.lock();
        let inside: Vec<PathBuf> =
            open.files.keys().filter(|path| path.starts_with(folder)).cloned().collect();
        for path in inside {
            if let Some((_, used)) = open.files.remove(&path) {
                open.by_use.remove(&used);
            }
        }
    }

    /// How many are open here.
    pub(crate) fn len(&self) -> usize {
        self.open.lock().files.len()
    }

    /// A file that is open already.
    pub(crate) fn at_hand(&self, path: &Path) -> Option<Arc<OpenFile<D::File>>> {
        self.open.lock().used(path)
    }

    fn get(&self, path: &Path, options: &OpenOptions) -> Result<Arc<OpenFile<D::File>>, DiskError> {
        if let Some(file) = self.open.lock().used(path) {
            return Ok(file);
        }
        let file = self.disk.open(path, options).map_err(DiskError::at("open", path))?;
        let file = Arc::new(OpenFile::new(file));
        self.open.lock().insert(path, file.clone(), self.limit);
        Ok(file)
    }
}

impl<F> Open<F> {
    fn used(&mut self, path: &Path) -> Option<Arc<OpenFile<F>>> {
        let (file, used) = self.files.get_mut(path)?;
        self.clock += 1;
        let path = self.by_use.remove(used).expect("every file has its last use");
        *used = self.clock;
        self.by_use.insert(self.clock, path);
        Some(file.clone())
    }

    fn insert(&mut self, path: &Path, file: Arc<OpenFile<F>>, limit: usize) {
        while self.files.len() >= limit {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            self.files.remove(&oldest);
        }
        self.clock += 1;
        if let Some((_, used)) = self.files.insert(path.to_path_buf(), (file, self.clock)) {
            self.by_use.remove(&used);
        }
        self.by_use.insert(self.clock, path.to_path_buf());
    }
}
