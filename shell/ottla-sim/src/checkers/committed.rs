//! A group's committed offset does not go back, and is one that was committed.
//!
//! Kafka: a commit is acknowledged when its record in `__consumer_offsets` is committed.

use crate::history::{Ending, History};

pub(super) fn check(history: &History, ending: &Ending) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, partition) in &history.partitions {
        let found = ending.partitions.get(index).and_then(|end| end.committed);
        if found < partition.committed {
            wrong.push(format!(
                "partition {index}: offset {:?} was committed, {found:?} is there",
                partition.committed
            ));
        }
        if found > partition.commit_tried {
            wrong.push(format!("partition {index}: offset {found:?} was never committed"));
        }
    }
    wrong
}
