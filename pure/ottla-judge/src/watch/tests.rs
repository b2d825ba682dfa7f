//! Each watcher is content with what is right, and says what is not.

use std::collections::BTreeMap;

use super::*;

#[test]
fn an_epoch_has_one_leader() {
    let mut watch = OneLeader::default();
    assert_eq!(watch.leads(0, 1, 1), None);
    assert_eq!(watch.leads(0, 1, 1), None);
    assert_eq!(watch.leads(1, 1, 2), None, "another log");
    assert_eq!(watch.leads(0, 2, 2), None, "another epoch");
    assert_eq!(watch.leads(0, 1, 3).map(|found| found.promise), Some("one_leader"));
}

#[test]
fn a_voter_votes_once() {
    let mut watch = OneVote::default();
    assert_eq!(watch.grants(1, 5, 2), None);
    assert_eq!(watch.grants(1, 5, 2), None);
    assert!(watch.grants(1, 5, 3).is_some());
    let led = Ballot { epoch: 5, leader: Some(2), voted: None };
    assert_eq!(watch.writes(1, led), None);
    assert_eq!(watch.writes(1, Ballot { voted: Some(2), ..led }), None);
    assert!(watch.writes(1, Ballot { leader: None, ..led }).is_some());
    assert!(watch.writes(1, Ballot { epoch: 4, ..led }).is_some());
}

#[test]
fn a_high_watermark_rises() {
    let mut watch = HighWatermark::default();
    assert_eq!(watch.says(0, 1, 0, 5), None);
    assert_eq!(watch.says(0, 1, 0, 7), None);
    assert_eq!(watch.says(0, 1, 1, 3), None, "another life");
    assert!(watch.says(0, 1, 0, 6).is_some());
}

#[test]
fn an_offset_names_one_committed_record() {
    let mut watch = OneHistory::default();
    let [a, b, c] = [1, 2, 3].map(|value| Entry { epoch: 1, value });
    assert_eq!(watch.commits(0, 1, 0, &[a, b]), None);
    assert_eq!(watch.commits(0, 2, 1, &[b, c]), None);
    assert_eq!(watch.committed(0), [a, b, c]);
    assert!(watch.commits(0, 3, 0, &[b]).is_some());
    assert!(watch.commits(0, 3, 9, &[b]).is_some());
}

#[test]
fn enough_replicas_have_what_is_committed() {
    assert_eq!(Stable::holds(0, 4, &[1, 2], 2), None);
    assert!(Stable::holds(0, 4, &[1], 2).is_some());
    assert_eq!(InSync::is_in(0, 1, 4, 4), None);
    assert!(InSync::is_in(0, 1, 3, 4).is_some());
}

#[test]
fn a_replica_is_in_one_directory_that_the_controller_knows() {
    assert_eq!(OnePlace::holds("t-0", 1, &["/a"]), None);
    assert!(OnePlace::holds("t-0", 1, &[]).is_some());
    assert!(OnePlace::holds("t-0", 1, &["/a", "/b"]).is_some());
    assert_eq!(OnePlace::knows("t-0", 1, "/a", "/a"), None);
    assert!(OnePlace::knows("t-0", 1, "/a", "/b").is_some());
}

#[test]
fn what_is_equal_is_equal() {
    assert_eq!(Equal::all("topics", &BTreeMap::from([(1, 'a'), (2, 'a')])), None);
    assert!(Equal::all("topics", &BTreeMap::from([(1, 'a'), (2, 'b')])).is_some());
}

#[test]
fn files_hold_the_same_bytes() {
    let batch = |base_offset, last_offset, hash| Stored { base_offset, last_offset, hash };
    let files = |batches: &[Stored]| Files { batches: batches.to_vec(), trailing: 0 };
    let judge = |one: Files, other: Files, below| {
        SameFiles::all("t-0", &BTreeMap::from([(1, one), (2, other)]), 0..below).map(|v| v.text)
    };
    let [a, b, c] = [batch(0, 4, 1), batch(5, 5, 2), batch(6, 9, 3)];
    let whole = || files(&[a, b, c]);
    assert_eq!(judge(whole(), whole(), i64::MAX), None);
    assert_eq!(judge(whole(), files(&[]), i64::MAX), None, "nothing to compare");
    assert_eq!(judge(whole(), files(&[b, c]), i64::MAX), None, "a later start");
    assert_eq!(judge(whole(), files(&[a, b]), i64::MAX), None, "an earlier end");
    let parted = files(&[a, b, batch(6, 9, 4)]);
    assert_eq!(judge(whole(), parted.clone(), 9), None, "not committed");
    assert!(judge(whole(), parted, 10).is_some());
    assert!(judge(whole(), files(&[a, batch(5, 6, 2), batch(7, 9, 3)]), i64::MAX).is_some());
    assert!(judge(whole(), files(&[a, c]), i64::MAX).is_some(), "a hole");
    assert!(judge(whole(), Files { trailing: 3, ..whole() }, i64::MAX).is_some());
    let old = BTreeMap::from([(1, whole()), (2, files(&[batch(0, 4, 9), b, c]))]);
    assert_eq!(SameFiles::all("t-0", &old, 5..i64::MAX), None, "below the log start");
}
