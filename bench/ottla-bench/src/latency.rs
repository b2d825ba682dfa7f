//! Latency at a fixed rate, from the moment a record was due: a broker that stalls is charged for every
//! record that had to wait, sent or not (no coordinated omission).

use std::collections::VecDeque;
use std::io::Write;
use std::num::NonZeroU64;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hdrhistogram::Histogram;
use ottla_protocol::Str;
use ottla_protocol::messages::{FetchRequest, ProduceRequest};
use ottla_protocol::records::{BatchBuilder, BatchOptions, RecordIter, batches};
use serde_json::{Value, json};

use crate::batches::{PRODUCE_VERSION, Prepared, value};
use crate::fault::{Fault, Outcome};
use crate::produce::join;
use crate::topic::{self, FETCH_VERSION};
use crate::window::{Counters, Measured, measure};
use crate::wire::{self, Wire};

/// What is asked of a latency run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) topic: String,
    pub(crate) record_bytes: usize,
    /// Records a second.
    pub(crate) rate: f64,
    pub(crate) acks: i16,
    /// Above one record a tick, what is due is sent once a tick, as a client with a linger does.
    pub(crate) tick: Duration,
    /// Measure until a consumer has the record, too.
    pub(crate) end_to_end: bool,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
}

/// What it came to; nanoseconds.
pub(crate) struct Latencies {
    pub(crate) measured: Measured,
    pub(crate) acknowledged: Histogram<u64>,
    pub(crate) consumed: Option<Histogram<u64>>,
    /// How late the client itself was: sent less due.
    pub(crate) lateness: Histogram<u64>,
}

/// Records on the way at most; a broker so far behind has lost the race anyhow.
const BEHIND_MAX: usize = 1_000_000;
/// The last part of a wait is spun away: sleeping overshoots by tens of microseconds.
const SPIN: Duration = Duration::from_micros(60);
/// Longest wait for the last answers.
const DRAIN_MAX: Duration = Duration::from_secs(10);
const LATENCY_MAX_NS: u64 = 120_000_000_000;

/// What the threads of one run share.
struct Run {
    plan: Plan,
    begin: Instant,
    counters: Arc<Counters>,
    /// Of each request on the way: when each of its records was due, ns after `begin`.
    due: Mutex<VecDeque<Vec<u64>>>,
}

impl Run {
    fn now_ns(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    fn lock_due(&self) -> Outcome<MutexGuard<'_, VecDeque<Vec<u64>>>> {
        self.due.lock().map_err(|_| Fault::new("a load thread panicked"))
    }

    /// Counts a record that was due at `due_ns` and is done now, if it belongs to the measured part.
    fn record(&self, into: &mut Histogram<u64>, due_ns: u64, now_ns: u64) {
        let from = self.plan.warm_up.as_nanos() as u64;
        let until = from + self.plan.length.as_nanos() as u64;
        if (from..until).contains(&due_ns) {
            into.saturating_record(now_ns.saturating_sub(due_ns));
        }
    }
}

/// What one thread of a run does.
type Work = Box<dyn FnOnce(&Run) -> Outcome<Histogram<u64>> + Send>;

pub(crate) fn latency(address: &str, pid: Option<u32>, plan: &Plan) -> Outcome<Latencies> {
    let mut wire = Wire::connect(address)?;
    topic::create(&mut wire, &plan.topic, 1, &[])?;
    let end = topic::offsets(&mut wire, &plan.topic, 1, -1)?[0];
    let run = Arc::new(Run {
        plan: plan.clone(),
        begin: Instant::now() + Duration::from_millis(50),
        counters: Arc::default(),
        due: Mutex::default(),
    });
    let sender_wire = Wire::connect(address)?;
    let reader_stream = sender_wire.stream.try_clone()?;
    let consumer_wire = plan.end_to_end.then(|| Wire::connect(address)).transpose()?;
    let spawn = |work: Work| {
        let run = run.clone();
        std::thread::spawn(move || {
            let done = work(&run);
            if done.is_err() {
                run.counters.stop.store(true, Ordering::Relaxed);
            }
            done
        })
    };
    let consumer =
        consumer_wire.map(|wire| spawn(Box::new(move |run: &Run| consume(run, wire, end))));
    let reader = spawn(Box::new(move |run: &Run| read_answers(run, reader_stream)));
    let sender = spawn(Box::new(move |run: &Run| send(run, sender_wire)));
    let measured = measure(pid, &run.counters, plan.warm_up, plan.length);
    let lateness = join(sender)?;
    let acknowledged = join(reader)?;
    let consumed = consumer.map(join).transpose()?;
    Ok(Latencies { measured: measured?, acknowledged, consumed, lateness })
}

/// Sends each record when it is due; ends the stream with a shutdown, so that the reader ends, too.
fn send(run: &Run, mut wire: Wire) -> Outcome<Histogram<u64>> {
    // Without it the kernel may wake the sender 50 us late to save wakes.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let plan = &run.plan;
    let mut lateness = histogram()?;
    let mut text = value(plan.record_bytes.max(8), 1);
    let step_ns = 1e9 / plan.rate;
    let tick_ns = (plan.tick.as_nanos() as f64).max(step_ns);
    let mut next = 0u64;
    let mut wake_ns = 0f64;
    let mut correlation = 0;
    while !run.counters.stopped() {
        wait_until(run, wake_ns as u64);
        let now_ns = run.now_ns();
        let mut dues = Vec::new();
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
        while (next as f64 * step_ns) as u64 <= now_ns && dues.len() < 10_000 {
            let due_ns = (next as f64 * step_ns) as u64;
            text[..8].copy_from_slice(&due_ns.to_be_bytes());
            builder.push(wall_ms as i64, None, Some(&text), &[]);
            run.record(&mut lateness, due_ns, now_ns);
            dues.push(due_ns);
            next += 1;
        }
        wake_ns = (wake_ns + tick_ns).max(next as f64 * step_ns);
        if dues.is_empty() {
            continue;
        }
        let batch = builder.build();
        let records = dues.len() as u64;
        let mut request = Prepared::new(&plan.topic, plan.acks, &[(0, batch)])?;
        correlation += 1;
        request.set_correlation(correlation);
        {
            let mut due = run.lock_due()?;
            if due.len() > BEHIND_MAX {
                return Err(Fault::new("the broker is a million requests behind"));
            }
            due.push_back(dues);
        }
        wire.stream.write_all(&request.frame)?;
        run.counters.count(1, records, request.batch_bytes);
    }
    // A broker may drop what it has not answered when a client hangs up.
    let end = Instant::now();
    while !run.lock_due()?.is_empty() && end.elapsed() < DRAIN_MAX {
        std::thread::sleep(Duration::from_millis(1));
    }
    wire.stream.shutdown(std::net::Shutdown::Write)?;
    Ok(lateness)
}

fn wait_until(run: &Run, at_ns: u64) {
    let at = run.begin + Duration::from_nanos(at_ns);
    let rest = at.saturating_duration_since(Instant::now());
    if rest > SPIN {
        std::thread::sleep(rest - SPIN);
    }
    while Instant::now() < at {
        std::hint::spin_loop();
    }
}

fn read_answers(run: &Run, mut stream: std::net::TcpStream) -> Outcome<Histogram<u64>> {
    let mut acknowledged = histogram()?;
    let mut frame = Vec::new();
    loop {
        let read = wire::read_frame(&mut stream, &mut frame);
        let now_ns = run.now_ns();
        let dues = run.lock_due()?.pop_front();
        match (read, dues) {
            // The sender has ended, every answer is in, and the broker closed.
            (Err(_), None) if run.counters.stopped() => return Ok(acknowledged),
            (Err(fault), _) => return Err(fault),
            (Ok(()), None) => return Err(Fault::new("an answer to no request")),
            (Ok(()), Some(dues)) => {
                let body = Bytes::copy_from_slice(&frame);
                let answer = wire::decode::<ProduceRequest>(body, PRODUCE_VERSION)?;
                for partition in answer.responses.iter().flat_map(|t| &t.partition_responses) {
                    topic::check(partition.error_code, "Produce")?;
                }
                for due_ns in dues {
                    run.record(&mut acknowledged, due_ns, now_ns);
                }
            }
        }
    }
}

/// Reads what comes until a while after the end of the load.
fn consume(run: &Run, mut wire: Wire, from: i64) -> Outcome<Histogram<u64>> {
    let mut consumed = histogram()?;
    let name = Str::copy_from(&run.plan.topic);
    let mut offset = from;
    let mut quiet = 0;
    while !run.counters.stopped() || quiet < 2 {
        let request = topic::fetch_request(&name, std::iter::once((0, offset)), 300, 1 << 20);
        let answer = wire.call::<FetchRequest>(FETCH_VERSION, &request)?;
        let now_ns = run.now_ns();
        topic::check(answer.error_code, "Fetch")?;
        let before = offset;
        for partition in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            topic::check(partition.error_code, "Fetch")?;
            for batch in batches(&partition.records.unwrap_or_default()).map_while(Result::ok) {
                let (header, bytes) = batch;
                offset = header.next_offset();
                let body = bytes.slice(ottla_protocol::records::BATCH_HEADER_SIZE..);
                let mut records = RecordIter::new(&header, body);
                while let Some(Ok(record)) = records.next_ref() {
                    let due = record.value.and_then(|value| value.first_chunk::<8>());
                    if let Some(due) = due.filter(|_| record.offset >= before) {
                        run.record(&mut consumed, u64::from_be_bytes(*due), now_ns);
                    }
                }
            }
        }
        quiet = if offset == before { quiet + 1 } else { 0 };
    }
    Ok(consumed)
}

fn histogram() -> Outcome<Histogram<u64>> {
    Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3)
        .map_err(|error| Fault::new(format!("no histogram: {error:?}")))
}

/// Percentiles in microseconds, and enough of the curve to draw it.
pub(crate) fn document(histogram: &Histogram<u64>) -> Value {
    const CURVE: [f64; 14] =
        [1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.99, 100.0];
    let at = |percentile| histogram.value_at_percentile(percentile) as f64 / 1e3;
    json!({
        "count": histogram.len(),
        "mean_us": histogram.mean() / 1e3,
        "p50_us": at(50.0),
        "p90_us": at(90.0),
        "p99_us": at(99.0),
        "p999_us": at(99.9),
        "max_us": at(100.0),
        "curve": CURVE.map(|percentile| (percentile, at(percentile))).to_vec(),
    })
}

/// The rows of one histogram.
pub(crate) fn row(histogram: &Histogram<u64>) -> String {
    let at = |percentile| histogram.value_at_percentile(percentile) as f64 / 1e6;
    format!(
        "p50 {:.3}  p90 {:.3}  p99 {:.3}  p99.9 {:.3}  max {:.3}",
        at(50.0),
        at(90.0),
        at(99.0),
        at(99.9),
        at(100.0)
    )
}
