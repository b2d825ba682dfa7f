//! The small files of a Kafka data directory, byte for byte: how Ottla adopts one and exports one.
//!
//! Text in, values out and back; reading and writing the files is the caller's. A file that is not
//! exactly what Kafka writes is refused with the line and the reason, never half understood.

use std::fmt;

pub mod dir_name;
pub mod epoch_checkpoint;
pub mod meta_properties;
pub mod offset_checkpoint;
pub mod partition_metadata;

/// `meta.properties`, in every log directory.
pub const META_PROPERTIES: &str = "meta.properties";
/// `partition.metadata`, in every partition's folder.
pub const PARTITION_METADATA: &str = "partition.metadata";
/// `leader-epoch-checkpoint`, in every partition's folder.
pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
/// What is flushed, per partition.
pub const RECOVERY_POINT_CHECKPOINT: &str = "recovery-point-offset-checkpoint";
/// The high watermarks.
pub const REPLICATION_OFFSET_CHECKPOINT: &str = "replication-offset-checkpoint";
/// The log start offsets that differ from the first segment's.
pub const LOG_START_CHECKPOINT: &str = "log-start-offset-checkpoint";
/// Up to where the cleaner came.
pub const CLEANER_OFFSET_CHECKPOINT: &str = "cleaner-offset-checkpoint";
/// Present after a clean shutdown.
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// A text file that is not what Kafka writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    pub what: String,
}

impl Malformed {
    fn new(line: usize, what: impl Into<String>) -> Malformed {
        Malformed { line, what: what.into() }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            f.write_str(&self.what)
        } else {
            write!(f, "line {}: {}", self.line, self.what)
        }
    }
}

impl std::error::Error for Malformed {}

/// The lines of Kafka's checkpoint shape: a version of 0, a count, that many lines. The file is
/// taken whole or not at all, so a torn one cannot pass for a shorter one.
fn checkpoint_lines(text: &str) -> Result<impl Iterator<Item = (usize, &str)>, Malformed> {
    let mut lines = text.lines();
    let version = lines.next().unwrap_or("");
    if version.trim() != "0" {
        return Err(Malformed::new(1, format!("version \"{version}\" where 0 is known")));
    }
    let count = lines.next().unwrap_or("");
    let count: usize = count.trim().parse().map_err(|_| {
        Malformed::new(2, format!("\"{count}\" where the number of entries stands"))
    })?;
    let found = lines.clone().count();
    if found != count {
        return Err(Malformed::new(0, format!("{found} entries where {count} were announced")));
    }
    Ok(lines.enumerate().map(|(index, line)| (index + 3, line)))
}

/// The text of a checkpoint with these lines.
fn checkpoint_text(lines: impl ExactSizeIterator<Item = String>) -> String {
    let mut text = format!("0\n{}\n", lines.len());
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// A whole number, or which line holds something else.
fn number<T: std::str::FromStr>(line: usize, word: &str) -> Result<T, Malformed> {
    word.parse().map_err(|_| Malformed::new(line, format!("\"{word}\" where a number stands")))
}

#[cfg(test)]
mod tests;
