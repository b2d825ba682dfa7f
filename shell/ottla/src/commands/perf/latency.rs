//! `ottla perf latency`: from the moment a record is due to the moment a consumer has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use ottla_client::{
    Admin, Client, Consumer, ConsumerOptions, Error, Isolation, Producer, ProducerOptions,
};
use ottla_env::os::{OsEnv, ShutdownSignals, shutdown_signal};
use ottla_env::{Env, MonoTime};
use ottla_protocol::Str;
use tokio::sync::oneshot;

use super::load::{self, Plan};
use super::meter::{Ending, Meter, watch};
use super::produce::{RECORD_BYTES_MAX, payload};
use super::schedule::{self, Schedule};
use crate::commands::consume::partitions;
use crate::commands::position::{self, Position};
use crate::commands::{Connection, Format, Outcome};
use crate::exit::Exit;

/// `ottla perf latency ...`
#[derive(Debug, Args)]
pub(crate) struct PerfLatency {
    /// The topic; made on first use if the broker allows that.
    topic: String,
    /// Records a second, spread evenly.
    #[arg(short, long, value_name = "RECORDS/S", default_value = "200", value_parser = super::rate)]
    rate: f64,
    /// For so many seconds.
    #[arg(short, long, value_name = "S", default_value = "10", value_parser = super::seconds)]
    seconds: Duration,
    /// The size of a record's value; at least 16, which is where it says when it was due.
    #[arg(long, value_name = "BYTES", alias = "record-size", default_value_t = 100,
        value_parser = clap::value_parser!(u32)
            .range(schedule::STAMP_BYTES as i64..=RECORD_BYTES_MAX))]
    record_bytes: u32,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

/// Does it.
pub(super) fn run(flags: PerfLatency) -> Exit {
    let connection = flags.connection.clone();
    connection.run(|client| async move { latency(client, &flags).await })
}

async fn latency(client: Client<OsEnv>, flags: &PerfLatency) -> Outcome {
    let mut signals = shutdown_signal()?;
    let topic = Str::from(&flags.topic);
    client.topics(std::slice::from_ref(&topic), true).await?;
    let env = client.env().clone();
    let patience = Duration::from_secs(flags.connection.timeout.max(1));
    let consumer = at_the_end(&client, &topic).await?;
    let producer = Arc::new(Producer::new(client, options(flags, patience))?);
    let schedule = Schedule { rate: flags.rate };
    let (payload, run) = (payload(&env, flags.record_bytes as usize), env.random_u64());
    let begin = env.now();
    let plan = Plan {
        topic,
        payload,
        schedule: Some(schedule),
        records: Some(schedule.count(flags.seconds)),
        limit: Some(flags.seconds + patience),
        stamp: Some(run),
        begin,
    };
    let received = Arc::new(Meter::new(begin));
    // Nobody can tell yet how many will arrive.
    let expected = Arc::new(AtomicU64::new(u64::MAX));
    let (tell, read) = oneshot::channel();
    let reader = {
        let (env, expected, received) = (env.clone(), expected.clone(), received.clone());
        async move {
            let ended = read_back(&env, consumer, run, &expected, &received).await;
            let _ = tell.send(ended);
        }
    };
    let reader = env.spawn("perf-read", reader);
    let acknowledged = Arc::new(Meter::new(begin));
    let stopped = load::send(&env, producer, plan, &acknowledged, &received, &mut signals).await?;
    let sent = acknowledged.summary();
    received.failed(sent.failures, || acknowledged.first_failure().unwrap_or_default());
    expected.store(sent.records, Ordering::Relaxed);
    let stopped = match stopped {
        None => drain(&env, &received, &mut signals, patience, read).await?,
        stopped => stopped,
    };
    reader.abort();
    if stopped.is_none() {
        let missing = sent.records.saturating_sub(received.records());
        received.failed(missing, || "it was acknowledged and did not come back".to_owned());
    }
    Ok(super::tell(&received, flags.output, stopped))
}

/// Every record goes at once: to wait for others is no part of what is measured.
fn options(flags: &PerfLatency, patience: Duration) -> ProducerOptions {
    const OVERHEAD: usize = 1024;
    let defaults = ProducerOptions::default();
    let record_bytes = flags.record_bytes as usize + OVERHEAD;
    ProducerOptions {
        linger: Duration::ZERO,
        delivery_timeout: patience,
        request_bytes_max: defaults.request_bytes_max.max(record_bytes),
        ..defaults
    }
}

/// A consumer of all partitions that waits at their ends.
async fn at_the_end(client: &Client<OsEnv>, topic: &Str) -> Outcome<Consumer<OsEnv>> {
    let admin = Admin::new(client.clone());
    let partitions = partitions(client, std::slice::from_ref(topic), &[])?;
    let isolation = Isolation::ReadUncommitted;
    let ends = position::find(&admin, &partitions, Position::End, isolation, 0).await?;
    let options = ConsumerOptions { isolation, auto_commit: None, ..ConsumerOptions::default() };
    let mut consumer = Consumer::new(client.clone(), options);
    consumer.assign(partitions);
    for (partition, offset) in &ends {
        consumer.seek(partition, *offset)?;
    }
    consumer.poll(Duration::ZERO).await?;
    Ok(consumer)
}

/// Reads until all that is expected has come.
async fn read_back(
    env: &OsEnv,
    mut consumer: Consumer<OsEnv>,
    run: u64,
    expected: &AtomicU64,
    received: &Meter,
) -> Result<(), Error> {
    const POLL: Duration = Duration::from_millis(100);
    while received.records() < expected.load(Ordering::Relaxed) {
        let records = consumer.poll(POLL).await?;
        let now = env.now();
        for value in records.iter().filter_map(|record| record.value.as_ref()) {
            if let Some(due_ns) = schedule::due_ns(value, run) {
                received.done_since(MonoTime(due_ns), value.len() as u64, now);
            }
        }
    }
    Ok(())
}

/// Waits for what is still on its way back.
async fn drain(
    env: &OsEnv,
    received: &Meter,
    signals: &mut ShutdownSignals,
    patience: Duration,
    read: oneshot::Receiver<Result<(), Error>>,
) -> Outcome<Option<Exit>> {
    match watch(env, received, signals, Some(patience), read).await {
        Ending::Done(ended) => {
            ended.unwrap_or(Err(Error::Closed))?;
            Ok(None)
        }
        // What has not come by now counts as missing.
        Ending::TimeUp => Ok(None),
        Ending::Stopped(exit) => Ok(Some(exit)),
    }
}
