//! Goal: a flipped bit in any file is noticed, and never served; a disk that fails takes the
//! directory offline, and nothing acknowledged is lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_env::sim::{LossPlan, Op, Random, Sim, SimDisk, SimEnv};
use ottla_env::{Disk, FileKind};
use ottla_log::{
    AppendError, AppendOptions, DataDir, DataDirOptions, OpenError, Partition, ReadError,
    ReadOptions,
};
use ottla_protocol::records::{batches, records};

use crate::world::{batch, config, id, small};

type Seen = Vec<(i64, Vec<u8>)>;

/// Everything that can be read, or why it cannot.
fn read_all(partition: &Arc<Partition<SimEnv>>) -> Result<Seen, ReadError> {
    let mut seen = Vec::new();
    let offsets = partition.offsets();
    let mut from = offsets.log_start;
    while from < offsets.log_end {
        let options = ReadOptions { max_bytes: 900, min_one_batch: true, upper: offsets.log_end };
        let slices = partition.read_blocking(from, &options)?;
        if slices.bytes == 0 {
            break;
        }
        from = slices.next_offset;
        for one in batches(&slices.into_bytes()) {
            let (header, bytes) = one.unwrap();
            for record in records(&header, &bytes, 1 << 20).unwrap() {
                let record = record.unwrap();
                seen.push((record.offset, record.value.unwrap().to_vec()));
            }
        }
    }
    Ok(seen)
}

fn options() -> DataDirOptions {
    small(Path::new("/data"))
}

/// A directory of 30 appends; its disk, and what is in it.
fn filled(orderly: bool) -> (SimDisk, Seen) {
    let sim = Sim::new(5);
    let env = sim.node("n");
    let seen = sim.block_on(async move {
        let (dir, _) = DataDir::open(env, options()).unwrap();
        let partition = dir.create_partition(&id("t", 1, 0), config()).unwrap();
        for number in 0..30u8 {
            let records = batch(&[&[number; 400]], 1000 + i64::from(number));
            let appended = loop {
                match partition.append(records.clone(), &AppendOptions::client(0, 2000)) {
                    Err(AppendError::Busy) => dir.room().await,
                    other => break other.unwrap(),
                }
            };
            dir.wait_durable(appended.lsn).await.unwrap();
        }
        let seen = read_all(&partition).unwrap();
        if orderly {
            dir.close().await
        } else {
            dir.abandon().await
        }
        seen
    });
    (sim.disk("n"), seen)
}

fn open(disk: SimDisk) -> Result<(Sim, DataDir<SimEnv>), OpenError> {
    let sim = Sim::new(1);
    let env = sim.node_on("n", disk);
    let (dir, _) = DataDir::open(env, options())?;
    Ok((sim, dir))
}

fn files(disk: &SimDisk, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in disk.read_dir(folder).unwrap() {
        let path = folder.join(&entry.name);
        match entry.kind {
            FileKind::Dir => found.extend(files(disk, &path)),
            _ => found.push(path),
        }
    }
    found
}

#[test]
fn flipped_bits_are_never_served() {
    let (disk, expected) = filled(true);
    let mut random = Random::new(3);
    let mut noticed = 0;
    for path in files(&disk, Path::new("/data")) {
        let len = disk.metadata(&path).unwrap().len;
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if len == 0 || name.ends_with(".wal") {
            continue;
        }
        for _ in 0..60 {
            let (byte, bit) = (random.below(len), random.below(8) as u8);
            // A batch's leader epoch lies outside its checksum and says nothing that could be checked.
            let bytes = disk.read_file(&path, 1 << 20).unwrap();
            if name.ends_with(".log") && outside_checksum(&bytes, byte as usize) {
                continue;
            }
            let copy = disk.after(&LossPlan::kill());
            copy.flip_bit(&path, byte, bit).unwrap();
            let Ok((_sim, dir)) = open(copy) else {
                noticed += 1;
                continue;
            };
            let partition = dir.partitions().pop().unwrap();
            match read_all(&partition) {
                Ok(seen) => {
                    let harmless = !name.ends_with(".log") && !name.ends_with("checkpoint");
                    assert!(
                        harmless,
                        "{name}: byte {byte} bit {bit} was not noticed, {} records, log {}",
                        seen.len(),
                        bytes.len()
                    );
                    assert_eq!(seen, expected, "{name}: byte {byte} bit {bit}");
                }
                Err(error) => {
                    assert!(matches!(error, ReadError::Corrupt { .. }), "{name}: {error}");
                    noticed += 1;
                }
            }
        }
    }
    assert!(noticed > 200, "{noticed}");
}

/// Whether a byte of a `.log` file is one that no checksum covers.
fn outside_checksum(log: &[u8], at: usize) -> bool {
    let mut start = 0;
    loop {
        let length = i32::from_be_bytes(log[start + 8..start + 12].try_into().unwrap()) as usize;
        if at < start + 12 + length {
            let within = at - start;
            return (12..16).contains(&within);
        }
        start += 12 + length;
    }
}

#[test]
fn flipped_bits_in_the_write_ahead_log_lose_no_more_than_a_torn_last_group() {
    let (disk, expected) = filled(false);
    let mut random = Random::new(4);
    let mut refused = 0;
    for path in files(&disk, Path::new("/data/wal")) {
        let len = disk.metadata(&path).unwrap().len;
        for _ in 0..150 {
            let (byte, bit) = (random.below(len), random.below(8) as u8);
            let copy = disk.after(&LossPlan::kill());
            copy.flip_bit(&path, byte, bit).unwrap();
            match open(copy) {
                Err(OpenError::Corrupt { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
                Ok((_sim, dir)) => {
                    let partition = dir.partitions().pop().unwrap();
                    let seen = read_all(&partition).unwrap();
                    assert!(expected.starts_with(&seen), "{}: byte {byte}", path.display());
                    assert!(seen.len() + 1 >= expected.len(), "{}: byte {byte}", path.display());
                }
            }
        }
    }
    assert!(refused > 5, "{refused}");
}

/// Appends until the directory fails; says what was acknowledged and that nothing was after.
fn append_until_failure(
    sim: &Sim,
    dir: &DataDir<SimEnv>,
    partition: &Arc<Partition<SimEnv>>,
) -> usize {
    sim.block_on(async {
        let mut acknowledged = 0;
        for number in 0..400u32 {
            let records = batch(&[&[number as u8; 600]], 1);
            match partition.append(records, &AppendOptions::client(0, 1)) {
                Ok(appended) => match dir.wait_durable(appended.lsn).await {
                    Ok(()) => {
                        assert!(dir.failed().is_none() || dir.durable() >= appended.lsn);
                        acknowledged += 1;
                    }
                    Err(_) => break,
                },
                Err(AppendError::Busy) => dir.room().await,
                Err(AppendError::Failed(_)) => break,
                Err(error) => panic!("{error}"),
            }
        }
        if dir.failed().is_none() {
            return acknowledged;
        }
        let refused = partition.append(batch(&[b"late"], 1), &AppendOptions::client(0, 1));
        assert!(matches!(refused, Err(AppendError::Failed(_))), "{refused:?}");
        acknowledged
    })
}

fn fails(prepare: impl Fn(&SimDisk)) -> usize {
    let sim = Sim::new(8);
    let env = sim.node("n");
    let disk = sim.disk("n");
    let opened = sim.block_on(async move { DataDir::open(env, options()) });
    let (dir, _) = opened.unwrap();
    let partition = dir.create_partition(&id("t", 1, 0), config()).unwrap();
    prepare(&disk);
    let acknowledged = append_until_failure(&sim, &dir, &partition);
    let left = disk.after(&LossPlan::lose_all());
    left.clear_faults();
    left.set_capacity(1 << 40);
    let (_sim, dir) = open(left).unwrap();
    let Some(partition) = dir.partitions().pop() else {
        assert_eq!(acknowledged, 0, "not even the creation was durable");
        return 0;
    };
    let seen = read_all(&partition).unwrap();
    assert!(seen.len() >= acknowledged, "{} of {acknowledged}", seen.len());
    acknowledged
}

#[test]
fn a_failing_disk_takes_the_directory_offline() {
    for skip in 0..60 {
        for op in [Op::Write, Op::Sync, Op::Name] {
            fails(|disk| disk.fail_after(op, skip, 1));
        }
    }
}

#[test]
fn a_full_disk_takes_the_directory_offline() {
    for capacity in [100, 150, 200, 260] {
        let acknowledged = fails(|disk| disk.set_capacity(capacity << 10));
        assert!((1..400).contains(&acknowledged), "{acknowledged}");
    }
}
