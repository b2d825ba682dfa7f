//! A directory on the real disk: append, read, stop in order or not, read again.

use std::path::PathBuf;

use ottla_env::os::OsEnv;
use ottla_log::{AppendOptions, DataDir, FlushMode, Partition, ReadOptions};
use ottla_protocol::records::{batches, records};

use crate::world::{batch, config, id, small};

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ottla-log-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

pub(crate) fn values<E: ottla_env::Env>(partition: &std::sync::Arc<Partition<E>>) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let offsets = partition.offsets();
    let mut from = offsets.log_start;
    while from < offsets.log_end {
        let options = ReadOptions { max_bytes: 3000, min_one_batch: true, upper: offsets.log_end };
        let slices = partition.read_blocking(from, &options).unwrap();
        if slices.bytes == 0 {
            // A truncation may leave a gap at the end.
            assert_eq!(slices.next_offset, from);
            break;
        }
        assert!(slices.next_offset > from, "a read below the end moves on");
        from = slices.next_offset;
        for one in batches(&slices.into_bytes()) {
            let (header, bytes) = one.unwrap();
            for record in records(&header, &bytes, 1 << 20).unwrap() {
                found.push(record.unwrap().value.unwrap().to_vec());
            }
        }
    }
    found
}

fn run(flush: FlushMode, orderly: bool, name: &str) {
    let path = folder(name);
    let scenario = {
        let path = path.clone();
        move |env: OsEnv| async move {
            let options = || ottla_log::DataDirOptions { flush, ..small(&path) };
            let mut expected = Vec::new();
            for round in 0..3 {
                let (dir, report) = DataDir::open(env.clone(), options()).unwrap();
                assert_eq!(report.partitions, usize::from(round > 0), "{report:?}");
                let partition = dir.create_partition(&id("orders", 1, 0), config()).unwrap();
                assert_eq!(values(&partition), expected, "round {round}, {report:?}");
                for number in 0..60u32 {
                    let value = [&number.to_be_bytes()[..], &[7; 300]].concat();
                    let append = AppendOptions::client(round, 1000 + i64::from(number));
                    let appended = loop {
                        match partition.append(batch(&[&value, &value], 1000), &append) {
                            Err(ottla_log::AppendError::Busy) => dir.room().await,
                            other => break other.unwrap(),
                        }
                    };
                    expected.extend([value.clone(), value]);
                    dir.wait_durable(appended.lsn).await.unwrap();
                    assert_eq!(partition.offsets().high_watermark, expected.len() as i64);
                }
                assert_eq!(values(&partition), expected);
                if orderly {
                    dir.close().await;
                    assert!(partition.segments_count() > 1);
                } else {
                    dir.abandon().await;
                }
            }
        }
    };
    ottla_env::os::run(Some(1), scenario).unwrap();
    std::fs::remove_dir_all(&path).unwrap();
}

#[test]
fn wal_orderly() {
    run(FlushMode::Wal, true, "wal-orderly");
}

#[test]
fn wal_killed() {
    run(FlushMode::Wal, false, "wal-killed");
}

#[test]
fn none_orderly() {
    run(FlushMode::None, true, "none-orderly");
}

#[test]
fn none_killed() {
    run(FlushMode::None, false, "none-killed");
}

/// Goal: an append that is told to wait always gets room in the end, however large it is.
#[test]
fn large_appends_get_room() {
    let sim = ottla_env::sim::Sim::new(4);
    let env = sim.node("n");
    sim.block_on(async move {
        let (dir, _) = DataDir::open(env, small(std::path::Path::new("/data"))).unwrap();
        let config = ottla_log::LogConfig { segment_bytes: 50_000, ..config() };
        let partition = dir.create_partition(&id("large", 1, 0), config).unwrap();
        let mut last = 0;
        for number in 0..200usize {
            let value = vec![7; [100, 23_000, 9000, 300][number % 4]];
            last = loop {
                let append = AppendOptions::client(0, 1000);
                match partition.append(batch(&[&value], 1000), &append) {
                    Err(ottla_log::AppendError::Busy) => dir.room().await,
                    other => break other.unwrap().lsn,
                }
            };
        }
        dir.wait_durable(last).await.unwrap();
        assert_eq!(values(&partition).len(), 200);
        dir.close().await;
        dir.room().await;
    });
}

/// Goal: a log's first flush, and the one that repeats it after a death, leave alone what others keep in its folder:
/// the quorum's votes lie beside the metadata log.
#[test]
fn a_first_flush_leaves_the_files_of_others_alone() {
    let path = folder("others");
    let kept = path.join("orders-0").join("quorum-state");
    let scenario = {
        let (path, kept) = (path.clone(), kept.clone());
        move |env: OsEnv| async move {
            for round in 0..3 {
                let (dir, _) = DataDir::open(env.clone(), small(&path)).unwrap();
                let partition = dir.create_partition(&id("orders", 1, 0), config()).unwrap();
                if round == 0 {
                    std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
                    std::fs::write(&kept, "votes").unwrap();
                }
                let records = batch(&[&[round; 2_000]], 1000);
                let lsn = partition.append(records, &AppendOptions::client(0, 1000)).unwrap().lsn;
                dir.wait_durable(lsn).await.unwrap();
                if round == 0 {
                    dir.abandon().await
                } else {
                    dir.close().await
                }
                assert_eq!(std::fs::read_to_string(&kept).unwrap(), "votes", "round {round}");
                assert!(kept.with_file_name("partition.metadata").exists() || round == 0);
            }
        }
    };
    ottla_env::os::run(Some(1), scenario).unwrap();
    let _ = std::fs::remove_dir_all(&path);
}

/// Goal: where the disk cannot keep up, large appends wait outside after a few groups, and small ones neither wait
/// for those nor find the last room taken.
#[test]
fn small_appends_go_before_large_ones_that_wait() {
    for flush in [FlushMode::Wal, FlushMode::None] {
        let sim = ottla_env::sim::Sim::new(5);
        let env = sim.node("n");
        sim.block_on(async move {
            // In flush=wal the groups that wait are the limit, in flush=none the buffers are.
            let (buffer_budget_bytes, wal_cap_bytes) = (256 << 10, 1 << 20);
            let path = std::path::Path::new("/data");
            let options = ottla_log::DataDirOptions {
                flush,
                buffer_budget_bytes,
                wal_cap_bytes,
                ..small(path)
            };
            let ahead = 16 * options.group_bytes as u64;
            let (dir, _) = DataDir::open(env, options).unwrap();
            let config = ottla_log::LogConfig { segment_bytes: 50_000, ..config() };
            let partition = dir.create_partition(&id("mixed", 1, 0), config).unwrap();
            dir.wait_durable(dir.staged()).await.unwrap();
            // Whether it was taken in.
            let append = |length: usize| {
                let records = batch(&[&vec![7; length]], 1000);
                match partition.append(records, &AppendOptions::client(0, 1000)) {
                    Err(ottla_log::AppendError::Busy) => false,
                    other => other.is_ok_and(|appended| !appended.duplicate) || panic!("refused"),
                }
            };
            // Nothing is awaited, so neither the disk nor the flusher gets anywhere in flush=wal.
            let mut appended = 0;
            while append(6000) {
                appended += 1;
            }
            assert!(appended > 1, "large appends are taken in while there is room");
            if flush == FlushMode::Wal {
                let waiting = dir.staged() - dir.durable();
                assert!((ahead..ahead + 6200).contains(&waiting), "{waiting} bytes wait");
            }
            for _ in 0..10 {
                assert!(append(300), "there is room for the small");
                appended += 1;
            }
            dir.room().await;
            while !append(6000) {
                dir.room().await;
            }
            assert_eq!(values(&partition).len(), appended + 1);
            dir.close().await;
        });
    }
}
