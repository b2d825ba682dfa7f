//! The lean consumer: one fetch on the way a thread, batches counted by their headers, records not looked at.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::ValueEnum;
use ottla_protocol::Str;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::records::{BatchHeader, batches, verify_crc};

use crate::fault::{Fault, Outcome};
use crate::flags::Load;
use crate::produce;
use crate::topic::{self, FETCH_VERSION};
use crate::window::{Counters, Measured, measure};
use crate::wire::{self, Wire};

/// Where consumers read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    /// Behind a producer that runs at the same time.
    Tail,
    /// What is there, from the first offset, and again when the end is reached.
    Beginning,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) from: From,
    pub(crate) consumers: usize,
    /// Produced before the clock runs.
    pub(crate) preload_bytes: u64,
    pub(crate) partition_max_bytes: i32,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
}

/// What a run came to.
pub(crate) struct Fetched {
    pub(crate) measured: Measured,
    /// The producer's part, if one ran beside.
    pub(crate) produced_bytes: u64,
}

const PRELOAD_MAX: Duration = Duration::from_secs(600);
/// One batch of so many is checked against its CRC.
const CHECK_EVERY: u64 = 256;

pub(crate) fn fetch(address: &str, pid: Option<u32>, load: &Load, plan: &Plan) -> Outcome<Fetched> {
    load.check()?;
    let mut wire = Wire::connect(address)?;
    let partitions = load.topic_partitions();
    topic::create(&mut wire, &load.topic, partitions, &load.configs)?;
    if plan.preload_bytes > 0 {
        preload(address, load, plan.preload_bytes)?;
    }
    let timestamp = if plan.from == From::Tail { -1 } else { -2 };
    let starts = topic::offsets(&mut wire, &load.topic, partitions, timestamp)?;
    let counters = Arc::new(Counters::default());
    let producing = Arc::new(Counters::default());
    let mut threads = Vec::new();
    for _ in 0..plan.consumers {
        let mut reader = Reader {
            wire: Wire::connect(address)?,
            topic: Str::copy_from(&load.topic),
            starts: starts.clone(),
            offsets: starts.clone(),
            from: plan.from,
            partition_max_bytes: plan.partition_max_bytes,
            buffer: Vec::new(),
            batches: 0,
        };
        let counters = counters.clone();
        threads.push(std::thread::spawn(move || {
            let done = reader.run(&counters);
            counters.stop.store(true, Ordering::Relaxed);
            done
        }));
    }
    let producers = match plan.from {
        From::Tail => produce::start(address, load, &producing)?,
        From::Beginning => Vec::new(),
    };
    let before = producing.bytes.load(Ordering::Relaxed);
    let measured = measure(pid, &counters, plan.warm_up, plan.length);
    producing.stop.store(true, Ordering::Relaxed);
    let produced_bytes = producing.bytes.load(Ordering::Relaxed) - before;
    for thread in threads {
        produce::join(thread)?;
    }
    for thread in producers {
        produce::join(thread)?;
    }
    Ok(Fetched { measured: measured?, produced_bytes })
}

/// Puts at least `bytes` into the topic.
pub(crate) fn preload(address: &str, load: &Load, bytes: u64) -> Outcome<()> {
    let counters = Arc::new(Counters::default());
    let threads = produce::start(address, load, &counters)?;
    let begin = Instant::now();
    while counters.bytes.load(Ordering::Relaxed) < bytes && !counters.stopped() {
        if begin.elapsed() > PRELOAD_MAX {
            counters.stop.store(true, Ordering::Relaxed);
            return Err(Fault::new("producing what is to be fetched takes too long"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    counters.stop.store(true, Ordering::Relaxed);
    for thread in threads {
        produce::join(thread)?;
    }
    Ok(())
}

struct Reader {
    wire: Wire,
    topic: Str,
    starts: Vec<i64>,
    offsets: Vec<i64>,
    from: From,
    partition_max_bytes: i32,
    buffer: Vec<u8>,
    batches: u64,
}

impl Reader {
    fn run(&mut self, counters: &Counters) -> Outcome<()> {
        while !counters.stopped() {
            let from = (0..).zip(self.offsets.iter().copied());
            let request = topic::fetch_request(&self.topic, from, 500, self.partition_max_bytes);
            let frame = wire::frame(1, FETCH_VERSION, &request)?;
            self.wire.stream.write_all(&frame)?;
            let mut buffer = std::mem::take(&mut self.buffer);
            wire::read_frame(&mut self.wire.stream, &mut buffer)?;
            let body = Bytes::from(buffer);
            let (records, bytes) = self.take(body.clone())?;
            counters.count(1, records, bytes);
            // Unshared again, it is the same memory: fresh pages would cost more than the rest.
            self.buffer = Vec::from(body);
            if bytes == 0 && self.from == From::Beginning {
                self.offsets.clone_from(&self.starts);
            }
        }
        Ok(())
    }

    fn take(&mut self, body: Bytes) -> Outcome<(u64, u64)> {
        let answer = wire::decode::<FetchRequest>(body, FETCH_VERSION)?;
        topic::check(answer.error_code, "Fetch")?;
        let (mut records, mut bytes) = (0, 0);
        for partition in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            topic::check(partition.error_code, "Fetch")?;
            let data = partition.records.unwrap_or_default();
            // The last batch may be cut off.
            for (header, batch) in batches(&data).map_while(Result::ok) {
                records += header.records_count as u64;
                bytes += batch.len() as u64;
                self.check(&header, &batch)?;
                if let Some(place) = self.offsets.get_mut(partition.partition_index as usize) {
                    *place = header.next_offset();
                }
            }
        }
        Ok((records, bytes))
    }

    fn check(&mut self, header: &BatchHeader, batch: &Bytes) -> Outcome<()> {
        self.batches += 1;
        if !self.batches.is_multiple_of(CHECK_EVERY) {
            return Ok(());
        }
        let wrong = |error| Fault::new(format!("batch at {}: {error}", header.base_offset));
        verify_crc(batch).map_err(wrong)
    }
}
