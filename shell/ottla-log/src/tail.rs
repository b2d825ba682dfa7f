//! The newest batches of one partition, where they lie in the staging buffers: what is not yet in
//! segments, and behind it what still lies in memory.
//!
//! Batches stand in offset order without overlap. It never copies a batch, and takes a share of a
//! buffer once, not once a batch: whoever wants to keep a batch's bytes is given a share then.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use ottla_env::buffer::SharedBuffer;
use ottla_protocol::records::BatchHeader;

use crate::options::Slices;

/// Memory that batches lie in.
#[derive(Debug, Clone)]
pub(crate) enum Memory {
    /// A staging buffer.
    Staged(SharedBuffer),
    /// What a start read back.
    Replayed(Bytes),
}

impl Memory {
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        match self {
            Memory::Staged(buffer) => buffer.as_written(range),
            Memory::Replayed(bytes) => &bytes[range],
        }
    }

    fn share(&self, range: Range<usize>) -> Bytes {
        match self {
            Memory::Staged(buffer) => buffer.slice(range),
            Memory::Replayed(bytes) => bytes.slice(range),
        }
    }
}

/// Where a batch lies: the number of its staging buffer (0 for memory outside of those), that memory
/// unless the tail holds it already, and the batch's place in it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) buffer: u64,
    pub(crate) memory: Option<Memory>,
    pub(crate) range: Range<usize>,
}

impl Place {
    /// Bytes that are in no staging buffer.
    pub(crate) fn replayed(bytes: Bytes) -> Place {
        let range = 0..bytes.len();
        Place { buffer: 0, memory: Some(Memory::Replayed(bytes)), range }
    }
}

/// Memory in use, and how many batches lie in it.
#[derive(Debug)]
struct Held {
    buffer: u64,
    memory: Memory,
    batches: usize,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    base_offset: i64,
    last_offset: i64,
    max_timestamp: i64,
    /// Which of the memories ever held.
    held: u32,
    start: u32,
    end: u32,
}

/// One batch in memory, as the tail shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TailBatch<'a> {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) memory: &'a Memory,
    /// Which of the memories ever held it is: batches beside each other mostly have the same.
    pub(crate) held: u32,
    start: u32,
    end: u32,
}

impl<'a> TailBatch<'a> {
    pub(crate) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn len(&self) -> usize {
        self.range().len()
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.memory.bytes(self.range())
    }

    /// Its bytes, to be kept.
    pub(crate) fn share(&self) -> Bytes {
        self.memory.share(self.range())
    }
}

/// The tail of a partition.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    batches: VecDeque<Placed>,
    /// The memory the batches lie in, oldest first.
    held: VecDeque<Held>,
    /// How many were held before the first of these, whatever became of them.
    gone: u32,
}

impl Tail {
    /// No batches.
    pub(crate) const fn new() -> Tail {
        Tail { batches: VecDeque::new(), held: VecDeque::new(), gone: 0 }
    }

    /// The number of the staging buffer the newest batch lies in; 0 if it is in none.
    pub(crate) fn buffer(&self) -> u64 {
        self.held.back().map_or(0, |held| held.buffer)
    }

    /// # Panics
    /// If the batch does not follow the last one, or its memory is neither given nor the newest held.
    pub(crate) fn push(&mut self, header: &BatchHeader, place: Place) {
        let after = self.batches.back().is_none_or(|last| last.last_offset < header.base_offset);
        assert!(after, "an offset never names two records");
        let Place { buffer, memory, range } = place;
        if let Some(memory) = memory {
            self.held.push_back(Held { buffer, memory, batches: 0 });
        }
        let held = self.held.back_mut().expect("the memory is given with the first batch in it");
        assert_eq!(held.buffer, buffer, "the memory is that of the newest batch");
        held.batches += 1;
        let place = |at: usize| u32::try_from(at).expect("a buffer is smaller than 4 GiB");
        self.batches.push_back(Placed {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            held: self.gone.wrapping_add(place(self.held.len() - 1)),
            start: place(range.start),
            end: place(range.end),
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The first offset that is in memory.
    pub(crate) fn start_offset(&self) -> Option<i64> {
        self.batches.front().map(|batch| batch.base_offset)
    }

    /// The batches that hold `offset` and what follows.
    pub(crate) fn from(&self, offset: i64) -> impl Iterator<Item = TailBatch<'_>> {
        // Mostly what is asked for is all of it, or the newest part.
        let first = match self.batches.front() {
            Some(front) if front.last_offset >= offset => 0,
            _ => self.batches.partition_point(|batch| batch.last_offset < offset),
        };
        self.batches.range(first..).map(|batch| TailBatch {
            base_offset: batch.base_offset,
            last_offset: batch.last_offset,
            max_timestamp: batch.max_timestamp,
            memory: &self.held[batch.held.wrapping_sub(self.gone) as usize].memory,
            held: batch.held,
            start: batch.start,
            end: batch.end,
        })
    }

    /// Whole batches from `from` on, below `upper`, within `max_bytes` but for the first if
    /// `min_one_batch`.
    pub(crate) fn read(
        &self,
        from: i64,
        upper: i64,
        max_bytes: usize,
        min_one_batch: bool,
    ) -> Slices {
        let mut slices = Slices::empty(from);
        for batch in self.from(from) {
            let fits = slices.bytes + batch.len() <= max_bytes
                || (min_one_batch && slices.chunks.is_empty());
            if !fits || batch.last_offset >= upper {
                break;
            }
            slices.bytes += batch.len();
            slices.next_offset = batch.last_offset + 1;
            slices.chunks.push(batch.share());
        }
        slices
    }

    /// Drops flushed batches (those below `flushed_end`) of buffers up to `buffer`.
    pub(crate) fn evict(&mut self, buffer: u64, flushed_end: i64) {
        while let Some(batch) = self.batches.front()
            && batch.last_offset < flushed_end
            && self.held.front().is_some_and(|held| held.buffer <= buffer)
        {
            self.batches.pop_front();
            let held = self.held.front_mut().expect("just seen");
            held.batches -= 1;
            if held.batches == 0 {
                self.held.pop_front();
                self.gone = self.gone.wrapping_add(1);
            }
        }
    }

    /// Drops batches that reach `offset` or lie beyond.
    pub(crate) fn truncate(&mut self, offset: i64) {
        while self.batches.back().is_some_and(|batch| batch.last_offset >= offset) {
            self.batches.pop_back();
            let held = self.held.back_mut().expect("every batch lies in one");
            held.batches -= 1;
            if held.batches == 0 {
                self.held.pop_back();
            }
        }
    }
}
