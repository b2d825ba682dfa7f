//! Where appends put their bytes: one copy that is staging area, tail cache and read source.
//!
//! A buffer is filled front to back by whoever holds the lock, then retired; its memory is used again
//! once everything in it is in segments and no tail or reader holds on to it. What is written at once
//! is a run: a whole group as it will stand in the file, header and padding included, so that it is
//! written from where it lies. It has one buffer, is contiguous, and holds at most `group_bytes` of
//! entries unless a single one is larger. Its header is a hole until the run is closed.
//!
//! Live buffers (filling or retired) never exceed the budget, save for entries that may not wait.

use std::collections::VecDeque;
use std::sync::Arc;

use ottla_env::buffer::{BufferWriter, Hole, SharedBuffer};

use super::entry::{EntryHead, HEAD_BYTES};
use super::group::{Checksum, GroupHeader, HEADER_BYTES, PAGE_BYTES, Session};

/// Told when what it staged is durable (or written, in `flush=none`).
pub(crate) trait Staged: Send + Sync {
    /// Everything below `lsn` is durable.
    fn became_durable(&self, lsn: u64);
}

/// What is written at once: a group, ready for the file.
pub(crate) struct Run {
    buffer: SharedBuffer,
    range: std::ops::Range<usize>,
    pub(crate) start_lsn: u64,
    pub(crate) end_lsn: u64,
    /// Whose entries these are, each once.
    pub(crate) touched: Vec<Arc<dyn Staged>>,
}

impl Run {
    /// The bytes of the group.
    pub(crate) fn group(&self) -> &[u8] {
        self.buffer.as_written(self.range.clone())
    }
}

/// The run that is being filled.
struct Open {
    number: u64,
    /// Where the group begins in the current buffer.
    position: usize,
    header: Hole,
    checksum: Checksum,
    start_lsn: u64,
    payload_bytes: usize,
    touched: Vec<Arc<dyn Staged>>,
}

/// Where an entry went.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    /// The position after the entry.
    pub(crate) lsn: u64,
    /// The buffer's number; higher is newer.
    pub(crate) buffer: u64,
    /// The buffer, unless the author has a share of it.
    pub(crate) memory: Option<SharedBuffer>,
    /// Where the payload lies in it.
    pub(crate) range: std::ops::Range<usize>,
}

/// Who stages an entry.
pub(crate) struct Author<'a> {
    /// Who is told when the run is durable; asked once a run.
    pub(crate) partition: &'a dyn Fn() -> Arc<dyn Staged>,
    /// The number of the run it last staged something in.
    pub(crate) run_mark: &'a mut u64,
    /// The number of the newest buffer it has a share of; 0 if of none.
    pub(crate) buffer: u64,
}

/// A client's entry of up to this many bytes goes before larger ones where the disk cannot keep up, so
/// that whoever writes little does not wait for those who write much.
const SMALL_BYTES: usize = 4 << 10;

/// Whether an entry may be told to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A client's: where there is little room, the small go first.
    Client,
    MayWait,
    /// Small and rare: over the budget rather than refused.
    MustGo,
}

impl Urgency {
    /// Whether an entry of `len` bytes leaves the last room to others.
    pub(super) fn yields(self, len: usize) -> bool {
        self == Urgency::Client && len > SMALL_BYTES
    }
}

/// What the groups look like, and sizes in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StagingLimits {
    pub(crate) session: Session,
    /// Groups begin at multiples of this.
    pub(crate) boundary: usize,
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
    open: Option<Open>,
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

    /// The number of the buffer being filled.
    pub(crate) fn current_number(&self) -> u64 {
        self.current_number
    }

    /// Bytes of live buffers.
    pub(crate) fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Adds an entry of `len` payload bytes, which `fill` writes in place. `durable_lsn` is what is
    /// known to be durable now.
    pub(crate) fn stage(
        &mut self,
        head: &EntryHead,
        len: usize,
        urgency: Urgency,
        durable_lsn: u64,
        author: Author<'_>,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Placed, NoRoom> {
        let total = HEAD_BYTES + len;
        self.join_run(total, urgency, durable_lsn)?;
        let (Some(open), Some(writer)) = (&mut self.open, &mut self.current) else {
            unreachable!("join_run leaves both");
        };
        let position = writer
            .append_with(total, |room| {
                head.encode(len, room);
                fill(&mut room[HEAD_BYTES..]);
                open.checksum.update(room);
            })
            .expect("join_run left enough");
        self.next_lsn += total as u64;
        open.payload_bytes += total;
        if *author.run_mark != open.number {
            *author.run_mark = open.number;
            open.touched.push((author.partition)());
        }
        let buffer = self.current_number;
        let memory = (author.buffer != buffer).then(|| writer.reader());
        let range = position + HEAD_BYTES..position + total;
        Ok(Placed { lsn: self.next_lsn, buffer, memory, range })
    }

    /// The oldest bytes not yet taken; none are added to them any more. `durable_lsn` is what is
    /// known to be durable now.
    pub(crate) fn take_run(&mut self, durable_lsn: u64) -> Option<Run> {
        if self.queue.is_empty() {
            self.close_run(durable_lsn);
        }
        self.queue.pop_front()
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
            {
                self.free.push(writer);
            }
        }
    }

    /// Gives the memory of buffers back that wait for their next use.
    pub(crate) fn shed(&mut self) {
        self.free = Vec::new();
    }

    /// Retires the buffer being filled, which has no open run.
    fn retire_current(&mut self) {
        if let Some(writer) = self.current.take() {
            let capacity = writer.published() + writer.remaining();
            let (number, end_lsn) = (self.current_number, self.next_lsn);
            self.retired.push_back(Retired { number, writer, end_lsn, capacity });
        }
    }

    /// Leaves a run open that takes `total` more bytes.
    fn join_run(&mut self, total: usize, urgency: Urgency, durable_lsn: u64) -> Result<(), NoRoom> {
        let room = self.current.as_ref().map_or(0, BufferWriter::remaining);
        let joins = self
            .open
            .as_ref()
            .is_some_and(|open| open.payload_bytes + total <= self.limits.group_bytes);
        // Buffers end at a boundary, so what fits a buffer fits it with its padding.
        if joins && room >= total {
            return Ok(());
        }
        self.close_run(durable_lsn);
        self.make_room(HEADER_BYTES + total, urgency)?;
        let writer = self.current.as_mut().expect("make_room leaves a buffer");
        let position = writer.published();
        let header = writer.reserve().expect("make_room left enough");
        let number = self.next_run;
        self.next_run += 1;
        self.open = Some(Open {
            number,
            position,
            header,
            checksum: Checksum::default(),
            start_lsn: self.next_lsn,
            payload_bytes: 0,
            touched: Vec::new(),
        });
        Ok(())
    }

    /// Pads the open run to the boundary, fills its header in and queues it.
    fn close_run(&mut self, durable_lsn: u64) {
        let Some(open) = self.open.take() else { return };
        let writer = self.current.as_mut().expect("an open run has a buffer");
        let end = writer.published();
        let padding = end.next_multiple_of(self.limits.boundary) - end;
        writer.append_with(padding, |room| room.fill(0)).expect("a buffer ends at a boundary");
        let range = open.position..writer.published();
        let header = GroupHeader {
            start_lsn: open.start_lsn,
            durable_lsn: durable_lsn.min(open.start_lsn),
            payload_bytes: u32::try_from(open.payload_bytes).expect("a group fits a file"),
            padded_bytes: u32::try_from(range.len()).expect("a group fits a file"),
        };
        writer.fill(open.header, &header.encode(&self.limits.session, open.checksum));
        self.queue.push_back(Run {
            buffer: writer.reader(),
            range,
            start_lsn: open.start_lsn,
            end_lsn: header.end_lsn(),
            touched: open.touched,
        });
    }

    fn make_room(&mut self, total: usize, urgency: Urgency) -> Result<(), NoRoom> {
        if self.current.as_ref().is_some_and(|writer| writer.remaining() >= total) {
            return Ok(());
        }
        let size = self.limits.buffer_bytes.max(total.next_multiple_of(PAGE_BYTES));
        // One buffer is kept for those who may not be kept waiting by the large.
        let kept = if urgency.yields(total) { self.limits.buffer_bytes } else { 0 };
        let over = self.live_bytes + size + kept > self.limits.budget_bytes;
        // The flusher keeps half the budget as cache: what is large goes over it rather than never.
        let floor = self.limits.budget_bytes / 2 + self.limits.buffer_bytes;
        let large = size > self.limits.buffer_bytes && self.live_bytes <= floor;
        if over && !large && urgency != Urgency::MustGo {
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
}
