//! Files and folders. Every call blocks; callers keep them off the network workers.
//!
//! Durability is POSIX's: bytes after `sync_data` (or a write through a `dsync` handle), names
//! after `sync_dir` of their folder. The simulated disk takes that at its word and loses the rest.

use std::io;
use std::path::Path;

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct OpenOptions {
    /// Reading is allowed.
    pub read: bool,
    /// Writing is allowed.
    pub write: bool,
    /// Make the file if it is missing.
    pub create: bool,
    /// Make the file; fail if it exists.
    pub create_new: bool,
    /// Cut to nothing on open.
    pub truncate: bool,
    /// Bypass the page cache; buffers, offsets and lengths are multiples of 4096. Where the file
    /// system refuses it the file is opened without, and [`File::is_direct`] says so.
    pub direct: bool,
    /// Each write returns when it is on stable storage.
    pub dsync: bool,
}

impl OpenOptions {
    /// Reading only.
    pub const fn read_only() -> OpenOptions {
        OpenOptions {
            read: true,
            write: false,
            create: false,
            create_new: false,
            truncate: false,
            direct: false,
            dsync: false,
        }
    }
    /// Reading and writing a file that is made if missing.
    pub const fn read_write_create() -> OpenOptions {
        OpenOptions { write: true, create: true, ..OpenOptions::read_only() }
    }
    /// Reading and writing an existing file.
    pub const fn read_write() -> OpenOptions {
        OpenOptions { write: true, ..OpenOptions::read_only() }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// Anything else.
    Other,
}

/// What is known of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// File or folder.
    pub kind: FileKind,
    /// Length in bytes.
    pub len: u64,
    /// Last change, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without the folder.
    pub name: String,
    /// File or folder.
    pub kind: FileKind,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it.
    Held,
    /// The disk refused.
    Io(io::Error),
}

/// Advice about coming reads, posix_fadvise(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Will be read soon, in order.
    WillNeed,
    /// Will not be read again soon.
    DontNeed,
}

/// A file system.
pub trait Disk: Clone + Send + Sync + 'static {
    /// An open file.
    type File: File;
    /// Held until dropped.
    type Lock: Send + Sync + 'static;

    /// Opens a file.
    ///
    /// # Errors
    /// Those of open(2).
    fn open(&self, path: &Path, options: &OpenOptions) -> io::Result<Self::File>;
    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// Those of mkdir(2).
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// Those of opendir(3).
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// Facts about a name; `NotFound` if there is none.
    ///
    /// # Errors
    /// Those of stat(2).
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    /// Removes a file.
    ///
    /// # Errors
    /// Those of unlink(2).
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder and all below it.
    ///
    /// # Errors
    /// Those of rmdir(2) and unlink(2).
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Renames, replacing what bore the new name, atomically.
    ///
    /// # Errors
    /// Those of rename(2).
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// Those of fsync(2).
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Takes the exclusive lock of a file, making the file if it is missing.
    ///
    /// # Errors
    /// [`LockError::Held`] if another process has it.
    fn lock(&self, path: &Path) -> Result<Self::Lock, LockError>;
    /// Free and total bytes of the file system that holds `path`.
    ///
    /// # Errors
    /// Those of statvfs(3).
    fn space(&self, path: &Path) -> io::Result<(u64, u64)>;

    /// Whether a name exists.
    fn exists(&self, path: &Path) -> bool {
        self.metadata(path).is_ok()
    }
    /// A whole file of at most `limit` bytes; a longer one is an error.
    ///
    /// # Errors
    /// Those of reading, and `InvalidData` past the limit.
    fn read_file(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path, &OpenOptions::read_only())?;
        let len = file.len()?;
        if len > limit {
            let text = format!("{} has {len} bytes, more than {limit}", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
    /// Writes a whole file so that after a crash either the old or the new one is there: aside,
    /// synced, renamed, the folder synced.
    ///
    /// # Errors
    /// Those of the steps; the old file stands if one fails.
    fn replace_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".tmp");
        let aside = Path::new(&aside);
        let options = OpenOptions { truncate: true, ..OpenOptions::read_write_create() };
        let file = self.open(aside, &options)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()?;
        self.rename(aside, path)?;
        match path.parent() {
            Some(folder) => self.sync_dir(folder),
            None => Ok(()),
        }
    }
}

/// An open file. Positions are explicit; there is no cursor.
pub trait File: Send + Sync + 'static {
    /// Reads up to `buf.len()` bytes; 0 at the end of the file.
    ///
    /// # Errors
    /// Those of pread(2).
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;
    /// The same of bytes that are in memory; `WouldBlock` where the disk would have to be waited for.
    ///
    /// # Errors
    /// Those of preadv2(2).
    fn try_read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;
    /// Whether a range is in memory now, so that reading it waits for nothing. `false` if in doubt.
    fn is_cached(&self, position: u64, len: u64) -> bool;
    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Those of pwrite(2). Part may have been written.
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()>;
    /// Writes all of the slices, one after the other.
    ///
    /// # Errors
    /// Those of pwritev(2). Part may have been written.
    fn write_all_vectored_at(&self, slices: &[&[u8]], position: u64) -> io::Result<()>;
    /// Makes the bytes (and the length needed to read them) durable.
    ///
    /// # Errors
    /// Those of fdatasync(2). Never retried: after an error the bytes may be lost.
    fn sync_data(&self) -> io::Result<()>;
    /// Makes bytes and attributes durable.
    ///
    /// # Errors
    /// Those of fsync(2).
    fn sync_all(&self) -> io::Result<()>;
    /// Cuts or grows (with zeroes) to `len`.
    ///
    /// # Errors
    /// Those of ftruncate(2).
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Reserves and zeroes `len` bytes from the start, so that later writes change no metadata.
    ///
    /// # Errors
    /// Those of fallocate(2), `StorageFull` among them.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// The length in bytes.
    ///
    /// # Errors
    /// Those of fstat(2).
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// Those of fstat(2).
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Whether the page cache is bypassed.
    fn is_direct(&self) -> bool;
    /// Starts writing a range back without waiting, to pace the page cache.
    ///
    /// # Errors
    /// Those of sync_file_range(2).
    fn start_writeback(&self, position: u64, len: u64) -> io::Result<()>;
    /// Advice about a range; may be ignored.
    fn advise(&self, position: u64, len: u64, advice: Advice);

    /// Fills `buf` whole.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends first, and those of pread(2).
    fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buf.len() {
            match self.read_at(&mut buf[done..], position + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
