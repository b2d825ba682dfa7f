//! The lean producer: batches made beforehand, a thread a connection, several requests on the way.
//! The client costs little more than its system calls, so that what is measured is the broker.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ottla_protocol::messages::ProduceRequest;

use crate::batches::{PRODUCE_VERSION, Prepared};
use crate::fault::{Fault, Outcome};
use crate::flags::Load;
use crate::topic;
use crate::verify::{Acknowledged, Sample, Verified, verify};
use crate::window::{Counters, Measured, measure};
use crate::wire::{self, Wire};

/// Frames smaller than this go out together in one write.
const COALESCE_BYTES: usize = 16 << 10;
const READ_BYTES: usize = 64 << 10;

/// What a run of the producer came to.
#[derive(Debug, Clone)]
pub(crate) struct Produced {
    pub(crate) measured: Measured,
    pub(crate) verified: Verified,
}

/// Loads the broker, measures, stops, and reads a sample back.
pub(crate) fn produce(
    address: &str,
    pid: Option<u32>,
    load: &Load,
    warm_up: Duration,
    length: Duration,
) -> Outcome<Produced> {
    load.check()?;
    let mut wire = Wire::connect(address)?;
    let partitions = load.topic_partitions();
    topic::create(&mut wire, &load.topic, partitions, &load.configs)?;
    let before = topic::offsets(&mut wire, &load.topic, partitions, -1)?;
    let counters = Arc::new(Counters::default());
    let threads = start(address, load, &counters)?;
    let measured = measure(pid, &counters, warm_up, length);
    let mut acknowledged = Acknowledged::default();
    for thread in threads {
        acknowledged.add(join(thread)?);
    }
    let verified = verify(&mut wire, &load.topic, &before, &acknowledged)?;
    Ok(Produced { measured: measured?, verified })
}

/// Starts the threads of a load; each ends soon after `counters` says stop, with all answers in.
pub(crate) fn start(
    address: &str,
    load: &Load,
    counters: &Arc<Counters>,
) -> Outcome<Vec<JoinHandle<Outcome<Acknowledged>>>> {
    let mut threads = Vec::new();
    for index in 0..load.connections {
        let mut sender = Sender::new(address, load, index, counters.clone())?;
        threads.push(std::thread::spawn(move || {
            let ended = sender.run();
            if ended.is_err() {
                // One connection that fails ends the whole load: half a load measures nothing.
                sender.counters.stop.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            ended.map(|()| sender.acknowledged)
        }));
    }
    Ok(threads)
}

pub(crate) fn join<T>(thread: JoinHandle<Outcome<T>>) -> Outcome<T> {
    thread.join().unwrap_or_else(|_| Err(Fault::new("a load thread panicked")))
}

struct Sender {
    wire: Wire,
    ring: Vec<Prepared>,
    in_flight_max: usize,
    /// Places in the ring, in the order sent.
    in_flight: VecDeque<usize>,
    sent: usize,
    producer: Option<(i64, i16)>,
    sequences: Vec<i32>,
    acknowledged: Acknowledged,
    counters: Arc<Counters>,
    out: Vec<u8>,
}

impl Sender {
    fn new(address: &str, load: &Load, index: usize, counters: Arc<Counters>) -> Outcome<Self> {
        let mut wire = Wire::connect(address)?;
        let producer = load.idempotent.then(|| topic::producer_id(&mut wire)).transpose()?;
        Ok(Sender {
            wire,
            ring: prepare(load, index)?,
            in_flight_max: load.in_flight,
            in_flight: VecDeque::new(),
            sent: 0,
            producer,
            sequences: vec![0; load.topic_partitions() as usize],
            acknowledged: Acknowledged::default(),
            counters,
            out: Vec::new(),
        })
    }

    fn run(&mut self) -> Outcome<()> {
        let mut buffer = vec![0; READ_BYTES];
        let mut filled = 0;
        loop {
            if !self.counters.stopped() {
                self.send()?;
            } else if self.in_flight.is_empty() {
                return Ok(());
            }
            if filled == buffer.len() {
                buffer.resize(2 * filled, 0);
            }
            let got = self.wire.stream.read(&mut buffer[filled..]).map_err(wire::closed)?;
            if got == 0 {
                return Err(Fault::new("the broker closed the connection"));
            }
            filled += got;
            let taken = self.take_answers(&buffer[..filled])?;
            buffer.copy_within(taken..filled, 0);
            filled -= taken;
        }
    }

    /// Sends as many requests as may be on the way, small ones in one write.
    fn send(&mut self) -> Outcome<()> {
        while self.in_flight.len() < self.in_flight_max {
            let at = self.sent % self.ring.len();
            let request = &mut self.ring[at];
            request.set_correlation(self.sent as i32);
            if let Some((id, epoch)) = self.producer {
                request.set_sequences(id, epoch, &mut self.sequences);
            }
            if request.frame.len() < COALESCE_BYTES {
                self.out.extend_from_slice(&request.frame);
            } else {
                self.wire.stream.write_all(&request.frame)?;
            }
            self.in_flight.push_back(at);
            self.sent += 1;
        }
        if !self.out.is_empty() {
            self.wire.stream.write_all(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }

    /// Takes the whole answers at the front; says how many bytes they had.
    fn take_answers(&mut self, bytes: &[u8]) -> Outcome<usize> {
        let mut taken = 0;
        while let Some(length) = bytes[taken..].first_chunk::<4>() {
            let length = wire::frame_length(*length)?;
            let Some(body) = bytes.get(taken + 4..taken + 4 + length) else { break };
            self.take_answer(Bytes::copy_from_slice(body))?;
            taken += 4 + length;
        }
        Ok(taken)
    }

    fn take_answer(&mut self, body: Bytes) -> Outcome<()> {
        let answer = wire::decode::<ProduceRequest>(body, PRODUCE_VERSION)?;
        let at = self.in_flight.pop_front();
        let at = at.ok_or_else(|| Fault::new("an answer to no request"))?;
        let request = &self.ring[at];
        let answered = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
        let mut count = 0;
        for partition in answered {
            topic::check(partition.error_code, "Produce")?;
            count += 1;
            if let Some(batch) = self
                .acknowledged
                .wants_sample()
                .then(|| request.batches.iter().find(|batch| batch.partition == partition.index))
            {
                let batch = batch.ok_or_else(|| Fault::new("an answer for another partition"))?;
                self.acknowledged.sample(Sample {
                    partition: batch.partition,
                    offset: partition.base_offset,
                    crc: batch.crc,
                });
            }
        }
        if count != request.batches.len() {
            return Err(Fault::new("an answer that leaves partitions out"));
        }
        self.acknowledged.records += request.records;
        self.counters.count(1, request.records, request.batch_bytes);
        Ok(())
    }
}

/// The requests of one connection: enough that none is sent again before its answer came, and that
/// together they reach every partition.
fn prepare(load: &Load, connection: usize) -> Outcome<Vec<Prepared>> {
    let (partitions, each) = (load.topic_partitions(), load.partitions_per_request);
    let shape = load.shape();
    let rounds = (partitions as usize).div_ceil(each as usize);
    let length = (load.in_flight + 1).next_multiple_of(rounds);
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
    let mut ring = Vec::with_capacity(length);
    // Connections begin at different partitions, so that they do not wait for each other there.
    let mut partition = (connection as i32 * each) % partitions;
    for place in 0..length {
        let mut parts = Vec::with_capacity(each as usize);
        for _ in 0..each {
            let seed = (connection as u64) << 40 | (place as u64) << 20 | partition as u64;
            parts.push((partition, shape.batch(seed, now_ms as i64)));
            partition = (partition + 1) % partitions;
        }
        parts.sort_by_key(|(partition, _)| *partition);
        ring.push(Prepared::new(&load.topic, load.acks, &parts)?);
    }
    Ok(ring)
}
