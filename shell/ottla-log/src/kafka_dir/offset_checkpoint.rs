//! One offset per partition: `recovery-point-`, `replication-`, `log-start-` and
//! `cleaner-offset-checkpoint`, each line "topic partition offset".

use super::{Malformed, checkpoint_lines, checkpoint_text, number};

/// An offset of a partition, by topic name as Kafka keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionOffset {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// Reads the file.
///
/// # Errors
/// The line that is not as Kafka writes it.
pub fn parse(text: &str) -> Result<Vec<PartitionOffset>, Malformed> {
    checkpoint_lines(text)?
        .map(|(line, words)| {
            let mut words = words.split_whitespace();
            let (Some(topic), Some(partition), Some(offset), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(Malformed::new(line, "not a topic, a partition and an offset"));
            };
            Ok(PartitionOffset {
                topic: topic.to_owned(),
                partition: number(line, partition)?,
                offset: number(line, offset)?,
            })
        })
        .collect()
}

/// The file's text.
pub fn format(offsets: &[PartitionOffset]) -> String {
    checkpoint_text(offsets.iter().map(|o| format!("{} {} {}", o.topic, o.partition, o.offset)))
}
