//! The write-ahead log of a data directory: one stream of entries, written by group commit.
//!
//! `checkpointed <= durable <= next` are positions (LSNs) in the stream of entries. Appends stage
//! bytes under one short lock and never touch the disk; [`Wal::commit`] or the dedicated writer writes
//! all that was staged since the last write, so the next group forms while the previous is written.
//! A disk error ends it: nothing is retried, nothing more is acknowledged.
//!
//! Lock order: files -> partition -> staging. No lock is held across an await.

mod entry;
mod epoch;
mod files;
mod group;
mod scan;
mod staging;
mod waiters;
mod write;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ottla_env::Env;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::error::DiskError;
use crate::fault::Failed;
use crate::options::{DataDirOptions, FlushMode};
use files::WalFiles;
use group::GROUP_ALIGNMENT;
use staging::{Staging, StagingLimits};
use waiters::Waiters;

pub(crate) use entry::{Entry, EntryHead, EntryKind, entries};
pub(crate) use epoch::EpochFile;
#[cfg(feature = "fuzzing")]
pub(crate) use files::file_name;
#[cfg(feature = "fuzzing")]
pub(crate) use group::Checksum;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use group::GroupHeader;
pub(crate) use group::{PAGE_BYTES, Session, crc32c};
pub(crate) use scan::{Found, WalFile, files as scan_files, groups, read};
pub(crate) use staging::{Author, Placed, Staged, Urgency};

/// How many groups may wait for the disk before large entries of clients wait outside: enough that the
/// next is there when one is written, few enough that a small entry between them is soon durable.
const GROUPS_AHEAD: usize = 16;

/// Why an entry was not staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StageError {
    Busy,
    TooLarge,
    Failed(Failed),
}

/// The write-ahead log.
pub(crate) struct Wal<E: Env> {
    env: E,
    flush: FlushMode,
    staging: Mutex<Staging>,
    files: Mutex<WalFiles<E::Disk>>,
    file_bytes: u64,
    /// The position after the last entry.
    next: AtomicU64,
    /// Everything below is durable (`flush=wal`) or written (`flush=none`).
    durable: AtomicU64,
    waiters: Waiters,
    /// How long a write takes, on average.
    write_nanos: AtomicU64,
    /// Why the directory is offline; set once.
    failed: OnceLock<Failed>,
    /// Nothing is taken in any more, for good.
    offline: AtomicBool,
    closing: AtomicBool,
    /// Wakes the writer.
    wake: Notify,
    /// Wakes the flusher.
    pub(crate) flush_wanted: Notify,
    /// Wakes those whose append was refused as busy.
    room: Notify,
    used_bytes: AtomicU64,
    /// Files may grow to the cap; what is already staged must still fit above this.
    busy_above_bytes: u64,
    entry_bytes_max: usize,
    checkpointed: AtomicU64,
    /// Everything below is in segments.
    flushed: AtomicU64,
    /// How much may be staged beyond that before the flusher is woken.
    flush_bytes: u64,
    /// Everything below was synced (`flush=none`).
    synced: AtomicU64,
    /// An append was told to wait.
    pressed: AtomicBool,
    /// More than this many bytes wait for the disk: large entries of clients are told to wait.
    ahead_bytes: u64,
    /// Entries that were told so and have not begun to wait.
    yielded: AtomicU64,
    /// Wakes the first of those who wait for that; he wakes the next.
    turn: Notify,
    /// Closed to new entries.
    sealed: AtomicBool,
}

impl<E: Env> Wal<E> {
    /// The log of a new session that begins at `start_lsn`; the caller starts [`Wal::run_writer`].
    pub(crate) fn new(
        env: E,
        options: &DataDirOptions,
        session: Session,
        start_lsn: u64,
    ) -> Wal<E> {
        let folder = options.path.join("wal");
        let disk = env.disk().clone();
        let file_bytes = options.wal_file_bytes;
        // What fills up between two checkpoints, and one more.
        let free_max = usize::try_from(options.checkpoint_bytes / file_bytes).unwrap_or(0) + 2;
        let files = WalFiles::new(disk, &folder, options.flush, file_bytes, free_max);
        let limits = StagingLimits {
            session,
            boundary: match options.flush {
                FlushMode::Wal => PAGE_BYTES,
                FlushMode::None => GROUP_ALIGNMENT,
            },
            group_bytes: options.group_bytes,
            buffer_bytes: options.buffer_bytes,
            budget_bytes: options.buffer_budget_bytes,
        };
        let reserve = (options.buffer_budget_bytes as u64).max(options.wal_file_bytes);
        Wal {
            env,
            flush: options.flush,
            staging: Mutex::new(Staging::new(limits, start_lsn)),
            files: Mutex::new(files),
            file_bytes,
            next: AtomicU64::new(start_lsn),
            durable: AtomicU64::new(start_lsn),
            waiters: Waiters::default(),
            write_nanos: AtomicU64::new(0),
            failed: OnceLock::new(),
            offline: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            wake: Notify::new(),
            flush_wanted: Notify::new(),
            room: Notify::new(),
            used_bytes: AtomicU64::new(0),
            busy_above_bytes: options
                .wal_cap_bytes
                .saturating_sub(reserve)
                .max(2 * options.wal_file_bytes),
            entry_bytes_max: usize::try_from(options.wal_file_bytes).unwrap_or(usize::MAX) - 8192,
            checkpointed: AtomicU64::new(start_lsn),
            flushed: AtomicU64::new(start_lsn),
            flush_bytes: options.flush_bytes,
            synced: AtomicU64::new(start_lsn),
            pressed: AtomicBool::new(false),
            ahead_bytes: (GROUPS_AHEAD * options.group_bytes) as u64,
            yielded: AtomicU64::new(0),
            turn: Notify::new(),
            sealed: AtomicBool::new(false),
        }
    }

    /// Takes over files of earlier sessions, once nothing in them is needed.
    pub(crate) fn adopt(&self, leftover: Vec<PathBuf>) -> Result<(), DiskError> {
        self.with_files(|files| files.adopt(leftover))
    }

    /// Whether a client's entry of `len` payload bytes may be staged now, as far as the disk keeps up. Asked
    /// before its bytes are looked at: whoever waits would look at them again each time.
    pub(crate) fn admit(&self, len: usize) -> Result<(), StageError> {
        if Urgency::Client.yields(len) && self.is_behind() {
            self.yielded.fetch_add(1, Ordering::SeqCst);
            return Err(StageError::Busy);
        }
        Ok(())
    }

    /// Adds an entry of `len` payload bytes written by `fill`. Called under the partition's lock, so
    /// that a partition's entries stand in the order of its offsets. Nobody is told to write it:
    /// [`Wal::commit`] and [`Wal::kick`] do.
    pub(crate) fn stage(
        &self,
        head: &EntryHead,
        len: usize,
        urgency: Urgency,
        author: Author<'_>,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Placed, StageError> {
        if self.offline.load(Ordering::Acquire) {
            return Err(StageError::Failed(self.failure()));
        }
        if self.sealed.load(Ordering::Acquire) {
            return Err(StageError::Failed(Failed("it is being closed".into())));
        }
        if len > self.entry_bytes_max {
            return Err(StageError::TooLarge);
        }
        let full = self.used_bytes.load(Ordering::Relaxed) > self.busy_above_bytes;
        if full && urgency != Urgency::MustGo {
            return Err(self.busy());
        }
        let (placed, buffer_before) = {
            let mut staging = self.staging.lock();
            let buffer_before = staging.current_number();
            let placed = staging.stage(head, len, urgency, self.known_durable(), author, fill);
            self.next.store(staging.next_lsn(), Ordering::SeqCst);
            (placed, buffer_before)
        };
        let Ok(placed) = placed else { return Err(self.busy()) };
        let unflushed = placed.lsn.saturating_sub(self.flushed.load(Ordering::Relaxed));
        // A new buffer: small groups fill buffers faster than they fill the log.
        if unflushed >= self.flush_bytes || placed.buffer != buffer_before {
            self.flush_wanted.notify_one();
        }
        Ok(placed)
    }

    /// Takes the directory offline. Only the first call says anything.
    pub(crate) fn fail(&self, error: &DiskError) {
        let advice = match error.source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "; make room on the disk and restart, nothing acknowledged is lost"
            }
            _ => "; check the disk and restart, nothing acknowledged is lost if it still reads",
        };
        self.fail_with(&format!("{error}{advice}"));
    }

    /// Takes the directory offline for a reason.
    pub(crate) fn fail_with(&self, reason: &str) {
        if self.failed.set(Failed(reason.into())).is_err() {
            return;
        }
        tracing::error!(reason, "the log directory goes offline");
        self.offline.store(true, Ordering::SeqCst);
        self.waiters.wake_to(u64::MAX);
        self.room.notify_waiters();
        self.turn.notify_one();
        self.flush_wanted.notify_one();
        self.wake.notify_one();
    }

    /// Waits until an append that was refused as busy may be tried again.
    pub(crate) async fn wait_room(&self) {
        let notified = self.room.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if self.offline.load(Ordering::Acquire) || self.sealed.load(Ordering::Acquire) {
            return;
        }
        let less = |count: u64| count.checked_sub(1);
        if self.yielded.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            return self.wait_turn().await;
        }
        self.busy();
        notified.await;
    }

    /// Waits until the disk has caught up. Those who wait are let go one after the other, in their order,
    /// while that lasts: all at once they would only refuse each other.
    async fn wait_turn(&self) {
        while self.is_behind() && self.check().is_ok() {
            self.kick();
            self.turn.notified().await;
        }
        self.turn.notify_one();
    }

    /// Whether so much waits for the disk that large entries have to wait before it.
    fn is_behind(&self) -> bool {
        self.flush == FlushMode::Wal
            && self.next_lsn().saturating_sub(self.durable()) >= self.ahead_bytes
    }

    /// Asks the flusher for room, whatever else is due.
    fn busy(&self) -> StageError {
        self.pressed.store(true, Ordering::Release);
        self.flush_wanted.notify_one();
        StageError::Busy
    }

    /// Whether someone was told to wait since the last time this was asked.
    pub(crate) fn take_pressed(&self) -> bool {
        self.pressed.swap(false, Ordering::AcqRel)
    }

    /// A checkpoint covers everything below `lsn`: its files are free.
    pub(crate) fn checkpointed(&self, lsn: u64) -> Result<(), DiskError> {
        self.checkpointed.store(lsn, Ordering::Release);
        let recycled = self.with_files(|files| {
            let recycled = files.recycle(lsn);
            self.used_bytes.store(files.used_bytes(), Ordering::Relaxed);
            recycled
        });
        self.room.notify_waiters();
        recycled
    }

    /// Everything below `lsn` is in segments.
    pub(crate) fn set_flushed(&self, lsn: u64) {
        self.flushed.store(lsn, Ordering::Relaxed);
        self.room.notify_waiters();
    }

    pub(crate) fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::Relaxed)
    }

    pub(crate) fn checkpointed_lsn(&self) -> u64 {
        self.checkpointed.load(Ordering::Acquire)
    }

    /// The newest buffer that tails must let go of so that `target_bytes` stay; see `Staging`.
    pub(crate) fn excess(&self, flushed_lsn: u64, target_bytes: usize) -> Option<u64> {
        self.staging.lock().excess(flushed_lsn, target_bytes)
    }

    /// Gives up buffers that no tail holds any more.
    pub(crate) fn release(&self, buffer: u64) {
        self.staging.lock().release(buffer);
        self.room.notify_waiters();
    }

    /// Keeps no memory for buffers to come.
    pub(crate) fn shed(&self) {
        self.staging.lock().shed();
    }

    /// Takes no more entries.
    pub(crate) fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
        self.room.notify_waiters();
        self.flush_wanted.notify_one();
    }

    /// Ends the loops where they are, without a word.
    pub(crate) fn abandon(&self) {
        self.offline.store(true, Ordering::Release);
        self.sealed.store(true, Ordering::Release);
        self.waiters.wake_to(u64::MAX);
        self.room.notify_waiters();
        self.turn.notify_one();
        self.flush_wanted.notify_one();
        self.wake.notify_one();
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// Lets the writer end once all is written.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.wake.notify_one();
        self.flush_wanted.notify_one();
    }

    /// What was written is made durable in `flush=none` too.
    pub(crate) fn sync(&self) -> Result<(), DiskError> {
        if self.flush == FlushMode::Wal {
            return Ok(());
        }
        let written = self.with_files(|files| {
            let written = self.durable();
            files.sync().map(|()| written)
        })?;
        self.synced.store(written, Ordering::Release);
        Ok(())
    }

    /// Everything below survives a power cut.
    pub(crate) fn stable(&self) -> u64 {
        match self.flush {
            FlushMode::Wal => self.durable(),
            FlushMode::None => self.synced.load(Ordering::Acquire),
        }
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::SeqCst)
    }

    pub(crate) fn next_lsn(&self) -> u64 {
        self.next.load(Ordering::SeqCst)
    }

    pub(crate) fn live_bytes(&self) -> usize {
        self.staging.lock().live_bytes()
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn busy_above_bytes(&self) -> u64 {
        self.busy_above_bytes
    }

    pub(crate) fn check(&self) -> Result<(), Failed> {
        if self.offline.load(Ordering::Acquire) { Err(self.failure()) } else { Ok(()) }
    }

    fn failure(&self) -> Failed {
        let failed = self.failed.get().cloned();
        failed.unwrap_or_else(|| Failed("it was closed".into()))
    }
}

#[cfg(test)]
mod tests;
