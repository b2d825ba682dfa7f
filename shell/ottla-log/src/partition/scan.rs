//! Reads a partition's own segments front to back, as truncation needs it. Changes nothing.

use ottla_env::Env;

use super::Partition;
use crate::checkpoint::SegmentRecord;
use crate::error::Corruption;
use crate::index::FileView;
use crate::producers::{Producers, end_marker};
use crate::segment::scan;

/// What the log below an offset amounts to.
pub(super) struct Below {
    /// The producers, from the batches in segments alone.
    pub(super) producers: Producers,
    /// The segment that the cut goes through, cut.
    pub(super) last: Option<SegmentRecord>,
    /// The offset after the last batch that was read.
    pub(super) end: i64,
    /// What was wrong with the files, if anything.
    pub(super) damage: Option<String>,
}

impl<E: Env> Partition<E> {
    /// Reads `segments` up to the first batch that reaches `offset`. Damage ends the reading: what
    /// was read until then is returned.
    pub(super) fn read_below(&self, segments: &[SegmentRecord], offset: i64) -> Below {
        let mut below = Below { producers: Producers::new(), last: None, end: -1, damage: None };
        for segment in segments.iter().filter(|segment| segment.base_offset < offset) {
            let mut cut = SegmentRecord::empty(segment.base_offset, segment.created_ms);
            cut.modified_ms = segment.modified_ms;
            let path = self.log_path(segment.base_offset);
            let scanned = match self.volume.handles.existing(&path) {
                Err(error) => Err(error.to_string()),
                Ok(file) => {
                    let source = FileView { file: &**file, size: segment.size };
                    let visit = |_: u64, header: &_, batch: &_| {
                        note(&mut below, &mut cut, offset, header, batch)
                    };
                    scan(&source, 0, visit).map_err(|error| error.to_string())
                }
            };
            below.last = Some(cut);
            match scanned {
                Ok(None) => {}
                Ok(Some(end)) if end.what == REACHED => return below,
                Ok(Some(damage)) => {
                    below.damage = Some(format!("{}: {damage}", path.display()));
                    return below;
                }
                Err(error) => {
                    below.damage = Some(error);
                    return below;
                }
            }
        }
        below
    }
}

const REACHED: &str = "the offset is reached";

fn note(
    below: &mut Below,
    cut: &mut SegmentRecord,
    offset: i64,
    header: &ottla_protocol::records::BatchHeader,
    batch: &bytes::Bytes,
) -> Result<(), Corruption> {
    if header.last_offset() >= offset {
        return Err(Corruption::new(0, REACHED));
    }
    let marker = end_marker(header, batch)?;
    below.producers.apply(header, marker);
    below.end = header.next_offset();
    cut.note(header.last_offset(), header.max_timestamp, batch.len());
    Ok(())
}
