//! Goal: every combination of facts gets the case that the story allows. Method: all of them, held
//! against what may have happened, told apart from the table.

use ottla_protocol::Uuid;

use super::{Case, Plan, plan};
use crate::checkpoint::{Checkpoint, CheckpointHeader};
use crate::recovery::survey::Survey;
use crate::wal::{EpochFile, Found, GroupHeader, WalFile};

const EPOCH: u64 = 7;
const START: u64 = 100;

fn checkpoint(clean: bool) -> Checkpoint {
    let header = CheckpointHeader {
        directory: Uuid([1; 16]),
        epoch: EPOCH,
        wal_start_lsn: START,
        next_number: 1,
        clean,
    };
    Checkpoint { header, partitions: Vec::new() }
}

fn group(start_lsn: u64, durable_lsn: u64) -> Found {
    let header = GroupHeader { start_lsn, durable_lsn, payload_bytes: 10, padded_bytes: 64 };
    Found { file: 0, position: 0, header }
}

/// Name of the shape, groups, how many are to be taken, whether a later one knows of the hole.
fn shapes() -> Vec<(Vec<Found>, usize, bool)> {
    vec![
        (vec![], 0, false),
        (vec![group(100, 100), group(110, 110)], 2, false),
        // The first group begins before the checkpoint's position.
        (vec![group(95, 95), group(105, 105)], 2, false),
        (vec![group(100, 50), group(120, 50)], 1, false),
        (vec![group(100, 100), group(120, 110), group(130, 130)], 1, true),
        (vec![group(120, 100)], 0, false),
        (vec![group(120, 120)], 0, true),
    ]
}

#[test]
fn every_row() {
    let mut cases = Vec::new();
    for checkpoint in [None, Some(checkpoint(true)), Some(checkpoint(false))] {
        for epoch in [None, Some(EPOCH - 1), Some(EPOCH), Some(EPOCH + 1), Some(EPOCH + 2)] {
            for (groups, taken, witnessed) in shapes() {
                for short in [false, true] {
                    let survey = Survey {
                        checkpoint: checkpoint.clone(),
                        epoch: epoch.map(|epoch| EpochFile { epoch, start_lsn: START }),
                        files: vec![WalFile { start_lsn: START, path: "w".into() }],
                        groups: groups.clone(),
                        short_segments: if short { vec!["short".into()] } else { vec![] },
                    };
                    let found = plan(&survey);
                    expect(&survey, &found, taken, witnessed, short);
                    cases.push(case(&found));
                }
            }
        }
    }
    for wanted in [
        Case::Clean,
        Case::Replay,
        Case::ReplayToHole,
        Case::CheckpointLost,
        Case::EpochContradicts,
        Case::GroupLost,
        Case::SegmentLost,
    ] {
        assert!(cases.contains(&wanted), "{wanted:?}");
    }
    assert_eq!(case(&plan(&Survey::default())), Case::New);
}

fn case(plan: &Plan) -> Case {
    match plan {
        Plan::Go { case, .. } | Plan::Refuse { case, .. } => *case,
    }
}

fn expect(survey: &Survey, found: &Plan, taken: usize, witnessed: bool, short: bool) {
    let Some(checkpoint) = &survey.checkpoint else {
        assert_eq!(case(found), Case::CheckpointLost);
        return;
    };
    // A session of the epoch file's epoch may have written groups after this checkpoint.
    let epoch = survey.epoch.map(|file| file.epoch);
    let session = if checkpoint.header.clean { Some(EPOCH + 1) } else { Some(EPOCH) };
    let nothing_followed = checkpoint.header.clean && epoch.is_none_or(|epoch| epoch <= EPOCH);
    if nothing_followed {
        assert_eq!(*found, super::go(Case::Clean, 0, START, 0));
    } else if epoch != session {
        assert_eq!(case(found), Case::EpochContradicts);
    } else if short {
        assert_eq!(case(found), Case::SegmentLost);
    } else if witnessed {
        assert_eq!(case(found), Case::GroupLost);
    } else {
        let lost = survey.groups.len() - taken;
        let case = if lost == 0 { Case::Replay } else { Case::ReplayToHole };
        let end = survey.groups[..taken].last().map_or(START, |last| last.header.end_lsn());
        assert_eq!(*found, super::go(case, taken, end, lost));
    }
}
