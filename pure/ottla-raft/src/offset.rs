//! A place in the log together with the epoch of what stands just before it.

/// `offset` is an end: the offset after the last record. `epoch` is that record's leader epoch, 0 for an empty log.
/// Ordered by epoch, then offset: the greater one is the more complete log (Raft §5.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OffsetAndEpoch {
    pub offset: i64,
    pub epoch: i32,
}

impl OffsetAndEpoch {
    pub fn new(offset: i64, epoch: i32) -> Self {
        Self { offset, epoch }
    }
}

impl PartialOrd for OffsetAndEpoch {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OffsetAndEpoch {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.epoch, self.offset).cmp(&(other.epoch, other.offset))
    }
}
