//! A process's handles on a simulated disk: checks as the kernel would, then hands effects on.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::effect::{Effect, Inode, NameChange};
use super::faults::Op;
use super::live::Live;
use super::loss::LossPlan;
use super::paths::{self, Place, error, find, find_folder};
use super::recording::{Recording, Tape};
use super::state::DiskState;
use super::tree::{Link, ROOT};
use crate::buffer::ALIGNMENT;
use crate::disk::{Advice, Disk, Entry, File, FileKind, LockError, Metadata, OpenOptions};

/// How often bytes are not in memory.
const EVICTED_PERCENT: u64 = 10;
/// EBADF: the handle was not opened for that.
const EBADF: i32 = 9;

/// A disk in memory, as one process sees it. Works with and without a [`crate::sim::Sim`].
#[derive(Clone)]
pub struct SimDisk {
    live: Arc<Mutex<Live>>,
    /// Which process this handle belongs to; the disk answers the present one alone.
    process: u64,
}

/// An open file of a [`SimDisk`].
pub struct SimFile {
    disk: SimDisk,
    inode: Inode,
    options: OpenOptions,
    /// By which name it was opened.
    path: Arc<Path>,
}

/// A held lock of a [`SimDisk`].
pub struct SimLock {
    disk: SimDisk,
    inode: Inode,
}

impl SimDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk::holding(DiskState::new(), seed)
    }

    pub(super) fn holding(state: DiskState, seed: u64) -> SimDisk {
        SimDisk { live: Arc::new(Mutex::new(Live::new(state, seed))), process: 0 }
    }

    /// Keeps every effect from now on.
    pub fn record(&self) -> Recording {
        let mut live = self.live.lock();
        let tape = Arc::new(Mutex::new(Tape::new(live.state.clone())));
        live.tape = Some(tape.clone());
        Recording::new(tape)
    }

    /// What a restarted machine finds if the power goes now. This disk goes on unharmed.
    pub fn after(&self, plan: &LossPlan) -> SimDisk {
        let mut live = self.live.lock();
        let seed = live.random.next_u64();
        SimDisk::holding(live.state.survivor(None, plan), seed)
    }

    /// Fails the next `count` calls of a kind with EIO.
    pub fn fail_next(&self, op: Op, count: u64) {
        self.fail_after(op, 0, count);
    }

    /// Lets `skip` calls of a kind go well, then fails `count` with EIO.
    pub fn fail_after(&self, op: Op, skip: u64, count: u64) {
        self.live.lock().faults.plan(op, skip, count);
    }

    /// Everything below a folder fails with EIO from now on, as on a disk that is gone.
    pub fn lose_folder(&self, folder: &Path) {
        self.live.lock().faults.lose(folder);
    }

    /// Plans no faults any more; folders that were lost are there again.
    pub fn clear_faults(&self) {
        self.live.lock().faults.clear();
    }

    /// Bytes the disk holds.
    pub fn used_bytes(&self) -> u64 {
        self.live.lock().state.usage()
    }

    /// Bytes the disk holds at most.
    pub fn set_capacity(&self, bytes: u64) {
        self.live.lock().capacity = bytes;
    }

    /// How long a durable step takes: anything from `min` to `max`, by the seed.
    pub fn set_latency(&self, min: Duration, max: Duration) {
        self.live.lock().latency = (min, max.max(min));
    }

    /// Turns over a bit of a file, on the platter and in the cache.
    ///
    /// # Errors
    /// If there is no such file, or the byte is past its end.
    pub fn flip_bit(&self, path: &Path, byte: u64, bit: u8) -> io::Result<()> {
        let mut live = self.live.lock();
        let Place::Named { link: Some(link), .. } = find(&live.state.tree, path)? else {
            return Err(error(ErrorKind::NotFound, path));
        };
        match live.state.file_mut(link.inode) {
            Some(file) if byte < file.len() => file.flip_bit(byte, bit),
            _ => return Err(error(ErrorKind::InvalidInput, path)),
        }
        Ok(())
    }

    /// Effects so far.
    pub fn effects(&self) -> u64 {
        self.live.lock().effects
    }

    /// The power goes during effect number `after` from now (0 is the next).
    pub(in crate::sim) fn cut_power_at(&self, after: u64) {
        self.live.lock().cut_after = Some(after);
    }

    /// No longer.
    pub(in crate::sim) fn keep_power(&self) {
        self.live.lock().cut_after = None;
    }

    /// Whether that has happened.
    pub(in crate::sim) fn lost_power(&self) -> bool {
        self.live.lock().tripped
    }

    /// Ends the present process and starts another; what was lost is lost by `plan`.
    pub(in crate::sim) fn next_process(&self, plan: &LossPlan) -> SimDisk {
        let mut live = self.live.lock();
        live.end_process(plan);
        SimDisk { live: self.live.clone(), process: live.process }
    }

    pub(in crate::sim) fn lock_live(&self) -> MutexGuard<'_, Live> {
        self.live.lock()
    }

    /// Lets a call begin: the process lives, the power is on, no fault is planned.
    fn begin(&self, op: Op, path: &Path) -> io::Result<MutexGuard<'_, Live>> {
        let mut live = self.live.lock();
        live.check_process(self.process)?;
        live.faults.strike(op, path)?;
        Ok(live)
    }

    fn handle(&self, live: &mut Live, inode: Inode, options: &OpenOptions, path: &Path) -> SimFile {
        *live.open.entry(inode).or_default() += 1;
        SimFile { disk: self.clone(), inode, options: *options, path: Arc::from(path) }
    }

    /// Opens or makes the file; the flags have POSIX's meaning.
    fn open_inode(live: &mut Live, path: &Path, options: &OpenOptions) -> io::Result<Inode> {
        match find(&live.state.tree, path)? {
            Place::Root => Err(error(ErrorKind::IsADirectory, path)),
            Place::Named { link: Some(_), .. } if options.create_new => {
                Err(error(ErrorKind::AlreadyExists, path))
            }
            Place::Named { link: Some(link), .. } if link.is_folder => {
                Err(error(ErrorKind::IsADirectory, path))
            }
            Place::Named { link: Some(link), .. } => {
                if options.truncate {
                    let at_ms = live.wall_ms();
                    live.commit(Effect::SetLen { inode: link.inode, len: 0, at_ms })?;
                }
                Ok(link.inode)
            }
            Place::Named { folder, name, link: None } if options.create || options.create_new => {
                live.link(folder, name, false)
            }
            Place::Named { link: None, .. } => Err(error(ErrorKind::NotFound, path)),
        }
    }
}

impl Disk for SimDisk {
    type File = SimFile;
    type Lock = SimLock;

    fn open(&self, path: &Path, options: &OpenOptions) -> io::Result<SimFile> {
        let mut live = self.begin(Op::Name, path)?;
        let makes = options.create || options.create_new || options.truncate;
        if !(options.write || options.read && !makes) {
            return Err(error(ErrorKind::InvalidInput, path));
        }
        let inode = SimDisk::open_inode(&mut live, path, options)?;
        Ok(self.handle(&mut live, inode, options, path))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut live = self.begin(Op::Name, path)?;
        let mut folder = ROOT;
        for name in paths::names(path)? {
            folder = match live.state.tree.link(folder, name) {
                Some(link) if link.is_folder => link.inode,
                Some(_) => return Err(error(ErrorKind::NotADirectory, path)),
                None => live.link(folder, Arc::from(name), true)?,
            };
        }
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let live = self.begin(Op::Name, path)?;
        let folder = find_folder(&live.state.tree, path)?;
        let names = live.state.tree.folder(folder).into_iter().flatten();
        let entry = |(name, link): (&Arc<str>, &Link)| Entry {
            name: name.to_string(),
            kind: if link.is_folder { FileKind::Dir } else { FileKind::File },
        };
        Ok(names.map(entry).collect())
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let live = self.begin(Op::Name, path)?;
        let folder = Metadata { kind: FileKind::Dir, len: 0, modified_ms: 0 };
        match find(&live.state.tree, path)? {
            Place::Root => Ok(folder),
            Place::Named { link: None, .. } => Err(error(ErrorKind::NotFound, path)),
            Place::Named { link: Some(link), .. } => {
                Ok(live.state.file(link.inode).map_or(folder, |file| Metadata {
                    kind: FileKind::File,
                    len: file.len(),
                    modified_ms: file.modified_ms,
                }))
            }
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut live = self.begin(Op::Name, path)?;
        match find(&live.state.tree, path)? {
            Place::Named { folder, name, link: Some(link) } if !link.is_folder => {
                live.commit(Effect::Name(NameChange::Unlink { folder, name }))
            }
            Place::Named { link: None, .. } => Err(error(ErrorKind::NotFound, path)),
            Place::Root | Place::Named { .. } => Err(error(ErrorKind::IsADirectory, path)),
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut live = self.begin(Op::Name, path)?;
        match find(&live.state.tree, path)? {
            Place::Root => Err(error(ErrorKind::InvalidInput, path)),
            Place::Named { link: None, .. } => Err(error(ErrorKind::NotFound, path)),
            Place::Named { link: Some(link), .. } if !link.is_folder => {
                Err(error(ErrorKind::NotADirectory, path))
            }
            Place::Named { folder, name, link: Some(link) } => {
                for (folder, name) in live.below(link.inode) {
                    live.commit(Effect::Name(NameChange::Unlink { folder, name }))?;
                }
                live.commit(Effect::Name(NameChange::Unlink { folder, name }))
            }
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut live = self.begin(Op::Name, from)?;
        let Place::Named { folder: from_folder, name: from_name, link: Some(moved) } =
            find(&live.state.tree, from)?
        else {
            return Err(error(ErrorKind::NotFound, from));
        };
        let Place::Named { folder, name, link: replaced } = find(&live.state.tree, to)? else {
            return Err(error(ErrorKind::InvalidInput, to));
        };
        match replaced {
            Some(replaced) if replaced.inode == moved.inode => return Ok(()),
            Some(replaced) if replaced.is_folder && !moved.is_folder => {
                return Err(error(ErrorKind::IsADirectory, to));
            }
            Some(replaced) if moved.is_folder && !replaced.is_folder => {
                return Err(error(ErrorKind::NotADirectory, to));
            }
            Some(replaced) if replaced.is_folder && !live.below(replaced.inode).is_empty() => {
                return Err(error(ErrorKind::DirectoryNotEmpty, to));
            }
            _ => {}
        }
        if moved.is_folder && to.starts_with(from) {
            return Err(error(ErrorKind::InvalidInput, to));
        }
        let change = NameChange::Rename { from: (from_folder, from_name), to: (folder, name) };
        live.commit(Effect::Name(change))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut live = self.begin(Op::Sync, path)?;
        let folder = find_folder(&live.state.tree, path)?;
        live.commit(Effect::SyncDir { folder })?;
        let Live { state, open, .. } = &mut *live;
        state.forget_unnamed(open);
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<SimLock, LockError> {
        let mut live = self.begin(Op::Name, path).map_err(LockError::Io)?;
        let options = OpenOptions::read_write_create();
        let inode = SimDisk::open_inode(&mut live, path, &options).map_err(LockError::Io)?;
        if !live.locks.insert(inode) {
            return Err(LockError::Held);
        }
        Ok(SimLock { disk: self.clone(), inode })
    }

    /// At once, and no byte twice: pages that were never written are most of some files.
    fn read_file(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path, &OpenOptions::read_only())?;
        let live = self.begin(Op::Read, path)?;
        let Some(state) = live.state.file(file.inode) else { return Ok(Vec::new()) };
        let len = state.len();
        if len > limit {
            let text = format!("{} has {len} bytes, more than {limit}", path.display());
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        let bytes = state.read_all();
        drop(live);
        Ok(bytes)
    }

    fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        let live = self.begin(Op::Name, path)?;
        find(&live.state.tree, path)?;
        Ok((live.capacity.saturating_sub(live.state.usage()), live.capacity))
    }
}

impl SimFile {
    fn check_writable(&self) -> io::Result<()> {
        if self.options.write { Ok(()) } else { Err(io::Error::from_raw_os_error(EBADF)) }
    }

    /// O_DIRECT's rules, as strict as the strictest disk has them.
    fn check_direct(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let aligned = (bytes.as_ptr() as usize).is_multiple_of(ALIGNMENT)
            && bytes.len().is_multiple_of(ALIGNMENT)
            && position.is_multiple_of(ALIGNMENT as u64);
        if self.options.direct && !aligned {
            let text = "O_DIRECT with an unaligned buffer, length or position";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut live = self.disk.live.lock();
        live.check_process(self.disk.process)?;
        let fault = live.faults.strike(Op::Write, &self.path).err();
        let at_ms = live.wall_ms();
        let (inode, dsync) = (self.inode, self.options.dsync);
        if let Some(fault) = fault {
            // Part of it may have been written, and nothing promised.
            let some = live.random.index(bytes.len() + 1);
            let bytes = Arc::from(&bytes[..some]);
            live.commit(Effect::Write { inode, position, bytes, dsync: false, at_ms })?;
            return Err(fault);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        live.check_room(inode, position, bytes.len())?;
        live.commit_write(inode, position, bytes, (dsync, at_ms))
    }
}

impl File for SimFile {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        if !self.options.read {
            return Err(io::Error::from_raw_os_error(EBADF));
        }
        self.check_direct(buf, position)?;
        let live = self.disk.begin(Op::Read, &self.path)?;
        Ok(live.state.file(self.inode).map_or(0, |file| file.read(buf, position)))
    }

    fn try_read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        if !self.is_cached(position, buf.len() as u64) {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.read_at(buf, position)
    }

    /// By the seed: now and then a page is gone, whoever read it last.
    fn is_cached(&self, _position: u64, _len: u64) -> bool {
        !self.disk.live.lock().random.chance(EVICTED_PERCENT)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.check_direct(bytes, position)?;
        self.write(bytes, position)
    }

    fn write_all_vectored_at(&self, slices: &[&[u8]], position: u64) -> io::Result<()> {
        for slice in slices {
            self.check_direct(slice, position)?;
        }
        match slices {
            [bytes] => self.write(bytes, position),
            _ => self.write(&slices.concat(), position),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let inode = self.inode;
        match self.disk.begin(Op::Sync, &self.path) {
            Ok(mut live) => live.commit(Effect::Sync { inode }),
            Err(error) => {
                let mut live = self.disk.live.lock();
                live.check_process(self.disk.process)?;
                live.commit(Effect::Forsake { inode })?;
                Err(error)
            }
        }
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut live = self.disk.begin(Op::Write, &self.path)?;
        let at_ms = live.wall_ms();
        live.commit(Effect::SetLen { inode: self.inode, len, at_ms })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut live = self.disk.begin(Op::Write, &self.path)?;
        let taken = live.state.file(self.inode).map_or(0, super::file::FileState::usage);
        live.check_growth(len.saturating_sub(taken))?;
        let at_ms = live.wall_ms();
        live.commit(Effect::Allocate { inode: self.inode, len, at_ms })
    }

    fn len(&self) -> io::Result<u64> {
        let live = self.disk.begin(Op::Read, &self.path)?;
        Ok(live.state.file(self.inode).map_or(0, super::file::FileState::len))
    }

    fn is_direct(&self) -> bool {
        self.options.direct
    }

    /// Un-synced pages may be on the platter at any time anyway.
    fn start_writeback(&self, _position: u64, _len: u64) -> io::Result<()> {
        self.disk.begin(Op::Write, &self.path).map(|_| ())
    }

    fn advise(&self, _position: u64, _len: u64, _advice: Advice) {}
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut live = self.disk.live.lock();
        if live.process == self.disk.process {
            live.close(self.inode);
        }
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut live = self.disk.live.lock();
        if live.process == self.disk.process {
            live.locks.remove(&self.inode);
        }
    }
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimDisk").field("process", &self.process).finish_non_exhaustive()
    }
}
