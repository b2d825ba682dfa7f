//! Where appends put their bytes: one copy that is staging area, tail cache and read source.
//!
//! A buffer is filled front to back by whoever holds the lock, then retired; its memory is used again
//! once everything in it is in segments and no tail or reader holds on to it. The bytes of one write
//! form a run: one buffer, contiguous, at most `group_bytes` unless a single entry is larger.
//!
//! Live buffers (filling or retired) never exceed the budget, save for entries that may not wait.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::buffer::{BufferWriter, SharedBuffer};

use super::entry::{EntryHead, HEAD_BYTES};

/// Told when what it staged is durable (or written, in `flush=none`).
pub(crate) trait Staged: Send + Sync {
    /// Everything below `lsn` is durable.
    fn became_durable(&self, lsn: u64);
}

/// What is written at once.
pub(crate) struct Run {
    pub(crate) number: u64,
    pub(crate) buffer: SharedBuffer,
    pub(crate) range: std::ops::Range<usize>,
    pub(crate) start_lsn: u64,
    /// Whose entries these are, each once.
    pub(crate) touched: Vec<Arc<dyn Staged>>,
}

impl Run {
    pub(crate) fn end_lsn(&self) -> u64 {
        self.start_lsn + self.range.len() as u64
    }
}

/// Where an entry went.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    /// The position after the entry.
    pub(crate) lsn: u64,
    pub(crate) payload: Bytes,
    /// The buffer's number; higher is newer.
    pub(crate) buffer: u64,
}

/// Whether an entry may be told to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    MayWait,
    /// Small and rare: over the budget rather than refused.
    MustGo,
}

/// Sizes, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StagingLimits {
    pub(crate) group_bytes: usize,
    pub(crate) buffer_bytes: usize,
    pub(crate) budget_bytes: usize,
}

/// A full buffer.
struct Retired {
    number: u64,
    writer: BufferWriter,
    /// The position after its last entry.
    end_lsn: u64,
    capacity: usize,
}

/// The staging buffers, under the write-ahead log's lock.
pub(crate) struct Staging {
    limits: StagingLimits,
    current: Option<BufferWriter>,
    current_number: u64,
    retired: VecDeque<Retired>,
    free: Vec<BufferWriter>,
    live_bytes: usize,
    open: Option<Run>,
    queue: VecDeque<Run>,
    next_run: u64,
    next_lsn: u64,
}

/// No buffer is free.
pub(crate) struct NoRoom;

impl Staging {
    pub(crate) fn new(limits: StagingLimits, next_lsn: u64) -> Staging {
        Staging {
            limits,
            current: None,
            current_number: 0,
            retired: VecDeque::new(),
            free: Vec::new(),
            live_bytes: 0,
            open: None,
            queue: VecDeque::new(),
            next_run: 1,
            next_lsn,
        }
    }

    /// The position after the last entry.
    pub(crate) fn next_lsn(&self) -> u64 {
        self.next_lsn
    }

    /// Bytes of live buffers.
    pub(crate) fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Adds an entry of `len` payload bytes, which `fill` writes in place. `mark` is the number of
    /// the run the partition last touched.
    pub(crate) fn stage(
        &mut self,
        head: &EntryHead,
        len: usize,
        urgency: Urgency,
        by: (&Arc<dyn Staged>, &mut u64),
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Placed, NoRoom> {
        let total = HEAD_BYTES + len;
        self.make_room(total, urgency)?;
        let writer = self.current.as_mut().expect("make_room leaves a buffer");
        let position = writer
            .append_with(total, |room| {
                head.encode(len, room);
                fill(&mut room[HEAD_BYTES..]);
            })
            .expect("make_room left enough");
        let buffer = writer.reader();
        let start_lsn = self.next_lsn;
        self.next_lsn += total as u64;
        let payload = buffer.slice(position + HEAD_BYTES..position + total);
        self.extend_run(buffer, position, total, start_lsn);
        let run = self.open.as_mut().expect("extend_run leaves one open");
        let (partition, mark) = by;
        if *mark != run.number {
            *mark = run.number;
            run.touched.push(partition.clone());
        }
        Ok(Placed { lsn: self.next_lsn, payload, buffer: self.current_number })
    }

    /// The oldest bytes not yet taken; none are added to them any more.
    pub(crate) fn take_run(&mut self) -> Option<Run> {
        self.queue.pop_front().or_else(|| self.open.take())
    }

    /// The number of the newest retired buffer that must give up its place so that at most
    /// `target_bytes` stay live, of those wholly below `flushed_lsn`. Tails must let go of it first.
    pub(crate) fn excess(&self, flushed_lsn: u64, target_bytes: usize) -> Option<u64> {
        let mut live = self.live_bytes;
        let mut last = None;
        for retired in &self.retired {
            if live <= target_bytes || retired.end_lsn > flushed_lsn {
                break;
            }
            live -= retired.capacity;
            last = Some(retired.number);
        }
        last
    }

    /// Gives up the retired buffers to `number`. One that a reader still holds is left to the reader.
    pub(crate) fn release(&mut self, number: u64) {
        while self.retired.front().is_some_and(|retired| retired.number <= number) {
            let retired = self.retired.pop_front().expect("just seen");
            self.live_bytes -= retired.capacity;
            let normal = retired.capacity == self.limits.buffer_bytes;
            if let Some(writer) = retired.writer.recycle()
                && normal
                && self.free.len() < FREE_BUFFERS_MAX
            {
                self.free.push(writer);
            }
        }
    }

    /// Retires the buffer being filled, so that it can be released when all is flushed.
    pub(crate) fn retire_current(&mut self) {
        if let Some(writer) = self.current.take() {
            let capacity = writer.published() + writer.remaining();
            let (number, end_lsn) = (self.current_number, self.next_lsn);
            self.retired.push_back(Retired { number, writer, end_lsn, capacity });
        }
    }

    fn make_room(&mut self, total: usize, urgency: Urgency) -> Result<(), NoRoom> {
        if self.current.as_ref().is_some_and(|writer| writer.remaining() >= total) {
            return Ok(());
        }
        let size = self.limits.buffer_bytes.max(total.next_multiple_of(4096));
        let over = self.live_bytes + size > self.limits.budget_bytes;
        // The flusher keeps half the budget as cache: what is large goes over it rather than never.
        let floor = self.limits.budget_bytes / 2 + self.limits.buffer_bytes;
        let large = size > self.limits.buffer_bytes && self.live_bytes <= floor;
        if over && !large && urgency == Urgency::MayWait {
            return Err(NoRoom);
        }
        self.retire_current();
        let reused = if size == self.limits.buffer_bytes { self.free.pop() } else { None };
        let writer = reused.unwrap_or_else(|| SharedBuffer::new(size).0);
        self.live_bytes += writer.published() + writer.remaining();
        self.current = Some(writer);
        self.current_number += 1;
        Ok(())
    }

    fn extend_run(&mut self, buffer: SharedBuffer, position: usize, total: usize, start_lsn: u64) {
        if let Some(run) = &mut self.open {
            // A new buffer begins at 0, so a run never spans two.
            let joins = run.range.end == position && position > 0;
            if joins && run.range.len() + total <= self.limits.group_bytes {
                run.range.end += total;
                return;
            }
            self.queue.extend(self.open.take());
        }
        let number = self.next_run;
        self.next_run += 1;
        let range = position..position + total;
        self.open = Some(Run { number, buffer, range, start_lsn, touched: Vec::new() });
    }
}

/// Released buffers kept for reuse; more go back to the allocator.
const FREE_BUFFERS_MAX: usize = 8;
