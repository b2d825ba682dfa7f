//! The cache against a plain list of (offset, epoch), one per record.

use proptest::prelude::*;

use super::*;

/// One epoch per offset, from `start`; what the cache abbreviates.
#[derive(Debug, Clone, Default)]
struct Model {
    start: i64,
    epochs: Vec<i32>,
}

impl Model {
    fn end(&self) -> i64 {
        self.start + self.epochs.len() as i64
    }
    fn end_offset_for(&self, epoch: i32) -> (i32, i64) {
        let Some(latest) = self.epochs.last() else { return UNDEFINED };
        if epoch == *latest {
            return (epoch, self.end());
        }
        let Some(next) = self.epochs.iter().position(|e| *e > epoch) else { return UNDEFINED };
        let end = self.start + next as i64;
        match next.checked_sub(1) {
            None => (epoch, end),
            Some(floor) => (self.epochs[floor], end),
        }
    }
}

#[derive(Debug, Clone)]
enum Op {
    Append { bump: i32, count: usize },
    TruncateEnd(i64),
    TruncateStart(i64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..3i32, 1..5usize).prop_map(|(bump, count)| Op::Append { bump, count }),
        1 => (0..8i64).prop_map(Op::TruncateEnd),
        1 => (0..8i64).prop_map(Op::TruncateStart),
    ]
}

proptest! {
    #[test]
    fn cache_equals_one_epoch_per_record(ops in prop::collection::vec(op(), 1..40)) {
        let (mut model, mut cache) = (Model::default(), EpochCache::new());
        let mut epoch = 0;
        for op in ops {
            match op {
                Op::Append { bump, count } => {
                    epoch += bump;
                    cache.assign(epoch, model.end());
                    model.epochs.extend(std::iter::repeat_n(epoch, count));
                }
                Op::TruncateEnd(back) => {
                    let end = (model.end() - back).max(model.start);
                    model.epochs.truncate((end - model.start) as usize);
                    cache.truncate_from_end(end);
                }
                // A log keeps its last record's epoch even when all of it is deleted.
                Op::TruncateStart(ahead) => {
                    let start = (model.start + ahead).min(model.end() - 1).max(model.start);
                    model.epochs.drain(..(start - model.start) as usize);
                    model.start = start;
                    cache.truncate_from_start(start);
                }
            }
            for asked in -1..epoch + 2 {
                let expected = if asked < 0 { UNDEFINED } else { model.end_offset_for(asked) };
                if !model.epochs.is_empty() {
                    prop_assert_eq!(cache.end_offset_for(asked, model.end()), expected);
                }
            }
            for (index, expected) in model.epochs.iter().enumerate() {
                prop_assert_eq!(cache.epoch_for_offset(model.start + index as i64), Some(*expected));
            }
            prop_assert!(EpochCache::from_entries(cache.entries().to_vec()).is_some());
        }
    }
}

#[test]
fn an_older_epoch_rewrites_the_end() {
    let mut cache = EpochCache::new();
    assert!(cache.assign(2, 10));
    assert!(cache.assign(5, 20));
    assert!(cache.assign(3, 15));
    assert_eq!(
        cache.entries(),
        [EpochEntry { epoch: 2, start_offset: 10 }, EpochEntry { epoch: 3, start_offset: 15 }]
    );
    assert!(!cache.assign(3, 16));
}
