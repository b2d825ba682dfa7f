//! Goal: a replica that is moved to another directory is there once at every start, with everything that was
//! acknowledged, whatever the moment of a power cut and whatever the disk loses of what was not synced.
//!
//! Method: moves to and fro on a recording disk, with appends before, while the copy is made, and after; then
//! the disk as of every effect, with losses by many seeds, is opened.

use std::path::Path;
use std::sync::Arc;

use ottla_env::sim::{LossPlan, Recording, Sim, SimDisk, SimEnv};
use ottla_log::{
    AppendOptions, DataDirOptions, DataDirs, Origin, Partition, ReadOptions, TopicPartition,
};

use crate::basic::values;
use crate::world::{batch, config, id, small};

type Dirs = DataDirs<SimEnv>;
type Log = Arc<Partition<SimEnv>>;

fn options() -> Vec<DataDirOptions> {
    let of = |folder: &str| DataDirOptions {
        flush_bytes: 2 << 10,
        checkpoint_bytes: 5 << 10,
        cluster_id: Some("MkU3OEVBNTcwNTJENDM2Qg".to_owned()),
        ..small(Path::new(folder))
    };
    vec![of("/a"), of("/b")]
}

struct Script {
    recording: Recording,
    /// (effects when it was acknowledged, records that are there then)
    acknowledged: Vec<(usize, usize)>,
    appended: usize,
}

impl Script {
    async fn append(&mut self, dirs: &Dirs, log: &Log) {
        let value = [u8::try_from(self.appended).unwrap(); 300];
        let appended = log.append(batch(&[&value], 100), &AppendOptions::client(0, 0)).unwrap();
        self.appended += 1;
        let dir = dirs.iter().find(|dir| dir.directory_id() == log.directory_id()).unwrap();
        dir.wait_durable(appended.lsn).await.unwrap();
        self.acknowledged.push((self.recording.len(), self.appended));
    }
}

fn of() -> TopicPartition {
    id("t", 1, 0)
}

/// Copies so many batches, or all there are.
async fn copy(dirs: &Dirs, from: &Log, to: &Log, batches: usize) {
    let replica = AppendOptions { origin: Origin::Replica, ..AppendOptions::client(0, 0) };
    for _ in 0..batches {
        let (next, upper) = (to.offsets().log_end, from.offsets().log_end);
        if next == upper {
            break;
        }
        let read = ReadOptions { max_bytes: 1, min_one_batch: true, upper };
        let bytes = from.read_blocking(next, &read).unwrap().into_bytes();
        let appended = to.append(bytes, &replica).unwrap();
        let dir = dirs.iter().find(|dir| dir.directory_id() == to.directory_id()).unwrap();
        dir.wait_durable(appended.lsn).await.unwrap();
    }
}

/// Moves the partition to the directory where it is not; answers the log that is it now.
async fn relocate(script: &mut Script, dirs: &Dirs, log: &Log) -> Log {
    let other = dirs.iter().find(|dir| dir.directory_id() != log.directory_id()).unwrap();
    let target = dirs.begin_copy(log, other.directory_id()).unwrap();
    target.follow(0);
    copy(dirs, log, &target, 2).await;
    script.append(dirs, log).await;
    copy(dirs, log, &target, usize::MAX).await;
    let _before = log.stand_still();
    copy(dirs, log, &target, usize::MAX).await;
    let lsn = target.become_replica().unwrap();
    target.lead(0).unwrap();
    script.append(dirs, &target).await;
    other.wait_durable(lsn).await.unwrap();
    dirs.delete_replaced(log).unwrap();
    script.append(dirs, &target).await;
    target
}

fn script(seed: u64) -> Script {
    let sim = Sim::new(seed);
    let env = sim.node("n");
    let recording = sim.disk("n").record();
    let mut script = Script { recording, acknowledged: vec![(0, 0)], appended: 0 };
    sim.block_on(async {
        let dirs = DataDirs::open(&env, options(), false).unwrap();
        let mut log = dirs.create_partition(&of(), config()).unwrap();
        log.lead(0).unwrap();
        for _ in 0..5 {
            script.append(&dirs, &log).await;
        }
        for _ in 0..2 {
            log = relocate(&mut script, &dirs, &log).await;
            sim.sleep(std::time::Duration::from_millis(2500)).await;
        }
        // A copy that is given up, and one that a stop finds half made.
        let other = dirs.iter().find(|dir| dir.directory_id() != log.directory_id()).unwrap();
        let target = dirs.begin_copy(&log, other.directory_id()).unwrap();
        target.follow(0);
        copy(&dirs, &log, &target, 3).await;
        dirs.give_up_copies(&of()).unwrap();
        script.append(&dirs, &log).await;
        let target = dirs.begin_copy(&log, other.directory_id()).unwrap();
        target.follow(0);
        copy(&dirs, &log, &target, 4).await;
        dirs.close().await;
    });
    script
}

fn check(script: &Script, prefix: usize, disk: SimDisk) -> Result<(), String> {
    let least = script.acknowledged.iter().rfind(|(effects, _)| *effects <= prefix);
    let least = least.map_or(0, |(_, records)| *records);
    let sim = Sim::new(1);
    let env = sim.node_on("n", disk);
    let dirs = DataDirs::open(&env, options(), false).map_err(|error| error.to_string())?;
    let found: Vec<Log> = dirs.partitions();
    let [log] = &found[..] else {
        return if found.is_empty() && least == 0 {
            Ok(())
        } else {
            Err(format!("the partition is there {} times", found.len()))
        };
    };
    let values = values(log);
    let is_in_order = values.iter().enumerate().all(|(at, value)| usize::from(value[0]) == at);
    if values.len() < least || !is_in_order {
        return Err(format!("{} of {least} acknowledged records are there", values.len()));
    }
    let copies = dirs.copies();
    let is_elsewhere = copies.iter().all(|copy| copy.directory_id() != log.directory_id());
    if copies.len() > 1 || !is_elsewhere {
        return Err(format!("{} copies", copies.len()));
    }
    // It can be moved, and appended to, from here on.
    sim.block_on(async {
        log.lead(1).map_err(|error| error.to_string())?;
        let appended = log.append(batch(&[&[9]], 100), &AppendOptions::client(1, 0));
        appended.map(|_| ()).map_err(|error| error.to_string())
    })
}

#[test]
fn a_power_cut_at_any_moment_of_a_move_loses_nothing() {
    let script = script(21);
    let mut opened = 0;
    for prefix in 0..=script.recording.len() {
        let seeds = if std::env::var_os("CI").is_some() { 30 } else { 4 };
        let seeded =
            (0..seeds).map(|seed| LossPlan::seeded(seed * 1_000_003 + prefix as u64).in_flight());
        for plan in [LossPlan::lose_all(), LossPlan::kill()].into_iter().chain(seeded) {
            let disk = script.recording.state_at(prefix, &plan);
            if let Err(error) = check(&script, prefix, disk) {
                panic!("effect {prefix} of {}, {plan:?}: {error}", script.recording.len());
            }
            opened += 1;
        }
    }
    println!("{opened} states, {} effects", script.recording.len());
}
