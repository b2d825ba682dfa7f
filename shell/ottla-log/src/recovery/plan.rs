//! The decision table of recovery: which case the facts are, and what to do. Pure.
//!
//! The story of a session of epoch N: the checkpoint before it is clean and of epoch N-1 or less (or
//! there is none); `wal/epoch` is replaced by N; groups of epoch N follow; checkpoints of epoch N
//! replace the old one now and then; the last, at the end of an orderly stop, is clean. Each row
//! below is a point of that story at which the machine may have stopped, or is no such point.

use ottla_plant::{Plant, planted};

use crate::recovery::survey::Survey;

/// Where in the story the directory was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// Never opened.
    New,
    /// Stopped in order, or before the session wrote its epoch.
    Clean,
    /// The groups of the session follow one another to the last.
    Replay,
    /// They end at a hole that nothing acknowledged lay in: `flush=none` and a power cut.
    ReplayToHole,
    /// The checkpoint is gone but a session was there.
    CheckpointLost,
    /// The epoch file is gone, or not of the session that wrote the checkpoint.
    EpochContradicts,
    /// A group is missing or damaged that a later one knew to be durable.
    GroupLost,
    /// A segment lost bytes that were synced.
    SegmentLost,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Take the first `groups` of the survey's groups; the log goes on at `end_lsn`.
    Go { case: Case, groups: usize, end_lsn: u64, lost_groups: usize },
    /// Do not open, and why.
    Refuse { case: Case, why: String },
}

/// The plan for a directory.
pub(crate) fn plan(survey: &Survey) -> Plan {
    //  checkpoint | its epoch vs the epoch file's | groups           -> case
    //  none       | no epoch file, no wal files   |                  -> New
    //  none       | anything else                 |                  -> CheckpointLost
    //  clean      | no file, or file <= its       | not looked at    -> Clean
    //  clean      | file = its + 1                | chain            -> Replay / hole rules
    //  clean      | file > its + 1                |                  -> EpochContradicts
    //  unclean    | file = its                    | chain            -> Replay / hole rules
    //  unclean    | no file, or another           |                  -> EpochContradicts
    let Some(checkpoint) = &survey.checkpoint else {
        if survey.epoch.is_none() && survey.files.is_empty() {
            return go(Case::New, 0, 0, 0);
        }
        let why = "there is a write-ahead log but no checkpoint".to_owned();
        return Plan::Refuse { case: Case::CheckpointLost, why };
    };
    let header = &checkpoint.header;
    let ahead = survey.epoch.map(|file| (file, file.epoch.checked_sub(header.epoch)));
    match (header.clean, ahead) {
        (true, None | Some((_, None | Some(0)))) => go(Case::Clean, 0, header.wal_start_lsn, 0),
        (true, Some((file, Some(1)))) => chain(survey, file.start_lsn.max(header.wal_start_lsn)),
        (false, Some((_, Some(0)))) => chain(survey, header.wal_start_lsn),
        (clean, ahead) => {
            let file = ahead.map_or("no epoch file".to_owned(), |(file, _)| {
                format!("an epoch file of {}", file.epoch)
            });
            let kind = if clean { "a clean" } else { "an unclean" };
            let why = format!("there is {file} beside {kind} checkpoint of epoch {}", header.epoch);
            Plan::Refuse { case: Case::EpochContradicts, why }
        }
    }
}

/// Follows the groups from `start_lsn` to the first hole, and judges the hole.
fn chain(survey: &Survey, start_lsn: u64) -> Plan {
    if let Some(short) = survey.short_segments.first() {
        return Plan::Refuse { case: Case::SegmentLost, why: short.clone() };
    }
    let mut end_lsn = start_lsn;
    let mut taken = 0;
    for found in &survey.groups {
        if found.header.start_lsn > end_lsn {
            break;
        }
        end_lsn = end_lsn.max(found.header.end_lsn());
        taken += 1;
    }
    let beyond = &survey.groups[taken..];
    if planted(Plant::RecoveryDropsLastGroup) {
        taken = taken.saturating_sub(1);
    }
    if beyond.is_empty() {
        return go(Case::Replay, taken, end_lsn, 0);
    }
    match beyond.iter().find(|found| found.header.durable_lsn > end_lsn) {
        None => go(Case::ReplayToHole, taken, end_lsn, beyond.len()),
        Some(witness) => {
            let why = format!(
                "the write-ahead log has a hole at position {end_lsn}, which the group at {} knew \
                 to be on stable storage up to {}",
                witness.header.start_lsn, witness.header.durable_lsn
            );
            Plan::Refuse { case: Case::GroupLost, why }
        }
    }
}

fn go(case: Case, groups: usize, end_lsn: u64, lost_groups: usize) -> Plan {
    Plan::Go { case, groups, end_lsn, lost_groups }
}

#[cfg(test)]
mod tests;
