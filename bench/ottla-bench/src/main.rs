//! Measures a broker from outside. A tool, not the product: it may use the operating system directly.

mod batches;
mod broker;
mod fault;
mod fetch;
mod flags;
mod latency;
mod process;
mod produce;
mod report;
mod topic;
mod verify;
mod window;
mod wire;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use fault::Outcome;
use flags::{Course, Load, Target};

/// Measures a Kafka broker: CPU, memory, throughput, latency.
#[derive(Debug, Parser)]
#[command(name = "ottla-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Produce as much as goes, with prepared batches.
    Produce(Produce),
    /// Fetch as much as goes: at the tail behind a producer, or from the beginning.
    Fetch(Fetch),
    /// Latency at a fixed rate, from the moment a record was due.
    Latency(Latency),
}

#[derive(Debug, Args)]
struct Produce {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    course: Course,
}

#[derive(Debug, Args)]
struct Fetch {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    course: Course,
    /// Where to read.
    #[arg(long, value_enum, default_value = "beginning")]
    from: fetch::From,
    #[arg(long, default_value_t = 1)]
    consumers: usize,
    /// Bytes of batches produced beforehand, in millions.
    #[arg(long, value_name = "MB", default_value_t = 1_000)]
    preload_mb: u64,
    /// As a consumer's max.partition.fetch.bytes.
    #[arg(long, default_value_t = 1 << 20)]
    partition_max_bytes: i32,
}

#[derive(Debug, Args)]
struct Latency {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    course: Course,
    #[arg(long, default_value = "latency")]
    topic: String,
    #[arg(long, default_value_t = 1_024)]
    record_bytes: usize,
    /// Records a second.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Above one record a tick, what is due goes out together once a tick.
    #[arg(long, value_name = "US", default_value_t = 1_000)]
    tick_us: u64,
    /// 1 or all.
    #[arg(long, default_value = "all", value_parser = flags::acks)]
    acks: i16,
    /// Until a consumer has it, too.
    #[arg(long)]
    end_to_end: bool,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Produce(flags) => run_produce(&flags),
        Command::Fetch(flags) => run_fetch(&flags),
        Command::Latency(flags) => run_latency(&flags),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run_produce(flags: &Produce) -> Outcome<()> {
    flags.load.check()?;
    let broker = flags.target.open()?;
    let course = &flags.course;
    let produced = produce::produce(
        &broker.address,
        broker.pid,
        &flags.load,
        course.warm_up(),
        course.length(),
    )?;
    let (measured, verified) = (&produced.measured, Some(&produced.verified));
    let rows = report::rows(measured, verified);
    report::show(course.output, &rows, &report::document(measured, verified));
    Ok(())
}

fn run_fetch(flags: &Fetch) -> Outcome<()> {
    flags.load.check()?;
    let broker = flags.target.open()?;
    let course = &flags.course;
    let plan = fetch::Plan {
        from: flags.from,
        consumers: flags.consumers,
        preload_bytes: match flags.from {
            fetch::From::Tail => 0,
            fetch::From::Beginning => flags.preload_mb * 1_000_000,
        },
        partition_max_bytes: flags.partition_max_bytes,
        warm_up: course.warm_up(),
        length: course.length(),
    };
    let fetched = fetch::fetch(&broker.address, broker.pid, &flags.load, &plan)?;
    let mut rows = report::rows(&fetched.measured, None);
    let mut document = report::document(&fetched.measured, None);
    if flags.from == fetch::From::Tail {
        let produced = fetched.produced_bytes as f64 / 1e6;
        let produced = produced / (course.seconds + course.warm_up);
        rows.push(("beside it produced, MB/s", format!("{produced:.1}")));
        document["produced_mb_per_s"] = produced.into();
    }
    report::show(course.output, &rows, &document);
    Ok(())
}

fn run_latency(flags: &Latency) -> Outcome<()> {
    if !(flags.rate > 0.0 && flags.rate <= 10_000_000.0) {
        return Err(fault::Fault::new("--rate must be above 0 and at most 10000000"));
    }
    let broker = flags.target.open()?;
    let course = &flags.course;
    let plan = latency::Plan {
        topic: flags.topic.clone(),
        record_bytes: flags.record_bytes,
        rate: flags.rate,
        acks: flags.acks,
        tick: std::time::Duration::from_micros(flags.tick_us),
        end_to_end: flags.end_to_end,
        warm_up: course.warm_up(),
        length: course.length(),
    };
    let found = latency::latency(&broker.address, broker.pid, &plan)?;
    let mut rows = report::rows(&found.measured, None);
    let mut document = report::document(&found.measured, None);
    let mut add = |what, name: &str, histogram: &hdrhistogram::Histogram<u64>| {
        rows.push((what, latency::row(histogram)));
        document[name] = latency::document(histogram);
    };
    add("acknowledged after, ms", "acknowledged", &found.acknowledged);
    if let Some(consumed) = &found.consumed {
        add("at the consumer after, ms", "consumed", consumed);
    }
    add("client late by, ms", "lateness", &found.lateness);
    report::show(course.output, &rows, &document);
    Ok(())
}
