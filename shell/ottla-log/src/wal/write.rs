//! From the staging buffers to the disk, and the word that it is there.
//!
//! Whoever holds `files` writes. What is staged meanwhile belongs to the next group, and whoever lets
//! go of `files` sees to it that somebody writes that too: so one who finds `files` taken may go.
//!
//! A small group is written by the task that staged it, if the disk is quick: handing it to the writer
//! costs two wakes of another processor, and while a group is written nothing else could be.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use ottla_env::{Disk, Env};
use ottla_plant::{Plant, planted};
use parking_lot::MutexGuard;

use super::Wal;
use super::files::{WalFiles, allocate};
use super::waiters::Place;
use crate::fault::Failed;
use crate::options::FlushMode;

/// A larger group is left to the writer: meanwhile the task takes in the next.
const INLINE_BYTES_MAX: u64 = 32 << 10;
/// A disk whose writes take longer on average is not written to by network workers.
const INLINE_NANOS_MAX: u64 = 4_000_000;
/// What one write weighs in that average: one part of this many.
const AVERAGE_PARTS: u64 = 8;

impl<E: Env> Wal<E> {
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
            self.write_run(&mut self.files.lock());
        }
    }

    /// Sees to it that what is staged is written: by the caller, on a quick disk, or by the writer.
    pub(crate) async fn commit(&self) {
        let staged = self.next_lsn().saturating_sub(self.durable());
        if staged == 0 {
            return;
        }
        if self.flush == FlushMode::None {
            // If it fails the directory is offline, and the wait for the position says so.
            let _offline = self.write_staged();
            return;
        }
        let quick = self.write_nanos.load(Ordering::Relaxed) <= INLINE_NANOS_MAX;
        if staged > INLINE_BYTES_MAX || !quick || planted(Plant::AckBeforeDurable) {
            self.wake.notify_one();
            return;
        }
        // Also where the task is dropped while it pauses.
        let _writer = WakeIfBehind(self);
        self.env.disk_pause().await;
        if let Some(mut files) = self.files.try_lock() {
            self.write_run(&mut files);
        }
    }

    /// Sees to it that the writer writes what is staged (`flush=wal`).
    pub(crate) fn kick(&self) {
        if self.flush == FlushMode::Wal {
            self.wake.notify_one();
        }
    }

    /// Writes all that is staged, on the caller's thread.
    ///
    /// # Errors
    /// If the directory is offline, or goes offline by this.
    pub(crate) fn write_staged(&self) -> Result<(), Failed> {
        while self.durable() < self.next_lsn() {
            if !self.write_run(&mut self.files.lock()) {
                return Err(self.failure());
            }
        }
        Ok(())
    }

    /// Writes one run and tells those concerned; says whether the log still works.
    fn write_run(&self, files: &mut WalFiles<E::Disk>) -> bool {
        // First of all: what a failed write had taken is not there to be taken again, and not durable.
        if self.offline.load(Ordering::Acquire) {
            return false;
        }
        let Some(run) = self.staging.lock().take_run(self.known_durable()) else { return true };
        let began = self.env.now();
        let written = files.write(run.group(), run.start_lsn);
        self.note_nanos(self.env.now().since(began).as_nanos());
        self.used_bytes.store(files.used_bytes(), Ordering::Relaxed);
        if let Err(error) = written
            && !planted(Plant::WriteErrorSwallowed)
        {
            self.fail(&error);
            return false;
        }
        let end = run.end_lsn;
        run.touched.iter().for_each(|partition| partition.became_durable(end));
        self.durable.store(end, Ordering::SeqCst);
        self.waiters.wake_to(end);
        if !self.is_behind() {
            self.turn.notify_one();
        }
        true
    }

    fn note_nanos(&self, nanos: u128) {
        // One slow write, of a file being made perhaps, says little of the next.
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX).min(2 * INLINE_NANOS_MAX);
        let average = self.write_nanos.load(Ordering::Relaxed);
        let average = average - average / AVERAGE_PARTS + nanos / AVERAGE_PARTS;
        self.write_nanos.store(average, Ordering::Relaxed);
    }

    /// What a group's header says was durable when it was written.
    pub(super) fn known_durable(&self) -> u64 {
        match self.flush {
            FlushMode::Wal => self.durable(),
            FlushMode::None => self.checkpointed_lsn(),
        }
    }

    /// The files, for anything but writing a group: afterwards the writer looks again.
    pub(super) fn with_files<T>(&self, work: impl FnOnce(&mut WalFiles<E::Disk>) -> T) -> T {
        let _writer = WakeIfBehind(self);
        let mut files: MutexGuard<'_, _> = self.files.lock();
        work(&mut files)
    }

    /// Makes a file for later, so that no append waits while its zeroes are written. A disk that
    /// has no room for it is left to say so when it is needed.
    pub(crate) fn prepare(&self) {
        let Some(path) = self.with_files(|files| files.wants_spare()) else { return };
        let disk = self.env.disk();
        match allocate(disk, &path, self.file_bytes) {
            Ok(()) => self.with_files(|files| files.add_spare(path)),
            Err(error) => {
                tracing::debug!(%error, "no write-ahead file is prepared");
                let _gone = disk.remove_file(&path);
            }
        }
    }

    /// Waits until everything below `lsn` is durable; in `flush=none`, writes it. Somebody else sees
    /// to it that it is written: [`Wal::commit`], [`Wal::kick`].
    ///
    /// # Errors
    /// If the directory goes offline before that.
    pub(crate) async fn wait_durable(&self, lsn: u64) -> Result<(), Failed> {
        if self.durable() >= lsn {
            return Ok(());
        }
        if self.flush == FlushMode::None {
            return self.write_staged();
        }
        let mut seat = Seat { wal: self, place: None };
        let over = || self.durable() >= lsn || self.offline.load(Ordering::Acquire);
        poll_fn(|context| {
            let place = self.waiters.register(lsn, seat.place, context.waker(), over);
            if place.is_some() {
                seat.place = place;
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        if self.durable() >= lsn { Ok(()) } else { Err(self.failure()) }
    }
}

/// Wakes the writer when dropped, if there is something to write and nobody at it.
struct WakeIfBehind<'a, E: Env>(&'a Wal<E>);

impl<E: Env> Drop for WakeIfBehind<'_, E> {
    fn drop(&mut self) {
        let wal = self.0;
        if wal.durable() < wal.next_lsn() && wal.flush == FlushMode::Wal {
            if wal.files.is_locked() {
                // Whoever has it looks after us.
                return;
            }
            wal.wake.notify_one();
        }
    }
}

/// A place among those who wait, given up when dropped.
struct Seat<'a, E: Env> {
    wal: &'a Wal<E>,
    place: Option<Place>,
}

impl<E: Env> Drop for Seat<'_, E> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.wal.waiters.leave(place);
        }
    }
}
