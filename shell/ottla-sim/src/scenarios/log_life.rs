//! The log alone through all that can happen to it: repeated and refused batches, DeleteRecords,
//! retention, lookups by time, topics deleted and made again, orderly stops, power cuts, sick disks,
//! turned bits. Everything is held against a model after each start.

mod model;
mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_env::sim::{LossPlan, Op, Random, Sim, SimDisk, SimEnv};
use ottla_env::{Disk, Env, FileKind};
use ottla_judge::Violation;
use ottla_log::{DataDirOptions, FlushMode, LogConfig};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::node::BROKER;
use model::{Life, violation};

/// How often the machine stops in a run.
const STOPS: (u64, u64) = (2, 7);
/// Effects before one is cut short.
const EFFECTS_MAX: u64 = 300;
const UP_MS_MAX: u64 = 300;
/// Of a hundred lives: with a disk that fails; ended in order.
const FAULTY_PERCENT: u64 = 20;
const CLOSED_PERCENT: u64 = 20;
/// Of a hundred runs: a bit turns over in the end.
const FLIPPED_PERCENT: u64 = 40;
/// An orderly stop takes no longer.
const CLOSE_LIMIT: Duration = Duration::from_secs(60);

/// How a run went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Broken promises; none, if all is well.
    pub violations: Vec<Violation>,
    /// Records acknowledged, given to readers, and there at the end.
    pub acknowledged: usize,
    pub observed: usize,
    pub read_back: usize,
    pub cuts: u32,
    pub kills: u32,
    /// Virtual time.
    pub took_ms: u64,
    /// The run's fingerprint.
    pub trace_hash: u64,
}

/// What outlives the machine.
struct Job {
    options: DataDirOptions,
    config: LogConfig,
    /// By topic.
    lives: Vec<Mutex<Life>>,
    deleted: Mutex<Vec<ottla_protocol::Uuid>>,
    random: Mutex<Random>,
    wrong: Mutex<Vec<Violation>>,
    /// The disk returns errors.
    is_faulty: AtomicBool,
    /// A bit of a segment was turned over.
    is_flipped: AtomicBool,
}

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    let sim = Sim::new(seed);
    let mut random = Random::new(seed.rotate_left(32) ^ 0x6c69_6665);
    sim.node(BROKER);
    let topics = random.between(1, 3) as usize;
    let job = Arc::new(Job {
        options: options(&mut random),
        config: config(&mut random),
        lives: (0..topics).map(|_| Mutex::new(Life::new(work::new_id(&mut random)))).collect(),
        deleted: Mutex::default(),
        random: Mutex::new(Random::new(random.next_u64())),
        wrong: Mutex::default(),
        is_faulty: AtomicBool::new(false),
        is_flipped: AtomicBool::new(false),
    });
    let mut outcome = Outcome::default();
    if let Err(text) = sim.block_on(tell(&sim, &job, &mut random, &mut outcome)) {
        job.surprise(text);
    }
    for life in &job.lives {
        let life = life.lock();
        outcome.acknowledged += life.acknowledged.len();
        outcome.observed += life.observed.len();
    }
    outcome.violations = std::mem::take(&mut *job.wrong.lock());
    outcome.took_ms = sim.now().as_millis();
    outcome.trace_hash = sim.trace_hash();
    outcome
}

impl Job {
    fn surprise(&self, text: String) {
        self.wrong.lock().push(violation("surprises", text));
    }

    fn is_sick(&self) -> bool {
        self.is_faulty.load(Ordering::Relaxed) || self.is_flipped.load(Ordering::Relaxed)
    }
}

fn options(random: &mut Random) -> DataDirOptions {
    DataDirOptions {
        flush: FlushMode::Wal,
        wal_file_bytes: random.between(1 << 14, 1 << 16),
        wal_cap_bytes: 1 << 18,
        group_bytes: 1 << 12,
        buffer_bytes: random.between(1 << 13, 1 << 15) as usize,
        buffer_budget_bytes: 1 << 16,
        flush_bytes: random.between(1 << 12, 1 << 16),
        flush_age_ms: random.between(5, 200),
        checkpoint_bytes: random.between(1 << 13, 1 << 16),
        handles_max: random.between(8, 40) as usize,
        // Carried out by hand, so that what it did is seen.
        retention_check_ms: 1 << 40,
        ..DataDirOptions::new(Path::new("/data"))
    }
}

fn config(random: &mut Random) -> LogConfig {
    let retention_bytes = if random.chance(50) { random.between(1 << 13, 1 << 16) } else { 0 };
    LogConfig {
        segment_bytes: random.between(1 << 13, 1 << 15) as u32,
        index_interval_bytes: random.between(256, 4096) as u32,
        retention_ms: -1,
        retention_bytes: if retention_bytes > 0 { retention_bytes as i64 } else { -1 },
        ..LogConfig::default()
    }
}

async fn tell(
    sim: &Sim,
    job: &Arc<Job>,
    random: &mut Random,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let mut env = SimEnv::clone(&sim.node(BROKER));
    for _ in 0..random.between(STOPS.0, STOPS.1) {
        let is_faulty = random.chance(FAULTY_PERCENT);
        job.is_faulty.store(is_faulty, Ordering::Relaxed);
        if is_faulty {
            plan_faults(&sim.disk(BROKER), random);
        }
        stop_once(sim, job, random, outcome, &env).await?;
        sim.disk(BROKER).clear_faults();
        sim.disk(BROKER).set_capacity(u64::MAX);
        job.is_faulty.store(false, Ordering::Relaxed);
        let pause = random.below(50);
        sim.sleep(Duration::from_millis(pause)).await;
        env = sim.restart(BROKER);
    }
    if random.chance(FLIPPED_PERCENT) && flip(&env, sim, random) {
        job.is_flipped.store(true, Ordering::Relaxed);
    }
    let (sender, read) = oneshot::channel();
    env.spawn("reading", work::read_back(env.clone(), job.clone(), sender));
    outcome.read_back = read.await.map_err(|_| "reading back ended".to_owned())??;
    Ok(())
}

/// One life of the process, and its end.
async fn stop_once(
    sim: &Sim,
    job: &Arc<Job>,
    random: &mut Random,
    outcome: &mut Outcome,
    env: &SimEnv,
) -> Result<(), String> {
    let (refused, refusal) = oneshot::channel();
    let (close, closing) = watch::channel(false);
    let (closed, is_closed) = oneshot::channel();
    let live = work::live(env.clone(), job.clone(), refused, closing, closed);
    env.spawn("life", live);
    let up = Duration::from_millis(random.below(UP_MS_MAX));
    let in_order = random.chance(CLOSED_PERCENT);
    if !in_order && random.chance(70) {
        sim.cut_power_at_effect(BROKER, random.below(EFFECTS_MAX));
    }
    let mut refusal = std::pin::pin!(refusal);
    tokio::select! {
        biased;
        () = sim.until_down(BROKER) => {
            outcome.cuts += 1;
            return Ok(());
        }
        Ok(text) = &mut refusal => {
            if !job.is_sick() {
                return Err(text);
            }
        }
        () = sim.sleep(up) => {}
    }
    if in_order {
        close.send_replace(true);
        let ended = env.timeout(CLOSE_LIMIT, is_closed).await;
        if ended.is_err() && !job.is_sick() {
            return Err("the directory was not closed".to_owned());
        }
    }
    fail(sim, random, outcome);
    Ok(())
}

fn fail(sim: &Sim, random: &mut Random, outcome: &mut Outcome) {
    match random.below(4) {
        0 => {
            outcome.kills += 1;
            sim.kill(BROKER);
        }
        1 => {
            outcome.cuts += 1;
            sim.power_cut_with(BROKER, &LossPlan::lose_all());
        }
        _ => {
            outcome.cuts += 1;
            sim.power_cut(BROKER);
        }
    }
}

/// Errors, or no room, some calls from now. The log may stop; it may not lose.
fn plan_faults(disk: &SimDisk, random: &mut Random) {
    let ops = [Op::Write, Op::Write, Op::Sync, Op::Sync, Op::Name, Op::Read];
    if random.chance(80) {
        let op = ops[random.index(ops.len())];
        disk.fail_after(op, random.below(100), random.between(1, 3));
    } else {
        disk.set_capacity(random.between(1 << 16, 1 << 20));
    }
}

/// Turns over a bit of some segment; says whether there was one.
fn flip(env: &SimEnv, sim: &Sim, random: &mut Random) -> bool {
    let mut found: Vec<(PathBuf, u64)> = Vec::new();
    let root = Path::new("/data");
    for folder in env.disk().read_dir(root).unwrap_or_default() {
        let path = root.join(&folder.name);
        if folder.kind != FileKind::Dir || folder.name == "wal" {
            continue;
        }
        for file in env.disk().read_dir(&path).unwrap_or_default() {
            let path = path.join(&file.name);
            let length = env.disk().metadata(&path).map_or(0, |metadata| metadata.len);
            if file.name.ends_with(".log") && length > 0 {
                found.push((path, length));
            }
        }
    }
    if found.is_empty() {
        return false;
    }
    let (path, length) = &found[random.index(found.len())];
    sim.disk(BROKER).flip_bit(path, random.below(*length), random.below(8) as u8).is_ok()
}
