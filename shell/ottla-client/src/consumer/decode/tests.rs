//! Positions, gaps and aborted transactions in what was fetched.

use ottla_protocol::records::control::end_transaction;
use ottla_protocol::records::{BatchBuilder, BatchOptions};
use proptest::prelude::*;

use super::*;

/// A log under construction, and which values a reader must see in each isolation.
#[derive(Default)]
struct Log {
    bytes: Vec<u8>,
    next: i64,
    all: Vec<i64>,
    committed: Vec<i64>,
    /// Open transactions: producer, first offset, offsets.
    open: Vec<(i64, i64, Vec<i64>)>,
    aborted: Vec<(i64, i64)>,
}

impl Log {
    fn data(&mut self, producer_id: Option<i64>, count: usize, gap: i64) {
        let base_offset = self.next + gap;
        let mut builder = BatchBuilder::new(BatchOptions {
            base_offset,
            producer_id: producer_id.unwrap_or(-1),
            producer_epoch: 0,
            base_sequence: 0,
            transactional: producer_id.is_some(),
            ..BatchOptions::default()
        });
        for _ in 0..count {
            builder.push(0, None, Some(b"value"), &[]);
        }
        self.bytes.extend_from_slice(&builder.build());
        let offsets: Vec<i64> = (base_offset..base_offset + count as i64).collect();
        self.next = base_offset + count as i64;
        self.all.extend(&offsets);
        match producer_id {
            None => self.committed.extend(&offsets),
            Some(id) => match self.open.iter_mut().find(|(open, ..)| *open == id) {
                Some((_, _, all)) => all.extend(offsets),
                None => self.open.push((id, base_offset, offsets)),
            },
        }
    }

    fn end(&mut self, producer_id: i64, commit: bool) {
        let Some(at) = self.open.iter().position(|(open, ..)| *open == producer_id) else { return };
        let (_, first, offsets) = self.open.remove(at);
        if commit {
            self.committed.extend(offsets);
        } else {
            self.aborted.push((first, producer_id));
        }
        let options = BatchOptions {
            base_offset: self.next,
            producer_id,
            producer_epoch: 0,
            ..BatchOptions::default()
        };
        let marker = end_transaction(options, 0, commit, 0).unwrap();
        self.bytes.extend_from_slice(&marker);
        self.next += 1;
    }

    fn read(&self, from: i64, aborted: Vec<(i64, i64)>) -> (Vec<i64>, i64) {
        let bytes = Bytes::copy_from_slice(&self.bytes);
        let mut fetched = Fetched::new(Str::from("t"), 0, &bytes, from, aborted);
        let mut offsets = Vec::new();
        while let Some(record) = fetched.next_record().unwrap() {
            offsets.push(record.offset);
        }
        (offsets, fetched.position)
    }
}

proptest! {
    #[test]
    fn each_isolation_sees_its_own(
        ops in prop::collection::vec((0..4u8, 0..3i64, 1..4usize, 0..3i64), 0..30),
        from in 0..40i64,
    ) {
        let mut log = Log::default();
        for (op, producer, count, gap) in ops {
            match op {
                0 => log.data(None, count, gap),
                1 => log.data(Some(producer), count, gap),
                2 => log.end(producer, true),
                _ => log.end(producer, false),
            }
        }
        for producer in 0..3 {
            log.end(producer, true);
        }
        let after = |offsets: &[i64]| {
            let mut seen: Vec<i64> = offsets.iter().copied().filter(|o| *o >= from).collect();
            seen.sort_unstable();
            seen
        };
        let (all, position) = log.read(from, Vec::new());
        prop_assert_eq!(all, after(&log.all));
        prop_assert_eq!(position, log.next.max(from));
        // A broker names only aborted transactions that reach past the fetch offset; all is from 0.
        if from == 0 || log.aborted.is_empty() {
            let (committed, position) = log.read(from, log.aborted.clone());
            prop_assert_eq!(committed, after(&log.committed));
            prop_assert_eq!(position, log.next.max(from));
        }
    }
}

#[test]
fn a_cut_off_last_batch_waits_for_the_next_fetch() {
    let mut log = Log::default();
    log.data(None, 2, 0);
    log.data(None, 2, 0);
    log.bytes.truncate(log.bytes.len() - 1);
    assert_eq!(log.read(0, Vec::new()), (vec![0, 1], 2));
}

#[test]
fn damage_is_told() {
    let mut log = Log::default();
    log.data(None, 1, 0);
    *log.bytes.last_mut().unwrap() ^= 1;
    let mut fetched = Fetched::new(Str::from("t"), 0, &log.bytes.into(), 0, Vec::new());
    assert!(matches!(fetched.next_record(), Err(BatchError::CrcMismatch { .. })));
}
