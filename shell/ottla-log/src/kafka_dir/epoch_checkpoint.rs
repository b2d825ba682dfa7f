//! `leader-epoch-checkpoint`: one line "epoch start-offset" per leader epoch.

use super::{Malformed, checkpoint_lines, checkpoint_text, number};
use crate::epochs::{EpochCache, EpochEntry};

/// Reads the file.
///
/// # Errors
/// The line that is not as Kafka writes it.
pub fn parse(text: &str) -> Result<EpochCache, Malformed> {
    let mut entries = Vec::new();
    for (line, words) in checkpoint_lines(text)? {
        let Some((epoch, start)) = words.split_once(' ') else {
            return Err(Malformed::new(line, "not an epoch and an offset"));
        };
        entries.push(EpochEntry {
            epoch: number(line, epoch)?,
            start_offset: number(line, start.trim())?,
        });
    }
    EpochCache::from_entries(entries)
        .ok_or_else(|| Malformed::new(0, "leader epochs or their offsets do not increase"))
}

/// The file's text.
pub fn format(epochs: &EpochCache) -> String {
    checkpoint_text(epochs.entries().iter().map(|e| format!("{} {}", e.epoch, e.start_offset)))
}
