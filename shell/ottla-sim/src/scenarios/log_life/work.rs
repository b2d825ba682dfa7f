//! What the machine does while it is up: opens the directory, works on its topics, reads.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::Env;
use ottla_env::sim::Random;
use ottla_log::{
    AppendError, AppendOptions, DataDir, Origin, Partition, ReadError, ReadOptions, TopicPartition,
};
use ottla_protocol::records::{
    BATCH_HEADER_SIZE, BatchBuilder, BatchOptions, batches, records, set_base_offset, verify_crc,
};
use ottla_protocol::{ErrorCode, Uuid};
use tokio::sync::{oneshot, watch};

use super::Job;
use super::model::{Found, Life, Record, violation};

/// Batches appended before the first is awaited.
const AHEAD_MAX: usize = 5;
/// Long enough for a machine whose disk is dying to be down.
const DYING: Duration = Duration::from_millis(1);
/// What a batch unpacks to at most.
const UNPACKED_MAX: usize = 1 << 20;

/// The operation was not carried out: the log or the machine is at its end.
struct Over;

type Topic<E> = (usize, Arc<Partition<E>>);

pub(super) fn new_id(random: &mut Random) -> Uuid {
    let mut id = [0; 16];
    random.fill(&mut id);
    Uuid(id)
}

/// One life of the process: ends with the machine, or in order.
#[allow(clippy::manual_async_fn)] // The bound is what the concrete caller needs.
pub(super) fn live<E: Env>(
    env: E,
    job: Arc<Job>,
    refused: oneshot::Sender<String>,
    mut closing: watch::Receiver<bool>,
    closed: oneshot::Sender<()>,
) -> impl Future<Output = ()> + Send {
    async move {
        let opened = open(&env, &job);
        let opened = match opened {
            Ok(data_dir) => begin(&env, &job, &data_dir).await.map(|topics| (data_dir, topics)),
            Err(text) => Err(text),
        };
        let (data_dir, topics) = match opened {
            Ok(opened) => opened,
            Err(text) => {
                // The disk may have lost its power under it: then the machine is down by now.
                env.sleep(DYING).await;
                let _ = refused.send(text);
                return;
            }
        };
        for topic in topics {
            let worker = Worker { env: env.clone(), data_dir: data_dir.clone(), job: job.clone() };
            env.spawn("worker", async move {
                let _over = worker.run(topic).await;
            });
        }
        let _ = closing.wait_for(|closing| *closing).await;
        data_dir.close().await;
        let _ = closed.send(());
    }
}

/// Opens and reads everything back; answers how many records there are.
#[allow(clippy::manual_async_fn)] // As above.
pub(super) fn read_back<E: Env>(
    env: E,
    job: Arc<Job>,
    sender: oneshot::Sender<Result<usize, String>>,
) -> impl Future<Output = ()> + Send {
    async move {
        let answer = open(&env, &job).and_then(|data_dir| inspect(&job, &data_dir));
        let _ = sender.send(answer);
    }
}

fn open<E: Env>(env: &E, job: &Job) -> Result<DataDir<E>, String> {
    let opened = DataDir::open(env.clone(), job.options.clone());
    Ok(opened.map_err(|error| format!("the directory does not open: {error}"))?.0)
}

/// Holds every log against its model.
fn inspect<E: Env>(job: &Job, data_dir: &DataDir<E>) -> Result<usize, String> {
    let mut count = 0;
    for id in &*job.deleted.lock() {
        if data_dir.partition(*id, 0).is_some() {
            let text = "a topic whose deletion was acknowledged is back".to_owned();
            job.wrong.lock().push(violation("deleted", text));
        }
    }
    for life in &job.lives {
        let life = life.lock();
        match data_dir.partition(life.id, 0) {
            Some(partition) => match read_all(&partition) {
                Ok(found) => {
                    count += found.records.len();
                    job.wrong.lock().extend(life.judge(&found));
                }
                Err(ReadFault::Refused(_)) if job.is_sick() => {}
                Err(fault) => return Err(fault.text()),
            },
            None if life.created && !life.delete_tried => {
                return Err("a topic whose creation was acknowledged is gone".to_owned());
            }
            None => {}
        }
    }
    Ok(count)
}

/// The topics as they were left: judged, and made where they are not there.
async fn begin<E: Env>(
    env: &E,
    job: &Arc<Job>,
    data_dir: &DataDir<E>,
) -> Result<Vec<Topic<E>>, String> {
    // What contradicts the model on a dying disk does not count.
    let so_far = job.wrong.lock().len();
    let inspected = inspect(job, data_dir);
    let new = job.wrong.lock().split_off(so_far);
    env.sleep(DYING).await;
    job.wrong.lock().extend(new);
    inspected?;
    let mut topics = Vec::new();
    for index in 0..job.lives.len() {
        let id = job.lives[index].lock().id;
        let is_there = data_dir.partition(id, 0).is_some();
        let delete_tried = std::mem::take(&mut job.lives[index].lock().delete_tried);
        if delete_tried && !is_there {
            job.deleted.lock().push(id);
            let life = Life::new(new_id(&mut job.random.lock()));
            *job.lives[index].lock() = life;
        }
        let made = make(job, data_dir, index)?;
        if data_dir.wait_durable(data_dir.staged()).await.is_ok() {
            job.lives[index].lock().created = true;
        }
        topics.push((index, made));
    }
    Ok(topics)
}

fn make<E: Env>(
    job: &Job,
    data_dir: &DataDir<E>,
    index: usize,
) -> Result<Arc<Partition<E>>, String> {
    let topic_id = job.lives[index].lock().id;
    let id = TopicPartition { topic: format!("t{index}").into(), topic_id, partition: 0 };
    let made = data_dir.create_partition(&id, job.config.clone());
    made.map_err(|error| format!("topic {index} is not made: {error}"))
}

/// Why a read gave nothing to hold against the model.
enum ReadFault {
    /// The log said so.
    Refused(ReadError),
    /// It gave nonsense.
    Wrong(String),
}

impl ReadFault {
    fn text(self) -> String {
        match self {
            ReadFault::Refused(error) => format!("a read fails: {error}"),
            ReadFault::Wrong(text) => text,
        }
    }
}

/// The records at `from` and after, which must begin there.
fn read<E: Env>(
    partition: &Arc<Partition<E>>,
    from: i64,
    options: &ReadOptions,
) -> Result<Vec<(i64, Record)>, ReadFault> {
    let slices = partition.read_blocking(from, options).map_err(ReadFault::Refused)?;
    let wrong = |text| ReadFault::Wrong(format!("a read at {from}: {text}"));
    let found = unpack(&slices.into_bytes(), from).map_err(wrong)?;
    let found: Vec<_> = found.into_iter().map(|(offset, _, record)| (offset, record)).collect();
    match found.first() {
        Some((first, _)) if *first != from => Err(wrong(format!("it begins at {first}"))),
        None if options.min_one_batch => Err(wrong(format!("nothing, below {}", options.upper))),
        _ => Ok(found),
    }
}

/// Offset, timestamp and number of each record from `from` on; every checksum must hold.
fn unpack(bytes: &Bytes, from: i64) -> Result<Vec<(i64, i64, Record)>, String> {
    let mut found = Vec::new();
    for batch in batches(bytes) {
        let (header, batch) = batch.map_err(|error| error.to_string())?;
        verify_crc(&batch).map_err(|error| error.to_string())?;
        let read = records(&header, &batch, UNPACKED_MAX).map_err(|error| error.to_string())?;
        for record in read {
            let record = record.map_err(|error| error.to_string())?;
            let value = record.value.unwrap_or_default();
            let number = std::str::from_utf8(&value).ok().and_then(|text| text.split(' ').next());
            let number = number.and_then(|number| number.parse().ok());
            let number =
                number.ok_or_else(|| format!("{} holds no record of ours", record.offset))?;
            if record.offset >= from {
                found.push((record.offset, record.timestamp, Record(number)));
            }
        }
    }
    Ok(found)
}

fn read_all<E: Env>(partition: &Arc<Partition<E>>) -> Result<Found, ReadFault> {
    let offsets = partition.offsets();
    let (log_start, high_watermark) = (offsets.log_start, offsets.high_watermark);
    let mut found = Found { log_start, high_watermark, records: Vec::new() };
    let mut from = log_start;
    let options = ReadOptions { max_bytes: 50_000, min_one_batch: true, upper: high_watermark };
    while from < high_watermark {
        let records = read(partition, from, &options)?;
        from = records.last().map_or(high_watermark, |(last, _)| last + 1);
        found.records.extend(records);
    }
    Ok(found)
}

struct Worker<E: Env> {
    env: E,
    data_dir: DataDir<E>,
    job: Arc<Job>,
}

impl<E: Env> Worker<E> {
    fn random<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.job.random.lock())
    }

    async fn run(self, (index, mut partition): Topic<E>) -> Result<(), Over> {
        // What an earlier life left goes first.
        self.produce(index, &partition, 0).await?;
        loop {
            match self.random(|random| random.below(100)) {
                0..50 => {
                    let fresh = self.random(|random| 1 + random.index(AHEAD_MAX));
                    self.produce(index, &partition, fresh).await?;
                }
                50..58 => self.repeat(index, &partition).await?,
                58..61 => self.leave_gap(index, &partition).await?,
                61..66 => self.trim(index, &partition).await?,
                66..68 => partition = self.make_again(index, &partition).await?,
                68..85 => self.look(index, &partition).await,
                85..90 => self.ask_time(&partition).await,
                90..94 => self.retain(index, &partition),
                94..96 => self.take_back(index, &partition).await?,
                96..97 => self.follow_corrupt(&partition),
                _ => {}
            }
            let pause = self.random(|random| random.below(4_000));
            self.env.sleep(Duration::from_micros(pause)).await;
        }
    }

    /// A machine that still lives after this did not say it because it was dying.
    async fn complain(&self, text: String) {
        self.env.sleep(DYING).await;
        if !self.job.is_sick() {
            self.job.surprise(text);
        }
    }

    async fn append(&self, partition: &Arc<Partition<E>>, bytes: Bytes) -> Result<Answer, Over> {
        loop {
            let options = AppendOptions::client(0, self.env.wall_ms());
            match partition.append(bytes.clone(), &options) {
                Ok(appended) => return Ok(Ok((appended.base_offset, appended.lsn))),
                Err(AppendError::Busy) => self.data_dir.room().await,
                Err(AppendError::Failed(_)) => return Err(Over),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Sends what is pending and `fresh` batches more, a few ahead of what is durable.
    async fn produce(
        &self,
        index: usize,
        partition: &Arc<Partition<E>>,
        fresh: usize,
    ) -> Result<(), Over> {
        let batches: Vec<Bytes> = {
            let mut life = self.job.lives[index].lock();
            let now_ms = self.env.wall_ms();
            while life.pending.len() < fresh {
                self.random(|random| life.send(now_ms, random));
            }
            life.pending.iter().map(|batch| batch.bytes.clone()).collect()
        };
        let mut answers = Vec::new();
        for bytes in batches {
            let mut answer = self.append(partition, bytes.clone()).await?;
            if self.random(|random| random.chance(10)) {
                // The client did not hear of it and sends it again at once.
                answer = self.append(partition, bytes).await?;
            }
            if self.random(|random| random.chance(10)) {
                self.look(index, partition).await;
            }
            match answer {
                Ok(answer) => answers.push(answer),
                Err(error) => {
                    self.complain(format!("topic {index} refuses a batch: {error}")).await;
                    return Err(Over);
                }
            }
        }
        for (base_offset, lsn) in answers {
            self.data_dir.wait_durable(lsn).await.map_err(|_| Over)?;
            self.job.lives[index].lock().acknowledge(base_offset);
        }
        Ok(())
    }

    /// Sends a batch again that was acknowledged.
    async fn repeat(&self, index: usize, partition: &Arc<Partition<E>>) -> Result<(), Over> {
        let known = {
            let life = self.job.lives[index].lock();
            if life.recent.is_empty() {
                return Ok(());
            }
            life.recent[self.random(|random| random.index(life.recent.len()))].clone()
        };
        match self.append(partition, known.bytes.clone()).await? {
            Ok((base_offset, _)) if Some(base_offset) == known.base_offset => {}
            answer => {
                let text = format!("a batch at {:?} sent again: {answer:?}", known.base_offset);
                self.complain(text).await;
            }
        }
        Ok(())
    }

    /// A batch is cut off before it is committed, as another leader may ask for; sent again it is new, and
    /// nothing that was learnt of it may say otherwise.
    async fn take_back(&self, index: usize, partition: &Arc<Partition<E>>) -> Result<(), Over> {
        let batch = {
            let mut life = self.job.lives[index].lock();
            if !life.pending.is_empty() {
                return Ok(());
            }
            let now_ms = self.env.wall_ms();
            self.random(|random| life.send(now_ms, random))
        };
        if let Ok((base_offset, _)) = self.append(partition, batch.bytes).await?
            && partition.offsets().high_watermark <= base_offset
            && partition.truncate_to(base_offset).is_err()
        {
            return Err(Over);
        }
        self.produce(index, partition, 1).await
    }

    /// A batch from a leader whose bytes are not what their checksum says is refused.
    fn follow_corrupt(&self, partition: &Arc<Partition<E>>) {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.push(self.env.wall_ms(), None, Some(b"999 corrupt"), &[]);
        let mut bytes = builder.build().to_vec();
        set_base_offset(&mut bytes, partition.offsets().log_end);
        let at =
            BATCH_HEADER_SIZE + self.random(|random| random.index(bytes.len() - BATCH_HEADER_SIZE));
        bytes[at] ^= 1 << self.random(|random| random.below(8));
        let options = AppendOptions {
            leader_epoch: 0,
            origin: Origin::Replica,
            now_ms: 0,
            defer_write: false,
        };
        if partition.append(bytes.into(), &options).is_ok() {
            self.job.surprise("a corrupt batch of a leader was appended".to_owned());
        }
    }

    async fn leave_gap(&self, index: usize, partition: &Arc<Partition<E>>) -> Result<(), Over> {
        if self.job.lives[index].lock().recent.is_empty() {
            return Ok(());
        }
        let bytes = self.job.lives[index].lock().with_gap(self.env.wall_ms());
        match self.append(partition, bytes).await? {
            Err(AppendError::Refused { code: ErrorCode::OutOfOrderSequenceNumber, .. }) => {}
            answer => self.complain(format!("a gap in the sequence: {answer:?}")).await,
        }
        Ok(())
    }

    /// DeleteRecords; now and then beyond what is committed, which must be refused.
    async fn trim(&self, index: usize, partition: &Arc<Partition<E>>) -> Result<(), Over> {
        let batch = {
            let mut life = self.job.lives[index].lock();
            let now_ms = self.env.wall_ms();
            match life.pending.is_empty() {
                true => Some(self.random(|random| life.send(now_ms, random))),
                false => None,
            }
        };
        if let Some(batch) = batch {
            let answer = self.append(partition, batch.bytes).await?;
            let offsets = partition.offsets();
            let beyond = partition.delete_records_before(offsets.log_end);
            if offsets.high_watermark < offsets.log_end && beyond.is_ok() {
                self.job.surprise("records were deleted that are not committed".to_owned());
            }
            if let Ok((base_offset, lsn)) = answer {
                self.data_dir.wait_durable(lsn).await.map_err(|_| Over)?;
                self.job.lives[index].lock().acknowledge(base_offset);
            }
        }
        let offsets = partition.offsets();
        let span = (offsets.high_watermark - offsets.log_start).unsigned_abs();
        let to = offsets.log_start + self.random(|random| random.below(span + 1)) as i64;
        let start_tried = {
            let mut life = self.job.lives[index].lock();
            life.start_tried = life.start_tried.max(to).max(offsets.log_start);
            life.start_tried
        };
        let Ok(deleted) = partition.delete_records_before(to) else { return Err(Over) };
        self.data_dir.wait_durable(deleted.lsn).await.map_err(|_| Over)?;
        let mut life = self.job.lives[index].lock();
        life.start_acked = life.start_acked.max(deleted.log_start.min(start_tried));
        Ok(())
    }

    /// Deletes the topic and makes another under its name.
    async fn make_again(
        &self,
        index: usize,
        partition: &Arc<Partition<E>>,
    ) -> Result<Arc<Partition<E>>, Over> {
        let topic_id = partition.id().topic_id;
        self.job.lives[index].lock().delete_tried = true;
        let Ok(Some(lsn)) = self.data_dir.delete_partition(topic_id, 0) else { return Err(Over) };
        self.data_dir.wait_durable(lsn).await.map_err(|_| Over)?;
        self.job.deleted.lock().push(topic_id);
        *self.job.lives[index].lock() = Life::new(self.random(new_id));
        let Ok(made) = make(&self.job, &self.data_dir, index) else { return Err(Over) };
        let staged = self.data_dir.staged();
        self.data_dir.wait_durable(staged).await.map_err(|_| Over)?;
        self.job.lives[index].lock().created = true;
        let found = made.offsets();
        if (found.log_start, found.log_end) != (0, 0) {
            self.job.surprise(format!("a new topic has {found:?}"));
        }
        Ok(made)
    }

    /// Reads a little from somewhere, within any limit.
    async fn look(&self, index: usize, partition: &Arc<Partition<E>>) {
        let offsets = partition.offsets();
        let span = (offsets.high_watermark - offsets.log_start).unsigned_abs();
        if span == 0 {
            return;
        }
        let near_end = self.random(|random| random.chance(30));
        let back = self.random(|random| random.below(if near_end { span.min(20) } else { span }));
        let options = ReadOptions {
            max_bytes: self.random(|random| random.between(60, 9_000)) as usize,
            min_one_batch: self.random(|random| random.chance(50)),
            upper: offsets.high_watermark,
        };
        match read(partition, offsets.high_watermark - 1 - back as i64, &options) {
            Ok(found) => {
                let wrong = self.job.lives[index].lock().observe(&found);
                self.job.wrong.lock().extend(wrong);
            }
            Err(ReadFault::Wrong(text)) => self.job.surprise(text),
            Err(fault) => self.complain(fault.text()).await,
        }
    }

    /// ListOffsets against a walk over all records.
    async fn ask_time(&self, partition: &Arc<Partition<E>>) {
        let offsets = partition.offsets();
        let options =
            ReadOptions { max_bytes: 1 << 20, min_one_batch: true, upper: offsets.high_watermark };
        let (mut times, mut from) = (Vec::new(), offsets.log_start);
        while from < offsets.high_watermark {
            let Ok(slices) = partition.read_blocking(from, &options) else { return };
            let Ok(found) = unpack(&slices.into_bytes(), from) else { return };
            let before = times.len();
            times.extend(found.into_iter().map(|(offset, time, _)| (offset, time)));
            let Some((last, _)) = times.get(before..).and_then(|new| new.last()) else { return };
            from = last + 1;
        }
        if times.is_empty() {
            return;
        }
        let asked = times[self.random(|random| random.index(times.len()))].1;
        let expected = times.iter().find(|(_, time)| *time >= asked).map(|(offset, _)| *offset);
        match partition.offset_for_timestamp(asked, offsets.high_watermark) {
            Ok(found) if found.map(|found| found.offset) == expected => {}
            Ok(found) => {
                let text = format!("time {asked} is first at {expected:?}, {found:?} was answered");
                self.job.wrong.lock().push(violation("time", text));
            }
            Err(error) => self.complain(format!("a lookup by time fails: {error}")).await,
        }
    }

    /// Retention by size never leaves less than it is to keep.
    fn retain(&self, index: usize, partition: &Arc<Partition<E>>) {
        let keep = self.job.config.retention_bytes;
        if keep < 0 {
            return;
        }
        let starts = |job: &Job| {
            let offsets = job.lives.iter().map(|life| {
                self.data_dir
                    .partition(life.lock().id, 0)
                    .map_or(0, |found| found.offsets().log_start)
            });
            offsets.collect::<Vec<_>>()
        };
        let before = starts(&self.job);
        self.data_dir.run_maintenance(self.env.wall_ms());
        for (life, start) in self.job.lives.iter().zip(starts(&self.job)) {
            let mut life = life.lock();
            life.start_tried = life.start_tried.max(start);
        }
        let left = partition.size_in_bytes();
        if partition.offsets().log_start > before[index] && left < keep.unsigned_abs() {
            let text = format!("retention left {left} bytes where {keep} are to be kept");
            self.job.wrong.lock().push(violation("retention", text));
        }
    }
}

/// Base offset and position, or the refusal.
type Answer = Result<(i64, u64), AppendError>;
