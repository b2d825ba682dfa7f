//! Which files there are, and how long each is.

use std::path::{Path, PathBuf};

use ottla_env::sim::SimDisk;
use ottla_env::{Disk, FileKind};

use super::{WalFiles, allocate};
use crate::options::FlushMode;

const FILE: u64 = 1 << 20;
const SHORT: u64 = FILE / 16;
const PAGE: usize = 4096;

fn sizes(disk: &SimDisk) -> Vec<u64> {
    let mut found: Vec<_> = disk.read_dir(Path::new("/wal")).unwrap();
    found.retain(|entry| entry.kind == FileKind::File);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let path = |name: &String| PathBuf::from("/wal").join(name);
    found.iter().map(|entry| disk.metadata(&path(&entry.name)).unwrap().len).collect()
}

fn new(disk: &SimDisk) -> WalFiles<SimDisk> {
    disk.create_dir_all(Path::new("/wal")).unwrap();
    WalFiles::new(disk.clone(), Path::new("/wal"), FlushMode::None, FILE, 4)
}

/// The first write of a new directory waits for the zeroes of a short file alone; the long one made
/// meanwhile follows it, and the short one is not used again.
#[test]
fn the_first_file_is_a_short_one() {
    let disk = SimDisk::new(1);
    let mut files = new(&disk);
    assert_eq!(files.wants_spare(), None, "nobody writes yet");
    files.write(&[1; PAGE], 0).unwrap();
    assert_eq!((sizes(&disk), files.used_bytes()), (vec![SHORT], SHORT));
    let spare = files.wants_spare().expect("a long one is wanted at once");
    allocate(&disk, &spare, FILE).unwrap();
    files.add_spare(spare);
    assert_eq!(files.wants_spare(), None);
    for page in 1..=SHORT / PAGE as u64 {
        files.write(&[1; PAGE], page * 4000).unwrap();
    }
    assert_eq!((sizes(&disk), files.used_bytes()), (vec![SHORT, FILE], SHORT + FILE));
    files.recycle(SHORT / PAGE as u64 * 4000).unwrap();
    assert_eq!((sizes(&disk), files.used_bytes()), (vec![FILE], FILE));
}

/// A first group that is longer than a short file has room in it all the same.
#[test]
fn the_first_file_holds_the_first_group() {
    let disk = SimDisk::new(1);
    let mut files = new(&disk);
    let group = vec![1; SHORT as usize + PAGE];
    files.write(&group, 0).unwrap();
    assert_eq!(sizes(&disk), [SHORT + PAGE as u64]);
    // The next is a whole one, whether or not it was made ahead.
    files.write(&group, 70_000).unwrap();
    assert_eq!(sizes(&disk), [SHORT + PAGE as u64, FILE]);
}

/// Whole files of earlier sessions are used again, others are removed.
#[test]
fn a_short_file_of_an_earlier_session_is_removed() {
    let disk = SimDisk::new(1);
    new(&disk).write(&[1; PAGE], 0).unwrap();
    let leftover = PathBuf::from("/wal").join(super::file_name(0));
    let mut files = new(&disk);
    files.adopt(vec![leftover]).unwrap();
    assert_eq!(sizes(&disk), [0; 0]);
    let old = PathBuf::from("/wal").join(super::file_name(7));
    allocate(&disk, &old, FILE).unwrap();
    files.adopt(vec![old]).unwrap();
    files.write(&[1; PAGE], 9_000).unwrap();
    assert_eq!(sizes(&disk), [FILE]);
}
