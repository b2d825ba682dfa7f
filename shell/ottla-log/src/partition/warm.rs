//! Reads that need not touch the records: where a run of whole batches lies in a segment's file, told
//! by indexes and headers alone, so that the bytes can go from the page cache to a socket as they are.
//!
//! Nothing here waits for the disk. Where it would have to, or where a byte of the run has not been
//! checked since this process opened the file, the answer is a cold read, which checks.

use std::io;
use std::sync::Arc;

use ottla_env::{Disk, Env, File};
use ottla_protocol::records::BatchHeader;

use super::cold::View;
use super::{ColdRead, Partition, State};
use crate::fault::ReadError;
use crate::index::{CachedView, OffsetEntry, OffsetIndex, ReadAt};
use crate::open_file::{FileRange, OpenFile};
use crate::options::{ReadOptions, Slices};
use crate::segment::HeaderWalk;

/// Whole batches in a file, in offset order. The first may begin before the offset asked for.
#[derive(Debug)]
pub struct FileRun<F> {
    pub range: FileRange<F>,
    /// No record of the run lies at or past it.
    pub next_offset: i64,
}

/// What a reader that can send files is given.
pub enum Sendable<E: Env> {
    /// In memory.
    Hot(Slices),
    /// In the page cache.
    Warm(FileRun<<E::Disk as Disk>::File>),
    /// To be read: call [`ColdRead::run`] through `Env::run_blocking`.
    Cold(ColdRead<E>),
}

/// What the index says of a run: where to look for its first batch, and a batch's beginning that the
/// run reaches for certain.
struct Hints {
    start: u64,
    jump: OffsetEntry,
}

/// A run as it lies in a segment.
struct Found {
    position: u64,
    end: u64,
    next_offset: i64,
}

type OpenOf<E> = Arc<OpenFile<<<E as Env>::Disk as Disk>::File>>;

impl<E: Env> Partition<E> {
    /// [`Partition::read`], with runs of files left where they are. Never waits for the disk.
    ///
    /// # Errors
    /// An offset outside the log, or a deleted partition.
    pub fn read_for_sending(
        self: &Arc<Self>,
        from: i64,
        options: &ReadOptions,
    ) -> Result<Sendable<E>, ReadError> {
        let state = self.state.lock();
        if let Some(slices) = super::read_memory(&state, from, options)? {
            return Ok(Sendable::Hot(slices));
        }
        let options = ReadOptions { upper: options.upper.min(state.log_end), ..*options };
        let cold = || Sendable::Cold(ColdRead::new(self.clone(), from, options));
        let Some(view) = super::cold::view_in(&state, from) else { return Ok(cold()) };
        let path = self.log_path(view.record.base_offset);
        let Some(file) = self.volume.handles.at_hand(&path) else { return Ok(cold()) };
        let place = file.place(from);
        let active = if view.is_last {
            match active_hints(&state, &view, place, from, &options) {
                Some(hints) => Some(hints),
                None => return Ok(cold()),
            }
        } else {
            None
        };
        drop(state);
        let hints = active.map_or_else(|| self.sealed_hints(&view, place, from, &options), Ok);
        let source = CachedView { file: &**file, size: view.record.size };
        let found = hints.and_then(|hints| find(&source, &hints, from, &options, view.end));
        // What is not in memory, or not as it should be, is the cold read's matter.
        let Ok(Some(found)) = found else { return Ok(cold()) };
        match sendable::<E>(&file, &found) {
            Some(run) => Ok(Sendable::Warm(run)),
            None => Ok(cold()),
        }
    }

    fn sealed_hints(
        &self,
        view: &View,
        place: Option<u64>,
        from: i64,
        options: &ReadOptions,
    ) -> io::Result<Hints> {
        let base_offset = view.record.base_offset;
        let path = self.log_path(base_offset).with_extension("index");
        let would_block = || io::Error::from(io::ErrorKind::WouldBlock);
        let file = self.volume.handles.at_hand(&path).ok_or_else(would_block)?;
        let index = CachedView { file: &**file, size: file.len()? };
        let start = match place {
            Some(place) => place,
            None => u64::from(OffsetIndex::lookup_in(&index, base_offset, from)?.position),
        };
        let upper = options.upper.min(view.end);
        let limit = start.saturating_add(options.max_bytes as u64);
        let jump = OffsetIndex::last_within_in(&index, base_offset, limit, upper)?;
        Ok(Hints { start, jump })
    }
}

/// The hints of the last segment, whose index is in memory; `None` if it is not.
fn active_hints(
    state: &State,
    view: &View,
    place: Option<u64>,
    from: i64,
    options: &ReadOptions,
) -> Option<Hints> {
    let active = state.active.as_ref()?;
    if active.base_offset() != view.record.base_offset {
        return None;
    }
    let start = place.unwrap_or_else(|| active.start_position(from));
    let limit = start.saturating_add(options.max_bytes as u64);
    let jump = active.offset_index.last_within(limit, options.upper.min(view.end));
    Some(Hints { start, jump })
}

/// The run that begins with the batch that holds `from`; `None` where there is none that this way of
/// reading can answer for.
fn find(
    source: &impl ReadAt,
    hints: &Hints,
    from: i64,
    options: &ReadOptions,
    view_end: i64,
) -> io::Result<Option<Found>> {
    let upper = options.upper.min(view_end);
    let Some((position, first)) = first_batch(source, hints.start, from)? else { return Ok(None) };
    let limit = position.saturating_add(options.max_bytes as u64);
    let mut end = position + first.size_in_bytes() as u64;
    if first.last_offset() >= upper || first.base_offset > from {
        return Ok(None);
    }
    if end > limit {
        return Ok(options.min_one_batch.then(|| Found {
            position,
            end,
            next_offset: first.next_offset(),
        }));
    }
    let mut next_offset = first.next_offset();
    let jump = u64::from(hints.jump.position);
    if jump > end && jump <= limit {
        match HeaderWalk::short(source, jump).next_batch()? {
            Some((_, header))
                if header.last_offset() == hints.jump.offset
                    && header.base_offset >= next_offset =>
            {
                (end, next_offset) = (jump, header.base_offset);
            }
            // The index does not fit the log: the cold read goes by the log.
            _ => return Ok(None),
        }
    }
    let mut walk = HeaderWalk::short(source, end);
    while let Some((at, header)) = walk.next_batch()? {
        let after = at + header.size_in_bytes() as u64;
        if after > limit || header.last_offset() >= upper {
            break;
        }
        if header.base_offset < next_offset {
            return Ok(None);
        }
        (end, next_offset) = (after, header.next_offset());
    }
    Ok(Some(Found { position, end, next_offset }))
}

/// The batch that holds `from`, or the first after it, at or behind `start`.
fn first_batch(
    source: &impl ReadAt,
    start: u64,
    from: i64,
) -> io::Result<Option<(u64, BatchHeader)>> {
    let mut walk = HeaderWalk::short(source, start);
    while let Some((position, header)) = walk.next_batch()? {
        if header.last_offset() >= from {
            return Ok(Some((position, header)));
        }
    }
    Ok(None)
}

/// A run whose bytes are checked and in memory.
fn sendable<E: Env>(file: &OpenOf<E>, found: &Found) -> Option<FileRun<<E::Disk as Disk>::File>> {
    let range = found.position..found.end;
    let len = usize::try_from(range.end - range.start).ok()?;
    if !file.is_checked(&range) || !file.is_cached(range.start, len as u64) {
        return None;
    }
    file.mark_place(found.next_offset, found.end);
    let range = FileRange::new(Arc::clone(file), range.start, len);
    Some(FileRun { range, next_offset: found.next_offset })
}
