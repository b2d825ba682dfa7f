//! `ottla perf produce`: records into a topic, and how long each takes to be acknowledged.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ottla_client::{Acks, Client, Producer, ProducerOptions};
use ottla_env::Env;
use ottla_env::os::{OsEnv, shutdown_signal};
use ottla_protocol::Str;
use ottla_protocol::records::Compression;

use super::load::{self, Plan};
use super::meter::Meter;
use super::schedule::{Payload, Schedule};
use crate::commands::produce::{acks, compression};
use crate::commands::{Connection, Format, Outcome};
use crate::exit::Exit;

/// `ottla perf produce ...`
#[derive(Debug, Args)]
pub(crate) struct PerfProduce {
    /// The topic; made on first use if the broker allows that.
    topic: String,
    /// End after so many records.
    #[arg(short = 'n', long, value_name = "N", alias = "num-records", conflicts_with = "seconds")]
    records: Option<u64>,
    /// End after so many seconds; 10 without --records.
    #[arg(short, long, value_name = "S", value_parser = super::seconds)]
    seconds: Option<Duration>,
    /// The size of a record's value.
    #[arg(long, value_name = "BYTES", alias = "record-size", default_value_t = 1024,
        value_parser = clap::value_parser!(u32).range(1..=RECORD_BYTES_MAX))]
    record_bytes: u32,
    /// Records a second, spread evenly; as fast as possible if not given. Latency counts from when a
    /// record was due.
    #[arg(short, long, value_name = "RECORDS/S", alias = "throughput", value_parser = super::rate)]
    rate: Option<f64>,
    /// Replicas that must have a record: 0, 1 or all.
    #[arg(short, long, default_value = "all", value_parser = acks)]
    acks: Acks,
    /// How batches are compressed: none, gzip, snappy, lz4, zstd.
    #[arg(short = 'z', long, default_value = "none", value_parser = compression)]
    compression: Compression,
    /// Wait so long for more records before a batch is sent.
    #[arg(long, value_name = "MS", alias = "linger-ms", default_value_t = 5)]
    linger: u64,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

/// Larger ones no topic takes without much persuasion.
pub(super) const RECORD_BYTES_MAX: i64 = 16 << 20;

/// Does it.
pub(super) fn run(flags: PerfProduce) -> Exit {
    let connection = flags.connection.clone();
    connection.run(|client| async move { produce(client, &flags).await })
}

async fn produce(client: Client<OsEnv>, flags: &PerfProduce) -> Outcome {
    const SECONDS: Duration = Duration::from_secs(10);
    let mut signals = shutdown_signal()?;
    let topic = Str::from(&flags.topic);
    client.topics(std::slice::from_ref(&topic), true).await?;
    let env = client.env().clone();
    let producer = Arc::new(Producer::new(client, options(flags))?);
    let schedule = flags.rate.map(|rate| Schedule { rate });
    let seconds = flags.seconds.or(flags.records.is_none().then_some(SECONDS));
    // At a rate the number is known beforehand, and who falls behind still sends what was due.
    let due = schedule.zip(seconds).map(|(schedule, seconds)| schedule.count(seconds));
    let grace = due.map_or(Duration::ZERO, |_| Duration::from_secs(flags.connection.timeout));
    let payload = payload(&env, flags.record_bytes as usize);
    let begin = env.now();
    let meter = Arc::new(Meter::new(begin));
    let plan = Plan {
        topic,
        payload,
        schedule,
        records: flags.records.or(due),
        limit: seconds.map(|seconds| seconds + grace),
        stamp: None,
        begin,
    };
    let stopped = load::send(&env, producer, plan, &meter, &meter, &mut signals).await?;
    Ok(super::tell(&meter, flags.output, stopped))
}

fn options(flags: &PerfProduce) -> ProducerOptions {
    const OVERHEAD: usize = 1024;
    let defaults = ProducerOptions::default();
    ProducerOptions {
        acks: flags.acks,
        idempotent: flags.acks == Acks::All,
        compression: flags.compression,
        linger: Duration::from_millis(flags.linger),
        delivery_timeout: Duration::from_secs(flags.connection.timeout.max(1)),
        // What is too large for the topic, the broker says.
        request_bytes_max: defaults.request_bytes_max.max(flags.record_bytes as usize + OVERHEAD),
        ..defaults
    }
}

/// Random records of a size.
pub(super) fn payload(env: &OsEnv, record_bytes: usize) -> Payload {
    let mut random = vec![0; Payload::random_bytes(record_bytes)];
    env.fill_random(&mut random);
    Payload::new(random, record_bytes)
}
