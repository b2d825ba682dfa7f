//! The log alone, without a broker around it: the same failures at thousands of moments a second.
//!
//! Sizes are as small as they may be, so that every run rolls segments, recycles write-ahead files
//! and takes checkpoints.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::Env;
use ottla_env::sim::{LossPlan, Op, Random, Sim, SimDisk, SimEnv};
use ottla_log::{
    AppendError, AppendOptions, DataDir, DataDirOptions, FlushMode, LogConfig, Partition,
    ReadOptions, TopicPartition,
};
use ottla_protocol::records::{BatchBuilder, BatchOptions};
use ottla_protocol::{ErrorCode, Uuid};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Report, report};
use crate::history::{Acknowledged, Ending, PartitionEnd, SharedHistory, Written};
use crate::node::{BROKER, Flush};
use crate::workload::reader::unpack;

const TOPIC_ID: Uuid = Uuid(*b"the one topic!!!");
/// Failures in a run.
const FAILURES: (u64, u64) = (1, 6);
/// Effects before one is cut short.
const EFFECTS_MAX: u64 = 300;
const UP_MS_MAX: u64 = 200;
/// Lives in which the disk fails short of losing its power.
const FAULTY_PERCENT: u64 = 25;
/// Starts after a failure that may be cut short in turn.
const STARTS_MAX: u32 = 8;
/// Batches appended before the first is awaited.
const AHEAD_MAX: usize = 5;
const PADDING_MAX: usize = 1200;

struct Batch {
    records: Vec<Written>,
    bytes: Bytes,
}

/// A producer's memory, which outlives the machine it writes to.
struct Writer {
    random: Random,
    index: u32,
    next_sequence: i32,
    next_number: u64,
    pending: Vec<Batch>,
}

/// What the machine's task works with.
struct Job {
    options: DataDirOptions,
    config: LogConfig,
    writers: Vec<Arc<Mutex<Writer>>>,
    history: SharedHistory,
}

/// Runs one seed.
pub fn run(seed: u64, flush: Flush) -> Report {
    let sim = Sim::new(seed);
    let mut random = Random::new(seed.rotate_left(32) ^ 0x6c6f_6721);
    sim.node(BROKER);
    let history = SharedHistory::default();
    let writers = (0..random.between(1, 4) as u32).map(|index| {
        let random = Random::new(random.next_u64());
        let writer =
            Writer { random, index, next_sequence: 0, next_number: 0, pending: Vec::new() };
        Arc::new(Mutex::new(writer))
    });
    let writers: Vec<_> = writers.collect();
    let job = Arc::new(Job {
        options: options(flush, &mut random),
        config: config(&mut random),
        writers,
        history: history.clone(),
    });
    let ending = sim.block_on(tell(&sim, &job, &mut random)).unwrap_or_else(|text| {
        history.lock().surprises.push(text);
        Ending::default()
    });
    report(&sim, &history.lock(), &ending)
}

fn options(flush: Flush, random: &mut Random) -> DataDirOptions {
    DataDirOptions {
        flush: if flush == Flush::Wal { FlushMode::Wal } else { FlushMode::None },
        wal_file_bytes: random.between(1 << 14, 1 << 16),
        wal_cap_bytes: 1 << 18,
        group_bytes: 1 << 12,
        buffer_bytes: random.between(1 << 14, 1 << 16) as usize,
        buffer_budget_bytes: 1 << 18,
        flush_bytes: random.between(1 << 12, 1 << 16),
        flush_age_ms: random.between(5, 200),
        checkpoint_bytes: random.between(1 << 13, 1 << 16),
        handles_max: random.between(8, 40) as usize,
        ..DataDirOptions::new(Path::new("/data"))
    }
}

fn config(random: &mut Random) -> LogConfig {
    LogConfig {
        segment_bytes: random.between(1 << 13, 1 << 16) as u32,
        index_interval_bytes: random.between(256, 4096) as u32,
        retention_ms: -1,
        retention_bytes: -1,
        ..LogConfig::default()
    }
}

async fn tell(sim: &Sim, job: &Arc<Job>, random: &mut Random) -> Result<Ending, String> {
    let mut env = SimEnv::clone(&sim.node(BROKER));
    for _ in 0..random.between(FAILURES.0, FAILURES.1) {
        let is_faulty = random.chance(FAULTY_PERCENT);
        if is_faulty {
            plan_faults(&sim.disk(BROKER), random);
        }
        let (refused, refusal) = oneshot::channel();
        env.spawn("life", live(env.clone(), job.clone(), random.next_u64(), refused));
        let up = Duration::from_millis(random.below(UP_MS_MAX));
        if random.chance(70) {
            sim.cut_power_at_effect(BROKER, random.below(EFFECTS_MAX));
        }
        let mut refusal = std::pin::pin!(refusal);
        tokio::select! {
            biased;
            () = sim.until_down(BROKER) => job.history.lock().cuts += 1,
            Ok(text) = &mut refusal => {
                // A disk with faults may keep a directory from being opened.
                if !is_faulty {
                    return Err(text);
                }
                fail(sim, job, random);
            }
            () = sim.sleep(up) => fail(sim, job, random),
        }
        sim.disk(BROKER).clear_faults();
        sim.disk(BROKER).set_capacity(u64::MAX);
        let pause = random.below(50);
        sim.sleep(Duration::from_millis(pause)).await;
        env = sim.restart(BROKER);
    }
    for _ in 0..STARTS_MAX {
        if random.chance(30) {
            sim.cut_power_at_effect(BROKER, random.below(40));
        }
        let (sender, read) = oneshot::channel();
        env.spawn("reading", read_back(env.clone(), job.clone(), sender));
        tokio::select! {
            biased;
            () = sim.until_down(BROKER) => job.history.lock().cuts += 1,
            read = read => match read {
                Ok(answer) if sim.is_up(BROKER) => return answer,
                _ => sim.until_down(BROKER).await,
            },
        }
        env = sim.restart(BROKER);
    }
    let (sender, read) = oneshot::channel();
    env.spawn("reading", read_back(env.clone(), job.clone(), sender));
    read.await.unwrap_or_else(|_| Err("reading back ended".to_owned()))
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

fn fail(sim: &Sim, job: &Job, random: &mut Random) {
    let mut history = job.history.lock();
    match random.below(4) {
        0 => {
            history.kills += 1;
            sim.kill(BROKER);
        }
        1 => {
            history.cuts += 1;
            sim.power_cut_with(BROKER, &LossPlan::lose_all());
        }
        _ => {
            history.cuts += 1;
            sim.power_cut(BROKER);
        }
    }
}

/// One life of the process: open, write, be read; ends with the machine.
#[allow(clippy::manual_async_fn)] // The bound is what the concrete caller needs.
fn live<E: Env>(
    env: E,
    job: Arc<Job>,
    seed: u64,
    refused: oneshot::Sender<String>,
) -> impl Future<Output = ()> + Send {
    async move {
        let mut random = Random::new(seed);
        let opened = open(&env, &job);
        let (data_dir, partitions) = match opened {
            Ok(opened) => opened,
            Err(text) => {
                // The disk may have lost its power under it: then the machine is down by now.
                env.sleep(Duration::from_millis(1)).await;
                let _ = refused.send(text);
                return;
            }
        };
        for (index, partition) in partitions.iter().enumerate() {
            let write = write(
                env.clone(),
                data_dir.clone(),
                partition.clone(),
                job.clone(),
                job.writers[index].clone(),
            );
            env.spawn("writer", write);
        }
        loop {
            env.sleep(Duration::from_micros(random.below(20_000))).await;
            let index = random.index(partitions.len());
            observe(&partitions[index], index, &job, &mut random);
        }
    }
}

type Opened<E> = (DataDir<E>, Vec<Arc<Partition<E>>>);

fn open<E: Env>(env: &E, job: &Job) -> Result<Opened<E>, String> {
    let (data_dir, _) = DataDir::open(env.clone(), job.options.clone())
        .map_err(|error| format!("the directory does not open: {error}"))?;
    let mut partitions = Vec::new();
    for index in 0..job.writers.len() as i32 {
        let found = data_dir.partition(TOPIC_ID, index);
        let partition = match found {
            Some(partition) => {
                partition.set_config(job.config.clone());
                partition
            }
            None => {
                let name =
                    TopicPartition { topic: "orders".into(), topic_id: TOPIC_ID, partition: index };
                data_dir
                    .create_partition(&name, job.config.clone())
                    .map_err(|error| format!("partition {index} is not made: {error}"))?
            }
        };
        partitions.push(partition);
    }
    Ok((data_dir, partitions))
}

/// Appends batch after batch, a few ahead of what is durable.
async fn write<E: Env>(
    env: E,
    data_dir: DataDir<E>,
    partition: Arc<Partition<E>>,
    job: Arc<Job>,
    writer: Arc<Mutex<Writer>>,
) {
    let index = writer.lock().index as i32;
    loop {
        let ahead = {
            let mut writer = writer.lock();
            let count = 1 + writer.random.index(AHEAD_MAX);
            while writer.pending.len() < count {
                let batch = writer.next_batch(env.wall_ms());
                writer.pending.push(batch);
            }
            writer.pending.iter().map(|batch| batch.bytes.clone()).collect::<Vec<_>>()
        };
        let mut appended = Vec::new();
        for bytes in ahead {
            let options = AppendOptions::client(0, env.wall_ms());
            match partition.append(bytes, &options) {
                Ok(answer) => appended.push(answer),
                Err(AppendError::Busy) => break,
                Err(AppendError::Failed(_)) => return,
                Err(AppendError::Refused {
                    code: ErrorCode::OutOfOrderSequenceNumber,
                    message,
                    ..
                }) if job.options.flush == FlushMode::None => {
                    // What was lost is found by the checkers; this producer has no way on.
                    let _ = message;
                    return;
                }
                Err(error) => {
                    let text = format!("partition {index} refuses a batch: {error}");
                    job.history.lock().surprises.push(text);
                    return;
                }
            }
        }
        if appended.is_empty() {
            data_dir.room().await;
        }
        for answer in appended {
            if data_dir.wait_durable(answer.lsn).await.is_err() {
                return;
            }
            let records = writer.lock().pending.remove(0).records;
            let base_offset = Some(answer.base_offset);
            let acknowledged = Acknowledged { base_offset, records };
            job.history.lock().partition(index).acknowledged.push(acknowledged);
        }
        let pause = writer.lock().random.below(4_000);
        env.sleep(Duration::from_micros(pause)).await;
    }
}

/// Reads a little from somewhere below the high watermark.
fn observe<E: Env>(partition: &Arc<Partition<E>>, index: usize, job: &Job, random: &mut Random) {
    let offsets = partition.offsets();
    let span = offsets.high_watermark - offsets.log_start;
    let from = offsets.log_start + random.below(span.max(0).cast_unsigned()) as i64;
    let options =
        ReadOptions { max_bytes: 20_000, min_one_batch: true, upper: offsets.high_watermark };
    let read = partition.read_blocking(from, &options);
    let Ok(slices) = read else { return };
    let found = unpack(&slices.into_bytes(), from);
    let mut history = job.history.lock();
    match found {
        Ok(found) => {
            for (offset, record) in found {
                history.partition(index as i32).observe(offset, record);
            }
        }
        Err(text) => history.surprises.push(format!("partition {index} at {from}: {text}")),
    }
}

#[allow(clippy::manual_async_fn)] // As above.
fn read_back<E: Env>(
    env: E,
    job: Arc<Job>,
    sender: oneshot::Sender<Result<Ending, String>>,
) -> impl Future<Output = ()> + Send {
    async move {
        let answer = open(&env, &job).and_then(|(_data_dir, partitions)| {
            let mut ends = BTreeMap::new();
            for (index, partition) in partitions.iter().enumerate() {
                let end =
                    read_all(partition).map_err(|text| format!("partition {index}: {text}"))?;
                ends.insert(index as i32, end);
            }
            Ok(Ending { partitions: ends })
        });
        // See `live`: a dying disk's answers do not count.
        env.sleep(Duration::from_millis(1)).await;
        let _ = sender.send(answer);
    }
}

fn read_all<E: Env>(partition: &Arc<Partition<E>>) -> Result<PartitionEnd, String> {
    let offsets = partition.offsets();
    let mut end = PartitionEnd {
        log_start: offsets.log_start,
        high_watermark: offsets.high_watermark,
        ..PartitionEnd::default()
    };
    let mut from = offsets.log_start;
    while from < offsets.high_watermark {
        let upper = offsets.high_watermark;
        let options = ReadOptions { max_bytes: 50_000, min_one_batch: true, upper };
        let slices = partition
            .read_blocking(from, &options)
            .map_err(|error| format!("reading at {from} of {offsets:?}: {error}"))?;
        let found = unpack(&slices.into_bytes(), from)?;
        let Some((last, _)) = found.last() else {
            return Err(format!("nothing at {from} of {offsets:?}"));
        };
        from = last + 1;
        end.records.extend(found);
    }
    Ok(end)
}

impl Writer {
    fn next_batch(&mut self, now_ms: i64) -> Batch {
        let count = self.random.between(1, 6);
        let mut builder = BatchBuilder::new(BatchOptions {
            producer_id: 100 + i64::from(self.index),
            producer_epoch: 0,
            base_sequence: self.next_sequence,
            ..BatchOptions::default()
        });
        let mut records = Vec::new();
        for _ in 0..count {
            let record = Written { producer: self.index, number: self.next_number };
            self.next_number += 1;
            let padding = "x".repeat(self.random.index(PADDING_MAX));
            builder.push(now_ms, None, Some(format!("{record} {padding}").as_bytes()), &[]);
            records.push(record);
        }
        self.next_sequence += count as i32;
        Batch { records, bytes: builder.build() }
    }
}
