//! What survives: for each promise of the disk, what the worst and the random power cut leave.

use std::io::ErrorKind;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::disk::{Disk, File, OpenOptions};

const CREATE: OpenOptions = OpenOptions::read_write_create();

fn content(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
    disk.read_file(Path::new(path), 1 << 30).ok()
}

/// A disk with a durable, empty file at `/d/a`.
fn with_file() -> (SimDisk, SimFile) {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new("/d")).unwrap();
    let file = disk.open(Path::new("/d/a"), &CREATE).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    (disk, file)
}

#[test]
fn synced_bytes_survive_everything() {
    let (disk, file) = with_file();
    file.write_all_at(&[3; 10_000], 5).unwrap();
    file.sync_data().unwrap();
    let expected = content(&disk, "/d/a").unwrap();
    for seed in 0..100 {
        assert_eq!(content(&disk.after(&LossPlan::seeded(seed)), "/d/a").unwrap(), expected);
    }
    assert_eq!(content(&disk.after(&LossPlan::lose_all()), "/d/a").unwrap(), expected);
}

#[test]
fn unsynced_bytes_survive_in_part() {
    let (disk, file) = with_file();
    file.write_all_at(&[1; 3 * 4096], 0).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(&[2; 3 * 4096], 0).unwrap();
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let left = content(&disk.after(&LossPlan::seeded(seed)), "/d/a").unwrap();
        assert_eq!(left.len(), 3 * 4096);
        for sector in left.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0] && (1..=2).contains(byte)));
        }
        outcomes.insert(left);
    }
    assert!(outcomes.len() > 8, "subsets of pages and sectors: {}", outcomes.len());
    assert!(outcomes.contains(&vec![1; 3 * 4096]) && outcomes.contains(&vec![2; 3 * 4096]));
    let kept = content(&disk.after(&LossPlan::kill()), "/d/a").unwrap();
    assert_eq!(kept, [2; 3 * 4096]);
    let lost = content(&disk.after(&LossPlan::lose_all()), "/d/a").unwrap();
    assert_eq!(lost, [1; 3 * 4096]);
}

#[test]
fn lengths_are_lost_with_and_without_their_bytes() {
    let (disk, file) = with_file();
    file.write_all_at(&[7; 100], 0).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(&[8; 9_000], 100).unwrap();
    let mut lens = std::collections::BTreeSet::new();
    let mut hole = false;
    for seed in 0..200 {
        let left = content(&disk.after(&LossPlan::seeded(seed)), "/d/a").unwrap();
        lens.insert(left.len());
        assert_eq!(left[..100], [7; 100]);
        hole |= left[100..].contains(&0);
    }
    assert_eq!(Vec::from_iter(lens), [100, 9_100]);
    assert!(hole, "a length may survive without its bytes");
}

#[test]
fn a_dsync_write_is_durable_and_leaves_other_pages_be() {
    let (disk, file) = with_file();
    file.write_all_at(&[1; 8192], 0).unwrap();
    let synced = disk.open(Path::new("/d/a"), &OpenOptions { dsync: true, ..CREATE }).unwrap();
    synced.write_all_at(&[2; 10], 4096).unwrap();
    let left = content(&disk.after(&LossPlan::lose_all()), "/d/a").unwrap();
    assert_eq!(left.len(), 8192);
    assert_eq!(left[..4096], [0; 4096], "the first page was not synced");
    assert_eq!(left[4096..4106], [2; 10]);
    assert_eq!(left[4106..], [1; 4086], "a page is written whole");
}

#[test]
fn names_survive_as_a_prefix_and_from_sync_dir_on() {
    let disk = SimDisk::new(1);
    for name in ["/a", "/b", "/c"] {
        disk.open(Path::new(name), &CREATE).unwrap().sync_all().unwrap();
    }
    let names = |disk: &SimDisk| -> String {
        disk.read_dir(Path::new("/")).unwrap().into_iter().map(|entry| entry.name).collect()
    };
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..200 {
        outcomes.insert(names(&disk.after(&LossPlan::seeded(seed))));
    }
    assert_eq!(Vec::from_iter(outcomes), ["", "a", "ab", "abc"]);
    disk.sync_dir(Path::new("/")).unwrap();
    disk.remove_file(Path::new("/b")).unwrap();
    assert_eq!(names(&disk.after(&LossPlan::lose_all())), "abc");
    assert_eq!(names(&disk.after(&LossPlan::kill())), "ac");
}

#[test]
fn replacing_a_file_leaves_the_old_or_the_new() {
    let disk = SimDisk::new(1);
    let path = Path::new("/meta");
    disk.replace_file(path, b"old").unwrap();
    let recording = disk.record();
    disk.replace_file(path, b"a new one").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for prefix in 0..=recording.len() {
        for seed in 0..50 {
            let plan = LossPlan::seeded(seed).in_flight();
            seen.insert(content(&recording.state_at(prefix, &plan), "/meta").unwrap());
        }
    }
    assert_eq!(Vec::from_iter(seen), [b"a new one".to_vec(), b"old".to_vec()]);
}

#[test]
fn a_rename_without_a_sync_of_the_bytes_may_show_an_empty_file() {
    let (disk, file) = with_file();
    file.write_all_at(b"bytes", 0).unwrap();
    disk.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    let left = disk.after(&LossPlan::lose_all());
    assert_eq!(content(&left, "/d/b"), Some(Vec::new()));
    assert_eq!(content(&left, "/d/a"), None);
}

#[test]
fn a_failed_sync_is_never_made_good() {
    let (disk, file) = with_file();
    file.write_all_at(&[1; 10], 0).unwrap();
    disk.fail_next(Op::Sync, 1);
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
    file.sync_data().unwrap();
    let left = content(&disk.after(&LossPlan::lose_all()), "/d/a").unwrap();
    assert_eq!(left, [0; 10], "the length is there, the bytes are not");
    assert_eq!(content(&disk, "/d/a").unwrap(), [1; 10], "the cache does not show it");
}

#[test]
fn faults_come_when_planned() {
    let (disk, file) = with_file();
    disk.fail_after(Op::Write, 1, 2);
    file.write_all_at(b"x", 0).unwrap();
    assert!(file.write_all_at(b"yy", 0).is_err());
    assert!(file.set_len(4).is_err());
    file.write_all_at(b"z", 0).unwrap();
    disk.fail_next(Op::Read, 1);
    assert!(file.read_at(&mut [0], 0).is_err());
    disk.fail_next(Op::Name, 1);
    assert!(disk.open(Path::new("/d/a"), &CREATE).is_err());
    disk.fail_next(Op::Sync, 9);
    disk.clear_faults();
    file.sync_all().unwrap();
}

#[test]
fn a_full_disk_refuses() {
    let (disk, file) = with_file();
    disk.set_capacity(3 * 4096);
    file.write_all_at(&[1; 2 * 4096], 0).unwrap();
    assert_eq!(disk.space(Path::new("/")).unwrap(), (4096, 3 * 4096));
    let error = file.write_all_at(&[1; 8192], 8192).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(file.allocate(4 * 4096).unwrap_err().kind(), ErrorKind::StorageFull);
    file.write_all_at(&[2; 2 * 4096], 0).unwrap();
    disk.remove_file(Path::new("/d/a")).unwrap();
    drop(file);
    disk.sync_dir(Path::new("/d")).unwrap();
    assert_eq!(disk.space(Path::new("/")).unwrap().0, 3 * 4096);
}

#[test]
fn a_flipped_bit_stays() {
    let (disk, file) = with_file();
    file.write_all_at(&[0; 5000], 0).unwrap();
    file.sync_all().unwrap();
    disk.flip_bit(Path::new("/d/a"), 4999, 3).unwrap();
    assert!(disk.flip_bit(Path::new("/d/a"), 5000, 0).is_err());
    assert_eq!(content(&disk, "/d/a").unwrap()[4999], 8);
    assert_eq!(content(&disk.after(&LossPlan::lose_all()), "/d/a").unwrap()[4999], 8);
}

#[test]
fn handles_and_locks_end_with_their_process() {
    let (disk, file) = with_file();
    let lock = disk.lock(Path::new("/d/.lock")).unwrap();
    let next = disk.next_process(&LossPlan::kill());
    assert!(file.write_all_at(b"x", 0).is_err());
    assert!(disk.read_dir(Path::new("/")).is_err());
    let _held = next.lock(Path::new("/d/.lock")).unwrap();
    drop(lock);
    assert!(next.lock(Path::new("/d/.lock")).is_err(), "the dead do not unlock for the living");
}

#[test]
fn power_goes_at_the_planned_effect() {
    let (disk, file) = with_file();
    disk.cut_power_at(1);
    file.write_all_at(b"x", 0).unwrap();
    assert!(!disk.lost_power());
    assert!(file.sync_data().is_err());
    assert!(disk.lost_power());
    assert!(file.read_at(&mut [0], 0).is_err());
}

#[test]
fn a_direct_handle_wants_aligned_buffers() {
    let (disk, _file) = with_file();
    let file = disk.open(Path::new("/d/a"), &OpenOptions { direct: true, ..CREATE }).unwrap();
    let buffer = crate::buffer::AlignedBuffer::zeroed(4096);
    file.write_all_at(&buffer, 4096).unwrap();
    for (bytes, position) in [(&buffer[..512], 0), (&buffer[..], 512)] {
        let error = file.write_all_at(bytes, position).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn truncated_bytes_do_not_come_back_after_a_sync() {
    let (disk, file) = with_file();
    file.write_all_at(&[9; 20_000], 0).unwrap();
    file.sync_data().unwrap();
    file.set_len(100).unwrap();
    file.set_len(20_000).unwrap();
    file.sync_data().unwrap();
    let left = content(&disk.after(&LossPlan::lose_all()), "/d/a").unwrap();
    assert_eq!(left[..100], [9; 100]);
    assert!(left[100..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_hundred_thousand_states_are_cheap() {
    let (disk, file) = with_file();
    let recording = disk.record();
    for step in 0..500_u64 {
        file.write_all_at(&[step as u8; 700], step * 700).unwrap();
        if step % 5 == 4 {
            file.sync_data().unwrap();
        }
    }
    let mut lens = 0;
    for prefix in 0..=recording.len() {
        for seed in 0..20 {
            let left = recording.state_at(prefix, &LossPlan::seeded(seed).in_flight());
            lens += left.metadata(Path::new("/d/a")).unwrap().len;
        }
    }
    assert!(lens > 0);
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize, u64, usize),
    SetLen(usize, u64),
    Sync(usize),
    Rename(usize, usize),
    Remove(usize),
    SyncDir,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_usize, 0..20_000_u64, 1..9_000_usize)
            .prop_map(|(f, at, len)| Step::Write(f, at, len)),
        (0..3_usize, 0..20_000_u64).prop_map(|(f, len)| Step::SetLen(f, len)),
        (0..3_usize).prop_map(Step::Sync),
        (0..3_usize, 0..3_usize).prop_map(|(from, to)| Step::Rename(from, to)),
        (0..3_usize).prop_map(Step::Remove),
        Just(Step::SyncDir),
    ]
}

const NAMES: [&str; 3] = ["/x", "/y", "/z"];

fn run(disk: &SimDisk, at: usize, step: &Step) {
    let open = |file: &usize| disk.open(Path::new(NAMES[*file]), &CREATE).unwrap();
    match step {
        Step::Write(file, position, len) => {
            open(file).write_all_at(&vec![at as u8 + 1; *len], *position).unwrap();
        }
        Step::SetLen(file, len) => open(file).set_len(*len).unwrap(),
        Step::Sync(file) => open(file).sync_data().unwrap(),
        Step::Rename(from, to) => {
            let _ = disk.rename(Path::new(NAMES[*from]), Path::new(NAMES[*to]));
        }
        Step::Remove(file) => {
            let _ = disk.remove_file(Path::new(NAMES[*file]));
        }
        Step::SyncDir => disk.sync_dir(Path::new("/")).unwrap(),
    }
}

fn everything(disk: &SimDisk) -> Vec<Option<Vec<u8>>> {
    NAMES.iter().map(|name| content(disk, name)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A recording replays to exactly what the live disk would have left, at every moment.
    #[test]
    fn recordings_equal_the_live_disk(steps in prop::collection::vec(step(), 1..60), seed: u64) {
        let disk = SimDisk::new(7);
        let recording = disk.record();
        let plans = [LossPlan::kill(), LossPlan::lose_all(), LossPlan::seeded(seed)];
        let mut expected = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            run(&disk, at, step);
            let left = plans.map(|plan| everything(&disk.after(&plan)));
            expected.push((recording.len(), left));
        }
        for (prefix, left) in expected.iter().rev() {
            for (plan, left) in plans.iter().zip(left) {
                prop_assert_eq!(&everything(&recording.state_at(*prefix, plan)), left);
            }
        }
    }

    /// After everything is synced, nothing can be lost.
    #[test]
    fn nothing_synced_is_lost(steps in prop::collection::vec(step(), 1..60), seed: u64) {
        let disk = SimDisk::new(7);
        for (at, step) in steps.iter().enumerate() {
            run(&disk, at, step);
        }
        for file in 0..3 {
            run(&disk, 0, &Step::Sync(file));
        }
        run(&disk, 0, &Step::SyncDir);
        let expected = everything(&disk);
        prop_assert_eq!(everything(&disk.after(&LossPlan::lose_all())), expected.clone());
        prop_assert_eq!(everything(&disk.after(&LossPlan::seeded(seed))), expected);
    }
}

#[test]
fn a_lost_folder_takes_nothing_else_with_it() {
    let (disk, file) = with_file();
    file.write_all_at(b"kept", 0).unwrap();
    file.sync_all().unwrap();
    disk.create_dir_all(Path::new("/e")).unwrap();
    disk.lose_folder(Path::new("/d"));
    assert_eq!(file.write_all_at(b"lost", 0).unwrap_err().raw_os_error(), Some(5));
    assert!(file.read_at(&mut [0; 4], 0).is_err());
    assert!(disk.read_dir(Path::new("/d")).is_err());
    assert!(disk.read_dir(Path::new("/e")).is_ok());
    disk.clear_faults();
    assert!(content(&disk, "/d/a").is_some());
}
