//! The write-ahead log of a data directory: one stream of entries, written by group commit.
//!
//! `checkpointed <= durable <= next` are positions (LSNs) in the stream of entries. Appends stage
//! bytes under one short lock and never touch the disk (`flush=wal`); one dedicated loop writes all
//! that was staged since its last write, so the next group forms while the previous is written.
//! A disk error ends it: nothing is retried, nothing more is acknowledged.
//!
//! Lock order: files -> partition -> staging. No lock is held across an await.

mod entry;
mod epoch;
mod files;
mod group;
mod scan;
mod staging;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ottla_env::Env;
use ottla_plant::{Plant, planted};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::error::DiskError;
use crate::fault::Failed;
use crate::options::{DataDirOptions, FlushMode};
use files::WalFiles;
use staging::{Staging, StagingLimits};

pub(crate) use entry::{Entry, EntryHead, EntryKind, entries};
pub(crate) use epoch::EpochFile;
#[cfg(feature = "fuzzing")]
pub(crate) use files::file_name;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use group::GroupHeader;
#[cfg(feature = "fuzzing")]
pub(crate) use group::PAGE_BYTES;
pub(crate) use group::{Session, crc32c};
pub(crate) use scan::{Found, WalFile, files as scan_files, groups, read};
pub(crate) use staging::{Placed, Staged, Urgency};

/// How far the log got.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Everything below is durable (`flush=wal`) or written (`flush=none`).
    pub durable: u64,
    /// Set once, for good.
    pub failed: Option<Failed>,
}

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
    progress: watch::Sender<Progress>,
    /// Mirrors `progress.failed`, for the append path.
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
        let files = WalFiles::new(disk, &folder, options.flush, session, options.wal_file_bytes);
        let limits = StagingLimits {
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
            progress: watch::Sender::new(Progress { durable: start_lsn, failed: None }),
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
            sealed: AtomicBool::new(false),
        }
    }

    /// Takes over files of earlier sessions, once nothing in them is needed.
    pub(crate) fn adopt(&self, leftover: Vec<PathBuf>) -> Result<(), DiskError> {
        self.files.lock().adopt(leftover)
    }

    /// Adds an entry of `len` payload bytes written by `fill`. Called under the partition's lock, so
    /// that a partition's entries stand in the order of its offsets.
    pub(crate) fn stage(
        &self,
        head: &EntryHead,
        len: usize,
        urgency: Urgency,
        by: (&Arc<dyn Staged>, &mut u64),
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
        if full && urgency == Urgency::MayWait {
            return Err(self.busy());
        }
        let placed = self.staging.lock().stage(head, len, urgency, by, fill);
        if self.flush == FlushMode::Wal {
            self.wake.notify_one();
        }
        let Ok(placed) = placed else { return Err(self.busy()) };
        if placed.lsn.saturating_sub(self.flushed.load(Ordering::Relaxed)) >= self.flush_bytes {
            self.flush_wanted.notify_one();
        }
        Ok(placed)
    }

    /// The dedicated writer's loop (`flush=wal`). Ends at [`Wal::close`] or the first disk error.
    pub(crate) async fn run_writer(self: Arc<Self>) {
        loop {
            let idle = self.durable() == self.next_lsn();
            if idle && self.closing.load(Ordering::Acquire) || self.offline.load(Ordering::Acquire)
            {
                return;
            }
            if idle {
                self.wake.notified().await;
                continue;
            }
            self.env.disk_pause().await;
            self.write_run();
        }
    }

    /// Writes all that is staged, on the caller's thread.
    ///
    /// # Errors
    /// If the directory is offline, or goes offline by this.
    pub(crate) fn write_staged(&self) -> Result<(), Failed> {
        while self.durable() < self.next_lsn() {
            if !self.write_run() {
                return Err(self.failure());
            }
        }
        Ok(())
    }

    /// Writes one run and tells those concerned; says whether the log still works.
    fn write_run(&self) -> bool {
        let mut files = self.files.lock();
        let Some(run) = self.staging.lock().take_run() else { return true };
        let durable = match self.flush {
            FlushMode::Wal => self.durable(),
            FlushMode::None => self.checkpointed.load(Ordering::Acquire),
        };
        let payload = run.buffer.as_written(run.range.clone());
        let written = if self.offline.load(Ordering::Acquire) {
            return false;
        } else {
            files.write(payload, run.start_lsn, durable)
        };
        self.used_bytes.store(files.used_bytes(), Ordering::Relaxed);
        if let Err(error) = written
            && !planted(Plant::WriteErrorSwallowed)
        {
            self.fail(&error);
            return false;
        }
        let end = run.end_lsn();
        run.touched.iter().for_each(|partition| partition.became_durable(end));
        self.progress.send_modify(|progress| progress.durable = end);
        true
    }

    /// Waits until everything below `lsn` is durable; in `flush=none`, writes it.
    ///
    /// # Errors
    /// If the directory goes offline before that.
    pub(crate) async fn wait_durable(&self, lsn: u64) -> Result<(), Failed> {
        if self.durable() >= lsn || planted(Plant::AckBeforeDurable) {
            return Ok(());
        }
        if self.flush == FlushMode::None {
            return self.write_staged();
        }
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|now| now.durable >= lsn || now.failed.is_some()).await;
        let now = reached.map(|now| now.clone()).unwrap_or_default();
        if now.durable >= lsn {
            return Ok(());
        }
        Err(now.failed.unwrap_or_else(|| Failed("it was closed".into())))
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
        if self.offline.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::error!(reason, "the log directory goes offline");
        let failed = Failed(reason.into());
        self.progress.send_modify(|progress| progress.failed = Some(failed));
        self.room.notify_waiters();
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
        self.busy();
        notified.await;
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
        let mut files = self.files.lock();
        let recycled = files.recycle(lsn);
        self.used_bytes.store(files.used_bytes(), Ordering::Relaxed);
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

    /// Retires the buffer being filled.
    #[allow(dead_code)]
    pub(crate) fn retire_current(&self) {
        self.staging.lock().retire_current();
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
        self.room.notify_waiters();
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
        let mut files = self.files.lock();
        let written = self.durable();
        files.sync()?;
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
        self.progress.borrow().durable
    }

    pub(crate) fn next_lsn(&self) -> u64 {
        self.staging.lock().next_lsn()
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

    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(crate) fn check(&self) -> Result<(), Failed> {
        if self.offline.load(Ordering::Acquire) { Err(self.failure()) } else { Ok(()) }
    }

    fn failure(&self) -> Failed {
        let failed = self.progress.borrow().failed.clone();
        failed.unwrap_or_else(|| Failed("it was closed".into()))
    }
}

#[cfg(test)]
mod tests;
