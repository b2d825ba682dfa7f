//! The background loop: from the write-ahead log to segments, checkpoints, retention, and room in the
//! staging buffers. One per data directory, on a thread of its own; it never acknowledges anything.
//!
//! A pass waits until what is staged is durable, so that segments are never ahead of the log. A
//! checkpoint is a pass over all partitions that syncs what it stands on before it replaces the old.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::{Disk, Env, File, MonoTime, OpenOptions};
use ottla_plant::{Plant, planted};

use crate::checkpoint::{Builder, CheckpointHeader, FILE_NAME};
use crate::error::DiskError;
use crate::fault::Failed;
use crate::partition::{FlushError, Partition, Touched, remove_folder};
use crate::registry::Registry;
use crate::volume::Volume;
use crate::wal::Session;

/// How often the loop looks for what is due without being woken.
const TICK: Duration = Duration::from_secs(1);

/// The loop's state.
pub(crate) struct Flusher<E: Env> {
    volume: Arc<Volume<E>>,
    registry: Arc<Registry<E>>,
    session: Session,
    /// Written since the last checkpoint.
    touched: Touched,
    /// Partitions with batches in memory.
    cached: Vec<Arc<Partition<E>>>,
    last_pass: MonoTime,
    /// The buffers have given back their memory since.
    rested: bool,
    last_retention: MonoTime,
}

/// What the loop is to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    Flush,
    Checkpoint,
    Close,
}

impl<E: Env> Flusher<E> {
    pub(crate) fn new(
        volume: Arc<Volume<E>>,
        registry: Arc<Registry<E>>,
        session: Session,
    ) -> Flusher<E> {
        let now = volume.env.now();
        Flusher {
            volume,
            registry,
            session,
            touched: Touched::default(),
            cached: Vec::new(),
            last_pass: now,
            rested: false,
            last_retention: now,
        }
    }

    /// Runs until the directory is closed or goes offline.
    pub(crate) async fn run(mut self) {
        loop {
            let wal = self.volume.wal.clone();
            if wal.check().is_err() {
                return;
            }
            wal.prepare();
            let done = match self.due() {
                Due::Nothing => {
                    tokio::select! {
                        biased;
                        () = wal.flush_wanted.notified() => {}
                        () = self.volume.env.sleep(TICK) => {}
                    }
                    self.rest();
                    self.retention();
                    continue;
                }
                Due::Flush => self.flush().await,
                Due::Checkpoint => self.checkpoint(false).await,
                Due::Close => {
                    let closed = self.close().await;
                    wal.close();
                    if closed.is_ok() {
                        return;
                    }
                    closed
                }
            };
            if done.is_err() {
                return;
            }
            self.retention();
        }
    }

    fn due(&self) -> Due {
        let (wal, options) = (&self.volume.wal, &self.volume.options);
        if wal.is_sealed() {
            return Due::Close;
        }
        let next = wal.next_lsn();
        let since_checkpoint = next - wal.checkpointed_lsn();
        let crowded = wal.used_bytes() > wal.busy_above_bytes() / 2;
        if since_checkpoint > options.checkpoint_bytes || (crowded && since_checkpoint > 0) {
            return Due::Checkpoint;
        }
        let unflushed = next - wal.flushed();
        let budget = options.buffer_budget_bytes;
        let narrow = wal.live_bytes() + options.buffer_bytes >= budget - budget / 4;
        let pressed = wal.take_pressed();
        let age = self.volume.env.now().since(self.last_pass);
        let old = age >= Duration::from_millis(options.flush_age_ms);
        let doomed = !self.volume.doomed.lock().is_empty();
        if unflushed >= options.flush_bytes || (narrow && unflushed > 0) || pressed {
            return Due::Flush;
        }
        if old && (unflushed > 0 || doomed) { Due::Flush } else { Due::Nothing }
    }

    /// Writes what is dirty to segments and makes room in the buffers.
    pub(crate) async fn flush(&mut self) -> Result<(), Failed> {
        let from = self.begin_pass().await?;
        let dirty = std::mem::take(&mut *self.volume.dirty.lock());
        for number in dirty {
            let Some(partition) = self.registry.by_number(number) else { continue };
            self.flush_one(&partition, None).await?;
            self.cached.push(partition);
        }
        self.end_pass(from);
        if planted(Plant::WalRecycledEarly) {
            let recycled = self.volume.wal.checkpointed(from);
            return self.or_fail(recycled);
        }
        Ok(())
    }

    /// Writes everything to segments, syncs them, replaces the checkpoint, frees write-ahead files.
    pub(crate) async fn checkpoint(&mut self, clean: bool) -> Result<(), Failed> {
        let from = self.begin_pass().await?;
        self.volume.dirty.lock().clear();
        let mut builder = Builder::new();
        for partition in self.registry.all() {
            self.flush_one(&partition, Some(&mut builder)).await?;
            self.cached.push(partition);
        }
        let mut header = CheckpointHeader {
            directory: self.session.directory,
            epoch: self.session.epoch,
            wal_start_lsn: from,
            next_number: self.registry.next_number(),
            clean,
        };
        self.volume.env.disk_pause().await;
        if planted(Plant::CheckpointAhead) {
            header.wal_start_lsn = self.volume.wal.next_lsn();
        }
        let bytes = builder.finish(&header);
        let synced = self.sync();
        let synced = if planted(Plant::SyncErrorSwallowed) { Ok(()) } else { synced };
        let written = synced.and_then(|()| write_checkpoint(&self.volume, &bytes));
        self.or_fail(written)?;
        self.end_pass(from);
        let recycled = self.volume.wal.checkpointed(from);
        self.or_fail(recycled)
    }

    /// The last pass: nothing is appended any more.
    async fn close(&mut self) -> Result<(), Failed> {
        self.flush().await?;
        for partition in self.registry.all() {
            let saved = partition.save_indexes(&mut self.touched);
            self.or_fail(saved)?;
        }
        self.checkpoint(true).await
    }

    /// Waits until all that is staged is durable; removes the folders that waited for it.
    async fn begin_pass(&mut self) -> Result<u64, Failed> {
        let wal = self.volume.wal.clone();
        let from = wal.next_lsn();
        wal.kick();
        wal.wait_durable(from).await?;
        self.volume.env.disk_pause().await;
        let synced = wal.sync();
        self.or_fail(synced)?;
        let removed = remove_doomed(&self.volume, from, &mut self.touched);
        self.or_fail(removed)?;
        Ok(from)
    }

    async fn flush_one(
        &mut self,
        partition: &Arc<Partition<E>>,
        mut checkpoint: Option<&mut Builder>,
    ) -> Result<(), Failed> {
        loop {
            match partition.flush(checkpoint.as_deref_mut(), &mut self.touched) {
                Ok(_) => return Ok(()),
                Err(FlushError::NotDurable(lsn)) => {
                    self.volume.wal.kick();
                    self.volume.wal.wait_durable(lsn).await?;
                    let synced = self.volume.wal.sync();
                    self.or_fail(synced)?;
                }
                Err(FlushError::Disk(error)) => return self.or_fail(Err(error)),
            }
        }
    }

    /// Everything below `from` is in segments: buffers beyond half the budget may go.
    fn end_pass(&mut self, from: u64) {
        self.volume.wal.set_flushed(from);
        self.last_pass = self.volume.env.now();
        self.rested = false;
        self.cached.sort_by_key(|partition| partition.number());
        self.cached.dedup_by_key(|partition| partition.number());
        self.let_go(from, self.volume.options.buffer_budget_bytes / 2);
    }

    /// Has tails let go of buffers below `from`, so that at most `target_bytes` stay.
    fn let_go(&mut self, from: u64, target_bytes: usize) {
        let wal = &self.volume.wal;
        let buffer = wal.excess(from, target_bytes);
        self.cached.retain(|partition| partition.evict(buffer.unwrap_or(0)));
        if let Some(buffer) = buffer {
            wal.release(buffer);
        }
    }

    /// Gives back the memory of buffers once nothing was appended for as long as it takes to flush.
    fn rest(&mut self) {
        let (wal, options) = (&self.volume.wal, &self.volume.options);
        let age = self.volume.env.now().since(self.last_pass);
        let is_idle = wal.next_lsn() == wal.flushed();
        if self.rested || !is_idle || age < Duration::from_millis(options.flush_age_ms) {
            return;
        }
        self.let_go(wal.flushed(), 0);
        self.volume.wal.shed();
        self.rested = true;
    }

    /// Makes durable what the checkpoint will stand on.
    fn sync(&mut self) -> Result<(), DiskError> {
        let touched = std::mem::take(&mut self.touched);
        sync_touched(&self.volume, &touched)
    }

    fn retention(&mut self) {
        let now = self.volume.env.now();
        let every = Duration::from_millis(self.volume.options.retention_check_ms);
        if now.since(self.last_retention) < every {
            return;
        }
        self.last_retention = now;
        run_retention(&self.registry, self.volume.env.wall_ms());
    }

    fn or_fail(&self, result: Result<(), DiskError>) -> Result<(), Failed> {
        if let Err(error) = result {
            self.volume.wal.fail(&error);
        }
        self.volume.wal.check()
    }
}

/// Carries out retention everywhere.
pub(crate) fn run_retention<E: Env>(registry: &Registry<E>, now_ms: i64) {
    for partition in registry.all() {
        partition.expire_producers(now_ms);
        if let Err(error) = partition.retain(now_ms) {
            tracing::warn!(partition = %partition.id(), %error, "retention must wait");
        }
    }
}

/// Syncs files, then the folders that name them.
pub(crate) fn sync_touched<E: Env>(volume: &Volume<E>, touched: &Touched) -> Result<(), DiskError> {
    let gone = |error: &DiskError| error.source.kind() == std::io::ErrorKind::NotFound;
    let files = touched.files.iter().filter(|_| !planted(Plant::SegmentNotSynced));
    for path in files {
        match volume.handles.existing(path) {
            Ok(file) => file.sync_data().map_err(DiskError::at("sync", path))?,
            // Deleted since: nothing stands on it.
            Err(error) if gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    for folder in &touched.folders {
        match volume.env.disk().sync_dir(folder).map_err(DiskError::at("sync", folder)) {
            Err(error) if !gone(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Replaces the checkpoint.
pub(crate) fn write_checkpoint<E: Env>(volume: &Volume<E>, bytes: &[u8]) -> Result<(), DiskError> {
    let path = volume.path().join(FILE_NAME);
    if planted(Plant::CheckpointNotSynced) {
        let options = OpenOptions { truncate: true, ..OpenOptions::read_write_create() };
        let file = volume.env.disk().open(&path, &options);
        let written = file.and_then(|file| file.write_all_at(bytes, 0));
        return written.map_err(DiskError::at("replace", &path));
    }
    volume.env.disk().replace_file(&path, bytes).map_err(DiskError::at("replace", &path))
}

/// Removes the folders of partitions whose deletion lies below `lsn`.
pub(crate) fn remove_doomed<E: Env>(
    volume: &Volume<E>,
    lsn: u64,
    touched: &mut Touched,
) -> Result<(), DiskError> {
    let mut due = Vec::new();
    volume.doomed.lock().retain_mut(|doomed| {
        let now = doomed.lsn <= lsn;
        if now {
            due.push(doomed.id.clone());
        }
        !now
    });
    for id in due {
        let folder = volume.folder(&id.topic, id.partition);
        if volume.env.disk().exists(&folder) {
            touched.folders.insert(volume.path().to_path_buf());
            remove_folder(volume.env.disk(), &volume.handles, volume.path(), &folder, &id)?;
        }
    }
    Ok(())
}
