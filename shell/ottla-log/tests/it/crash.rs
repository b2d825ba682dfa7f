//! Goal: whatever the moment and whatever the disk loses of what was not synced, a start finds the
//! state after some prefix of the operations that holds every acknowledged one.
//!
//! Method: one scenario on a recording disk; after each operation a fingerprint of the live state.
//! Then the disk as of every effect, with losses by many seeds, is opened and its fingerprint looked
//! up among those that the operations allow. Recovery is itself cut off and repeated.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_env::Disk;
use ottla_env::sim::{LossPlan, Random, Recording, Sim, SimDisk, SimEnv};
use ottla_log::{
    AppendError, AppendOptions, DataDir, DataDirOptions, FlushMode, Partition, TopicPartition,
};
use ottla_protocol::records::{BatchBuilder, BatchOptions, batches, control};

use crate::basic::values;
use crate::world::{batch, config, id, small};

type Dir = DataDir<SimEnv>;

/// What a reader, a producer and a replica can see of a directory.
pub(crate) fn fingerprint(dir: &Dir) -> u64 {
    let mut seen = BTreeMap::new();
    for partition in dir.partitions() {
        let offsets = partition.offsets();
        let mut hasher = DefaultHasher::new();
        (offsets.log_start, offsets.log_end, values(&partition)).hash(&mut hasher);
        format!("{:?}", partition.producers()).hash(&mut hasher);
        format!("{:?}", partition.aborted_transactions(0, i64::MAX)).hash(&mut hasher);
        let epochs: Vec<_> = (0..6).map(|epoch| partition.end_offset_for_epoch(epoch)).collect();
        (partition.leader_epoch(), epochs).hash(&mut hasher);
        seen.insert(partition.id().clone(), hasher.finish());
    }
    let mut hasher = DefaultHasher::new();
    seen.hash(&mut hasher);
    hasher.finish()
}

/// One operation of the scenario.
struct Step {
    name: String,
    /// Effects before it was begun: an earlier crash cannot know of it.
    begun: usize,
    /// Effects when it was acknowledged: a later crash must know of it.
    acknowledged: usize,
    /// The live state after it.
    fingerprint: u64,
}

struct Script {
    recording: Recording,
    steps: Vec<Step>,
    options: DataDirOptions,
}

struct Scenario {
    sim: Sim,
    dir: Option<Dir>,
    env: SimEnv,
    script: Script,
}

impl Scenario {
    fn new(seed: u64, flush: FlushMode) -> Scenario {
        let sim = Sim::new(seed);
        let env = sim.node("n");
        let recording = sim.disk("n").record();
        let (flush_bytes, checkpoint_bytes) = (2 << 10, 5 << 10);
        let path = Path::new("/data");
        let options = DataDirOptions { flush, flush_bytes, checkpoint_bytes, ..small(path) };
        let script = Script { recording, steps: Vec::new(), options };
        let mut scenario = Scenario { sim, dir: None, env, script };
        scenario.open();
        let fingerprint = fingerprint(scenario.dir());
        let empty = Step { name: "empty".into(), begun: 0, acknowledged: 0, fingerprint };
        scenario.script.steps.push(empty);
        scenario
    }

    fn open(&mut self) {
        let (env, options) = (self.env.clone(), self.script.options.clone());
        let (dir, _) = self.sim.block_on(async move { DataDir::open(env, options) }).unwrap();
        self.dir = Some(dir);
    }

    fn dir(&self) -> &Dir {
        self.dir.as_ref().unwrap()
    }

    fn partition(&self, id: &TopicPartition) -> Arc<Partition<SimEnv>> {
        self.dir().partition(id.topic_id, id.partition).unwrap()
    }

    /// Runs one operation, which returns the position to wait for.
    fn step(&mut self, name: impl Into<String>, operation: impl FnOnce(&Dir) -> u64) {
        let begun = self.script.recording.len();
        let dir = self.dir().clone();
        let lsn = operation(&dir);
        let fingerprint = fingerprint(&dir);
        self.sim.block_on(async move { dir.wait_durable(lsn).await }).unwrap();
        let acknowledged = self.script.recording.len();
        let name = name.into();
        self.script.steps.push(Step { name, begun, acknowledged, fingerprint });
    }

    fn create(&mut self, id: &TopicPartition) {
        self.step(format!("create {id}"), |dir| {
            dir.create_partition(id, config()).unwrap();
            dir.staged()
        });
    }

    fn append(&mut self, id: &TopicPartition, epoch: i32, records: bytes::Bytes) {
        let partition = self.partition(id);
        let dir = self.dir().clone();
        let options = AppendOptions::client(epoch, 1_000_000);
        let begun = self.script.recording.len();
        let appended = self.sim.block_on(async {
            loop {
                match partition.append(records.clone(), &options) {
                    Err(AppendError::Busy) => dir.room().await,
                    other => return other.unwrap(),
                }
            }
        });
        let name = format!("append {id} {}..={}", appended.base_offset, appended.last_offset);
        self.step(name, |_| appended.lsn);
        self.script.steps.last_mut().unwrap().begun = begun;
    }

    fn pass(&self, ms: u64) {
        self.sim.advance(std::time::Duration::from_millis(ms));
    }

    fn stop(&mut self, orderly: bool) {
        let dir = self.dir.take().unwrap();
        self.sim.block_on(async { if orderly { dir.close().await } else { dir.abandon().await } });
    }
}

fn producer(producer_id: i64) -> BatchOptions {
    BatchOptions { producer_id, producer_epoch: 3, ..BatchOptions::default() }
}

fn producer_batch(producer_id: i64, sequence: i32, transactional: bool) -> bytes::Bytes {
    let options = BatchOptions { base_sequence: sequence, transactional, ..producer(producer_id) };
    let mut builder = BatchBuilder::new(options);
    builder.push(5, None, Some(&[sequence as u8; 40]), &[]);
    builder.build()
}

/// Appends to several partitions, rolls, flushes, checkpoints, recycled files, DeleteRecords, topic
/// deletion and re-creation, truncation, transactions, orderly and other stops.
fn script(seed: u64, flush: FlushMode) -> Script {
    let mut at = Scenario::new(seed, flush);
    let (a, b, c) = (id("alpha", 1, 0), id("beta", 1, 3), id("alpha", 2, 0));
    at.create(&a);
    at.create(&b);
    for number in 0..14u8 {
        at.append(&a, 0, batch(&[&[number; 700], &[number; 30]], 100 + i64::from(number)));
        if number % 3 == 0 {
            at.append(&b, 1, batch(&[&[number; 90]], 200));
        }
        if number % 5 == 4 {
            at.pass(1500);
        }
    }
    at.append(&b, 1, producer_batch(7, 0, true));
    at.append(&b, 1, producer_batch(9, 0, false));
    let marker = control::end_transaction(producer(7), 0, false, 4).unwrap();
    let coordinator = AppendOptions::coordinator(1, 1_000_000);
    let abort = |dir: &Dir| {
        let partition = dir.partition(id("beta", 1, 3).topic_id, 3).unwrap();
        partition.append(marker.clone(), &coordinator).unwrap().lsn
    };
    at.step("abort", abort);
    let partition = at.partition(&a);
    at.step("delete records", |_| partition.delete_records_before(9).unwrap().lsn);
    at.pass(1500);
    at.step("truncate", |_| partition.truncate_to(21).unwrap());
    at.append(&a, 2, batch(&[&[77; 500]], 300));
    at.pass(2500);
    at.append(&a, 2, batch(&[&[78; 500]], 300));
    let partition = at.partition(&b);
    at.step("truncate in memory", |_| partition.truncate_to(6).unwrap());
    at.append(&b, 2, producer_batch(9, 1, false));
    drop(partition);
    at.stop(false);
    at.open();
    at.append(&a, 3, batch(&[&[79; 200]], 300));
    at.step("delete topic", |dir| dir.delete_partition(a.topic_id, 0).unwrap().unwrap());
    at.create(&c);
    at.append(&c, 0, batch(&[&[80; 200], &[81; 10]], 300));
    at.pass(2500);
    at.append(&c, 0, batch(&[&[82; 200]], 300));
    at.stop(true);
    at.open();
    let partition = at.partition(&b);
    at.step("restart", |_| partition.restart_at(1000).unwrap());
    drop(partition);
    for number in 0..6u8 {
        at.append(&b, 3, batch(&[&[number; 1500]], 400));
        at.append(&c, 1, batch(&[&[number; 900]], 400));
    }
    at.pass(3000);
    at.append(&c, 1, batch(&[&[83; 900]], 400));
    // Flushed, and cut to nothing before any checkpoint knows of it.
    let d = id("delta", 1, 0);
    at.create(&d);
    at.append(&d, 0, batch(&[&[84; 600]], 400));
    at.pass(1500);
    let partition = at.partition(&d);
    at.step("truncate to nothing", |_| partition.truncate_to(0).unwrap());
    drop(partition);
    at.stop(false);
    at.open();
    at.stop(false);
    at.script
}

fn open(disk: SimDisk, options: &DataDirOptions) -> Result<(Sim, Dir), String> {
    let sim = Sim::new(1);
    let env = sim.node_on("n", disk);
    let (dir, _) = DataDir::open(env, options.clone()).map_err(|error| error.to_string())?;
    Ok((sim, dir))
}

/// The segments on the disk are the log, batch for batch, for whoever knows nothing of a checkpoint, as
/// Apache Kafka that is started on the directory: no file of a log that was cut off is left.
fn check_files(dir: &Dir, disk: &SimDisk) -> Result<(), String> {
    for partition in dir.partitions() {
        let folder = Path::new("/data").join(partition.id().to_string());
        let Ok(entries) = disk.read_dir(&folder) else { continue };
        let mut logs: Vec<_> = entries.into_iter().map(|entry| entry.name).collect();
        logs.retain(|name| name.ends_with(".log"));
        logs.sort();
        let mut next = 0;
        for name in &logs {
            let wrong = |what: String| format!("{}/{name}: {what}", folder.display());
            let bytes = disk.read_file(&folder.join(name), 1 << 20).expect("it is listed");
            for batch in batches(&bytes::Bytes::from(bytes)) {
                let (header, _) = batch.map_err(|error| wrong(error.to_string()))?;
                if header.base_offset < next {
                    return Err(wrong(format!("{} comes after {next}", header.base_offset)));
                }
                next = header.next_offset();
            }
        }
        let end = partition.offsets().log_end;
        if next > end {
            let name = folder.display();
            return Err(format!("{name}: files {logs:?} to {next}, the log to {end}"));
        }
    }
    Ok(())
}

/// Opens the disk of one crash; says which step's state was found.
fn check(script: &Script, prefix: usize, plan: &LossPlan, seed: u64) -> Result<usize, String> {
    let least = script.steps.iter().rposition(|step| step.acknowledged <= prefix).unwrap_or(0);
    let most = script.steps.iter().rposition(|step| step.begun <= prefix).unwrap_or(0);
    let disk = script.recording.state_at(prefix, plan);
    // Recovery is cut off too, and what it leaves is recovered again.
    let again = disk.record();
    let files = disk.clone();
    let (_sim, dir) = open(disk, &script.options)?;
    check_files(&dir, &files)?;
    let found = fingerprint(&dir);
    let matching = (least..=most).find(|step| script.steps[*step].fingerprint == found);
    let Some(step) = matching else {
        let names: Vec<&str> =
            script.steps[least..=most].iter().map(|step| step.name.as_str()).collect();
        let early = script.steps.iter().position(|step| step.fingerprint == found);
        let early = early.map(|step| script.steps[step].name.as_str());
        let partitions: Vec<_> =
            dir.partitions().iter().map(|p| (p.id().to_string(), p.offsets())).collect();
        return Err(format!("none of {names:?}, but {early:?}: {partitions:?}"));
    };
    for partition in dir.partitions() {
        let offsets = partition.offsets();
        if offsets.high_watermark != offsets.log_end {
            return Err(format!("{}: {offsets:?}", partition.id()));
        }
    }
    let mut random = Random::new(seed);
    let second = random.index(again.len() + 1);
    let plan = match script.options.flush {
        FlushMode::Wal => LossPlan::seeded(random.next_u64()).in_flight(),
        FlushMode::None => LossPlan::kill(),
    };
    let (_sim, dir) = open(again.state_at(second, &plan), &script.options)
        .map_err(|error| format!("after recovery's effect {second}: {error}"))?;
    if fingerprint(&dir) == found {
        return Ok(step);
    }
    Err(format!("recovery cut off at its effect {second} gave another state"))
}

/// Crashes after every effect, with `seeds` random losses each; returns how many states were opened.
fn sweep(script: &Script, plans: impl Fn(u64) -> LossPlan + Sync, seeds: u64) -> usize {
    let opened = AtomicUsize::new(0);
    let effects = script.recording.len();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let prefix = next.fetch_add(1, Ordering::Relaxed);
                    if prefix > effects {
                        return;
                    }
                    for seed in 0..seeds {
                        let seed = seed * 1_000_003 + prefix as u64;
                        let plan = plans(seed);
                        if let Err(error) = check(script, prefix, &plan, seed) {
                            let effect = script.recording.effect(prefix);
                            let effect: String = effect.chars().take(150).collect();
                            panic!("effect {prefix} of {effects} ({effect}), {plan:?}: {error}");
                        }
                        opened.fetch_add(2, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    opened.into_inner()
}

#[test]
fn power_cut_anywhere_keeps_what_was_acknowledged() {
    let script = script(11, FlushMode::Wal);
    let started = std::time::Instant::now();
    let mut opened = sweep(&script, |_| LossPlan::lose_all(), 1);
    opened += sweep(&script, |_| LossPlan::kill(), 1);
    opened += sweep(&script, |seed| LossPlan::seeded(seed).in_flight(), seeds());
    let (effects, steps) = (script.recording.len(), script.steps.len());
    println!("{opened} states, {effects} effects, {steps} steps, {:?}", started.elapsed());
}

/// How many random losses are tried after each effect: with 200, as on the build server, more than
/// 100,000 states are opened.
fn seeds() -> u64 {
    let few = if std::env::var_os("CI").is_some() { 200 } else { 20 };
    std::env::var("OTTLA_CRASH_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

#[test]
fn killed_process_keeps_what_was_acknowledged_without_flush() {
    let script = script(12, FlushMode::None);
    sweep(&script, |_| LossPlan::kill(), 1);
}

/// The control: without flush, a power cut does lose acknowledged records; else this simulator
/// would prove nothing.
#[test]
fn power_cut_without_flush_loses() {
    let script = script(13, FlushMode::None);
    let effects = script.recording.len();
    let lost = (0..=effects).filter(|prefix| {
        let least = script.steps.iter().rposition(|step| step.acknowledged <= *prefix).unwrap_or(0);
        let disk = script.recording.state_at(*prefix, &LossPlan::lose_all());
        let Ok((_sim, dir)) = open(disk, &script.options) else { return false };
        let found = fingerprint(&dir);
        !script.steps[least..].iter().any(|step| step.fingerprint == found)
    });
    assert!(lost.count() > 0);
}
