//! Several directories: where partitions go, what of them a failure takes, what is waited for.

use std::path::Path;

use ottla_env::sim::{Sim, SimEnv};
use ottla_protocol::{Str, Uuid};

use super::{DataDirs, Mark};
use crate::config::LogConfig;
use crate::fault::OpenError;
use crate::options::{DataDirOptions, TopicPartition};

fn options(folder: &str) -> DataDirOptions {
    DataDirOptions {
        wal_file_bytes: 1 << 16,
        wal_cap_bytes: 1 << 20,
        cluster_id: Some("MkU3OEVBNTcwNTJENDM2Qg".to_owned()),
        ..DataDirOptions::new(folder)
    }
}

fn open(env: &SimEnv, folders: &[&str], is_first_apart: bool) -> DataDirs<SimEnv> {
    let options = folders.iter().map(|folder| options(folder)).collect();
    DataDirs::open(env, options, is_first_apart).unwrap()
}

fn partition(index: i32) -> TopicPartition {
    TopicPartition { topic: Str::from("t"), topic_id: Uuid([7; 16]), partition: index }
}

fn place(dirs: &DataDirs<SimEnv>, index: i32) -> u8 {
    dirs.create_partition(&partition(index), LogConfig::default()).unwrap().place()
}

#[test]
fn a_mark_keeps_the_furthest_of_each_directory() {
    let mut mark = Mark::default();
    for (place, lsn) in [(0, 5), (2, 9), (0, 3), (1, 1), (2, 11)] {
        mark.raise(place, lsn);
    }
    let positions: Vec<(usize, u64)> = mark.positions().collect();
    assert_eq!(positions, [(0, 5), (2, 11), (1, 1)]);
}

/// Goal: partitions are spread, and stay where they are over a restart, in whatever order the
/// directories are named then.
#[test]
fn partitions_are_spread_and_stay() {
    let sim = Sim::new(1);
    let env = sim.node("n");
    sim.block_on(async {
        let dirs = open(&env, &["/a", "/b", "/c"], false);
        let places: Vec<u8> = (0..6).map(|index| place(&dirs, index)).collect();
        for wanted in 0..3 {
            assert_eq!(places.iter().filter(|place| **place == wanted).count(), 2, "{places:?}");
        }
        let ids = |dirs: &DataDirs<SimEnv>| -> Vec<Uuid> {
            let all = (0..6).map(|index| dirs.partition(Uuid([7; 16]), index).unwrap());
            all.map(|partition| partition.directory_id()).collect()
        };
        let before = ids(&dirs);
        assert_eq!(dirs.online().len(), 3);
        dirs.close().await;
        let again = open(&env, &["/a", "/c", "/b"], false);
        assert_eq!(ids(&again), before);
        again.close().await;
    });
}

#[test]
fn a_first_directory_that_is_apart_takes_no_partitions() {
    let sim = Sim::new(2);
    let env = sim.node("n");
    sim.block_on(async {
        let dirs = open(&env, &["/meta", "/b"], true);
        assert!((0..3).all(|index| place(&dirs, index) == 1));
        assert_eq!(dirs.online(), [dirs.iter().nth(1).unwrap().directory_id()]);
        dirs.close().await;
    });
}

/// Goal: a directory of another node is refused, and so is a partition that is in two of them.
#[test]
fn what_contradicts_itself_is_refused() {
    let sim = Sim::new(3);
    let env = sim.node("n");
    sim.block_on(async {
        for folder in ["/a", "/b"] {
            let dirs = open(&env, &[folder], false);
            assert_eq!(place(&dirs, 0), 0);
            dirs.close().await;
        }
        let both = || vec![options("/a"), options("/b")];
        let twin = DataDirs::open(&env, both(), false).err().expect("t-0 is there twice");
        assert!(matches!(twin, OpenError::Twin { .. }), "{twin}");
        assert!(twin.to_string().contains("/a"), "{twin}");
        let mut foreign = both();
        foreign.truncate(1);
        foreign.push(DataDirOptions { node_id: 9, ..options("/other") });
        let opened = DataDirs::open(&env, foreign, false).unwrap();
        opened.close().await;
        let mut foreign = both();
        foreign[1].path = Path::new("/other").to_path_buf();
        let error = DataDirs::open(&env, foreign, false).err().expect("it is node 9's");
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    });
}
