//! What a partition's lock guards, and the transitions that live appends and replay share.
//!
//! `log_start <= high_watermark <= log_end`, `flushed_end <= log_end`: asserted after each change.
//! Everything derived (epochs, producers, aborted transactions) is a function of the batches that
//! went through [`State::apply`], so a replayed log gives the state the live one had.

use std::collections::VecDeque;
use std::sync::Arc;

use ottla_plant::{Plant, planted};
use ottla_protocol::records::BatchHeader;

use super::ProgressListener;
use crate::checkpoint::{Copying, PartitionRecord, SegmentRecord};
use crate::config::LogConfig;
use crate::epochs::EpochCache;
use crate::index::{AbortedTransaction, TxnIndex};
use crate::lazy::{Empty, Lazy};
use crate::options::{Offsets, TopicPartition};
use crate::producers::{EndMarker, Producers};
use crate::segment::Segment;
use crate::tail::{Place, Tail};

/// Whose words the log takes: that of clients, or that of another node's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Nobody has said: of a log that has no replicas, the metadata log for one.
    Free,
    /// This node leads in an epoch: clients append, nothing is ever cut off.
    Leading(i32),
    /// This node follows in an epoch.
    Following(i32),
    /// Its place is taken by a copy just now: it stands still.
    Still,
}

/// The state of a partition.
pub(crate) struct State {
    pub(crate) config: Arc<LogConfig>,
    /// The broker has said what the configuration is; before that nothing is deleted.
    pub(crate) claimed: bool,
    pub(crate) log_start: i64,
    pub(crate) high_watermark: i64,
    pub(crate) log_end: i64,
    /// Everything below is in segments.
    pub(crate) flushed_end: i64,
    pub(crate) tail: Lazy<Tail>,
    pub(crate) epochs: EpochCache,
    pub(crate) producers: Lazy<Producers>,
    pub(crate) aborted: Lazy<TxnIndex>,
    /// (position after an append, log end after it) of what is not durable yet.
    pub(crate) undurable: Lazy<VecDeque<(u64, i64)>>,
    /// Everything below is durable.
    pub(crate) durable_end: i64,
    pub(crate) part: Part,
    /// What the log itself says is committed, after a crash.
    pub(crate) noted_commit: i64,
    /// The position after the last entry of this partition.
    pub(crate) applied_lsn: u64,
    /// The run of the write-ahead log that already knows of this partition.
    pub(crate) run_mark: u64,
    /// Oldest first; the last one is appended to.
    pub(crate) segments: Lazy<Vec<SegmentRecord>>,
    /// The last segment with its indexes; `None` until someone needs them after a start.
    pub(crate) active: Option<Box<Segment>>,
    /// The index files of the last segment may be believed.
    pub(crate) index_trusted: bool,
    pub(crate) has_folder: bool,
    /// Files may only be cut, made or removed once the log is durable up to here.
    pub(crate) barrier_lsn: u64,
    /// Base offsets of segments whose files go once the log is durable up to the barrier.
    pub(crate) doomed: Lazy<Vec<i64>>,
    /// The file of the last segment may be longer than its record says.
    pub(crate) cut: bool,
    /// In the flusher's list.
    pub(crate) dirty: bool,
    /// Nobody has looked since the start whether there are files that the log does not know.
    pub(crate) unswept: bool,
    /// The high watermark is moved by followers, not by this node's own disk.
    pub(crate) replicated: bool,
    pub(crate) deleted: bool,
    pub(crate) copying: Copying,
    /// Who is told of progress.
    pub(crate) listener: Option<Arc<dyn ProgressListener>>,
}

impl Empty for Tail {
    const EMPTY: &'static Tail = &Tail::new();
}

impl Empty for Producers {
    const EMPTY: &'static Producers = &Producers::new();
}

impl Empty for TxnIndex {
    const EMPTY: &'static TxnIndex = &TxnIndex::new();
}

impl State {
    /// A new, empty log.
    pub(crate) fn new(config: Arc<LogConfig>) -> State {
        State {
            config,
            claimed: false,
            log_start: 0,
            high_watermark: 0,
            log_end: 0,
            flushed_end: 0,
            tail: Lazy::new(),
            epochs: EpochCache::new(),
            producers: Lazy::new(),
            aborted: Lazy::new(),
            undurable: Lazy::new(),
            durable_end: 0,
            part: Part::Free,
            noted_commit: 0,
            applied_lsn: 0,
            run_mark: 0,
            segments: Lazy::new(),
            active: None,
            index_trusted: false,
            has_folder: false,
            barrier_lsn: 0,
            doomed: Lazy::new(),
            cut: false,
            dirty: false,
            unswept: true,
            replicated: false,
            deleted: false,
            copying: Copying::default(),
            listener: None,
        }
    }

    /// The log of a checkpoint.
    pub(crate) fn restore(record: PartitionRecord) -> Option<State> {
        let config = LogConfig { segment_bytes: record.segment_bytes, ..LogConfig::default() };
        let mut aborted = TxnIndex::new();
        record.aborted.iter().for_each(|one| aborted.append(*one));
        let mut state = State {
            log_start: record.log_start,
            high_watermark: record.high_watermark,
            log_end: record.log_end,
            durable_end: record.log_end,
            flushed_end: record.log_end,
            epochs: EpochCache::from_entries(record.epochs)?,
            producers: record.producers.into(),
            aborted: aborted.into(),
            applied_lsn: record.applied_lsn,
            segments: record.segments.into(),
            index_trusted: record.index_saved,
            has_folder: record.has_folder,
            // A flush after the checkpoint may have written more than the record says.
            cut: true,
            replicated: record.replicated,
            copying: record.copying,
            ..State::new(Arc::new(config))
        };
        // Alone, what is on this disk is committed: appends that were under way at the checkpoint too.
        if !state.replicated {
            state.raise_high_watermark(state.log_end);
        }
        if planted(Plant::ProducersForgotten) {
            state.producers.clear();
        }
        Some(state)
    }

    /// The state for a checkpoint, as of the last entry; valid once all batches are in segments.
    pub(crate) fn record(&self, number: u64, id: &TopicPartition) -> PartitionRecord {
        PartitionRecord {
            number,
            id: id.clone(),
            applied_lsn: self.applied_lsn,
            log_start: self.log_start,
            high_watermark: self.high_watermark,
            log_end: self.log_end,
            segment_bytes: self.config.segment_bytes,
            has_folder: self.has_folder,
            index_saved: self.index_trusted,
            replicated: self.replicated,
            copying: self.copying,
            segments: self.segments.to_vec(),
            epochs: self.epochs.entries().to_vec(),
            producers: (*self.producers).clone(),
            aborted: self.aborted.entries().to_vec(),
        }
    }

    pub(crate) fn offsets(&self) -> Offsets {
        let unstable = self.producers.first_unstable_offset().unwrap_or(i64::MAX);
        Offsets {
            log_start: self.log_start,
            last_stable: unstable.max(self.log_start).min(self.high_watermark),
            high_watermark: self.high_watermark,
            durable_end: self.durable_end,
            log_end: self.log_end,
        }
    }

    /// Takes in one batch that is in the write-ahead log, and its marker if it is one: the only way a
    /// record gets into the log.
    pub(crate) fn apply(&mut self, header: &BatchHeader, marker: Option<EndMarker>, place: Place) {
        assert!(header.base_offset >= self.log_end, "an offset never names two records");
        if header.partition_leader_epoch >= 0 {
            self.epochs.assign(header.partition_leader_epoch, header.base_offset);
        }
        // Most batches have no producer id, and their partition remembers nobody.
        if header.has_producer_id()
            && let Some(ended) = self.producers.apply(header, marker)
            && ended.aborted
        {
            self.aborted.append(AbortedTransaction {
                producer_id: ended.producer_id,
                first_offset: ended.first_offset,
                last_offset: ended.last_offset,
                last_stable_offset: ended.last_stable_offset,
            });
        }
        self.tail.push(header, place);
        self.log_end = header.next_offset();
    }

    /// Moves the high watermark forward; says whether it moved.
    pub(crate) fn raise_high_watermark(&mut self, offset: i64) -> bool {
        let target = offset.min(self.log_end);
        if target <= self.high_watermark {
            return false;
        }
        self.high_watermark = target;
        if let Some(producers) = self.producers.made() {
            producers.on_high_watermark(target);
        }
        true
    }

    /// Who moves the high watermark from here on, and how far it is. Alone, what is on this disk is
    /// committed. Says whether it moved.
    pub(crate) fn note_commit(&mut self, offset: i64, replicated: bool) -> bool {
        self.replicated = replicated;
        let offset = if replicated { offset } else { self.durable_end.max(offset) };
        self.raise_high_watermark(offset)
    }

    /// Moves the log start forward; returns the segments that no longer hold anything.
    pub(crate) fn raise_log_start(&mut self, offset: i64) -> Vec<SegmentRecord> {
        assert!(offset <= self.log_end, "the log start lies within the log");
        if offset <= self.log_start {
            return Vec::new();
        }
        self.log_start = offset;
        self.high_watermark = self.high_watermark.max(offset);
        self.epochs.truncate_from_start(offset);
        self.check();
        let next_bases = self.segments.iter().skip(1).map(|segment| segment.base_offset);
        let gone = next_bases.take_while(|base| *base <= offset).count();
        if gone == 0 {
            return Vec::new();
        }
        self.segments.drain(..gone).collect()
    }

    /// Drops what reaches `offset` or lies beyond, in all but producers and the last segment's
    /// size, which need the log; returns the segments that are gone.
    pub(crate) fn cut_back(&mut self, offset: i64) -> Vec<SegmentRecord> {
        if let Some(tail) = self.tail.made() {
            tail.truncate(offset);
        }
        self.epochs.truncate_from_end(offset);
        if let Some(aborted) = self.aborted.made() {
            aborted.truncate(offset);
        }
        let undurable = self.undurable.made().into_iter().flatten();
        undurable.for_each(|(_, end)| *end = (*end).min(offset));
        self.durable_end = self.durable_end.min(offset);
        self.log_end = offset;
        self.high_watermark = self.high_watermark.min(offset);
        self.log_start = self.log_start.min(offset);
        if self.flushed_end <= offset {
            return Vec::new();
        }
        self.flushed_end = offset;
        self.cut = true;
        self.active = None;
        self.index_trusted = false;
        let keep = self.segments.partition_point(|segment| segment.base_offset < offset);
        self.segments.split_off(keep)
    }

    /// Forgets all records; the log goes on at `offset`. Returns all segments.
    pub(crate) fn restart(&mut self, offset: i64) -> Vec<SegmentRecord> {
        self.tail.clear();
        self.epochs.clear();
        self.producers.clear();
        self.aborted.clear();
        self.undurable.clear();
        self.durable_end = offset;
        (self.log_start, self.high_watermark) = (offset, offset);
        (self.log_end, self.flushed_end) = (offset, offset);
        self.active = None;
        self.cut = true;
        self.check();
        self.segments.take()
    }

    /// The relations that always hold.
    pub(crate) fn check(&self) {
        assert!(self.log_start <= self.high_watermark, "log start <= high watermark");
        assert!(self.high_watermark <= self.log_end, "high watermark <= log end");
        assert!(self.flushed_end <= self.log_end, "flushed end <= log end");
        assert!(self.durable_end <= self.log_end, "durable end <= log end");
    }
}
