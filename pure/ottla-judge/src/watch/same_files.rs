//! What lies in the replicas' files is the same, byte for byte, wherever they hold the same offsets; each
//! file is whole, without a hole between two batches and with nothing behind the last.
//!
//! Sources: KIP-101, KIP-279, KAFKA-6361 (logs that part after fast failovers), KAFKA-18723 (a follower that
//! appended a corrupt batch), KAFKA-7866 (an offset twice). A read through a leader sees none of this: it asks
//! one replica, below the high watermark.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Node, violation};
use crate::verdict::Violation;

/// A batch as it lies in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub base_offset: i64,
    pub last_offset: i64,
    /// A hash of all its bytes.
    pub hash: u64,
}

/// One replica's files of one partition, oldest batch first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    pub batches: Vec<Stored>,
    /// Bytes that are no batch, where the batches of a file end.
    pub trailing: usize,
}

impl Files {
    fn start(&self) -> i64 {
        self.batches.first().map_or(i64::MAX, |batch| batch.base_offset)
    }

    fn end(&self) -> i64 {
        self.batches.last().map_or(0, |batch| batch.last_offset + 1)
    }

    /// What of one replica alone is wrong.
    fn disorder(&self) -> Option<String> {
        if self.trailing > 0 {
            return Some(format!("{} bytes are no batch", self.trailing));
        }
        let gap =
            self.batches.windows(2).find(|pair| pair[1].base_offset != pair[0].last_offset + 1);
        gap.map(|pair| {
            format!("after offset {} comes {}", pair[0].last_offset, pair[1].base_offset)
        })
    }
}

/// See the module's first line.
#[derive(Debug, Default)]
pub struct SameFiles;

impl SameFiles {
    /// Holds the replicas of one partition against each other, where offsets of `promised` are concerned and
    /// all have them. What lies below the log start is nobody's any more: there a replica may keep what it
    /// never had to cut off. A replica without a batch in that range says nothing.
    pub fn all(
        what: &str,
        by_node: &BTreeMap<Node, Files>,
        promised: Range<i64>,
    ) -> Option<Violation> {
        for (node, files) in by_node {
            if let Some(text) = files.disorder() {
                return violation("same_files", format!("{what} of node {node}: {text}"));
            }
        }
        let filled = || by_node.iter().filter(|(_, files)| !files.batches.is_empty());
        let from = filled().map(|(_, files)| files.start()).max()?.max(promised.start);
        let to = filled().map(|(_, files)| files.end()).min()?.min(promised.end);
        // A batch that one of them has the end of only, or the beginning, is none of what all have.
        let within = |batch: &&Stored| batch.base_offset >= from && batch.last_offset < to;
        let mut ranges = filled().map(|(node, files)| (node, files.batches.iter().filter(within)));
        let (first, has) = ranges.next()?;
        let has: Vec<&Stored> = has.collect();
        for (other, batches) in ranges {
            let differs: Vec<&Stored> = batches.collect();
            if let Some(text) = difference((*first, &has), (*other, &differs)) {
                return violation("same_files", format!("{what} from {from} to {to}: {text}"));
            }
        }
        None
    }
}

/// The first batch in which two replicas part.
fn difference(
    (one, has): (Node, &[&Stored]),
    (other, differs): (Node, &[&Stored]),
) -> Option<String> {
    let longest = has.len().max(differs.len());
    let at = (0..longest).find(|at| has.get(*at) != differs.get(*at))?;
    Some(format!("node {one} has {:?}, node {other} has {:?}", has.get(at), differs.get(at)))
}
