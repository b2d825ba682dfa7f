//! `ottla produce`: lines of standard input become records.

use std::io::BufRead;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use ottla_client::{Acks, Client, Delivery, Producer, ProducerOptions, ProducerRecord};
use ottla_env::Env;
use ottla_env::os::OsEnv;
use ottla_protocol::Str;
use ottla_protocol::records::Compression;

use super::record_json::{self, Keep};
use super::topic::key_value;
use super::{Connection, Failure, Outcome};
use crate::exit::Exit;
use crate::output;

/// `ottla produce ...`
#[derive(Debug, Args)]
pub(crate) struct Produce {
    /// The topic; made on first use if the broker allows that.
    topic: String,
    /// The key of every record.
    #[arg(short, long)]
    key: Option<String>,
    /// What stands between key and value in a line.
    #[arg(short = 'K', long, value_name = "TEXT", conflicts_with = "key")]
    key_separator: Option<String>,
    /// A header of every record; may be given many times.
    #[arg(short = 'H', long = "header", value_name = "KEY=VALUE", value_parser = key_value)]
    headers: Vec<(String, String)>,
    /// The partition; by the key, or any, if not given.
    #[arg(short, long)]
    partition: Option<i32>,
    /// How batches are compressed: none, gzip, snappy, lz4, zstd.
    #[arg(short = 'z', long, default_value = "none", value_parser = compression)]
    compression: Compression,
    /// How lines are read: text, or jsonl as `consume -o jsonl` writes it.
    #[arg(short, long, value_enum, default_value_t)]
    input: Input,
    /// With jsonl: take each line's partition, too.
    #[arg(long)]
    keep_partition: bool,
    /// With jsonl: take each line's timestamp, too.
    #[arg(long)]
    keep_timestamp: bool,
    /// An empty line is a record without a value (a tombstone, with a key).
    #[arg(short = 'Z', long)]
    null: bool,
    /// Replicas that must have a record: 0, 1 or all.
    #[arg(short, long, default_value = "all", value_parser = acks)]
    acks: Acks,
    /// Wait so long for more records before a batch is sent.
    #[arg(long, value_name = "MS", default_value_t = 5)]
    linger: u64,
    /// Say where each record went.
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
enum Input {
    #[default]
    Text,
    Jsonl,
}

/// Deliveries not yet looked at; beyond it, reading waits.
const DELIVERIES_MAX: usize = 10_000;

/// Does it.
pub(crate) fn run(flags: Produce) -> Exit {
    let connection = flags.connection.clone();
    connection.run(|client| async move { produce(client, &flags).await })
}

async fn produce(client: Client<OsEnv>, flags: &Produce) -> Outcome {
    let topic = Str::from(&flags.topic);
    // A topic that is not there is told before anything is read.
    client.topics(std::slice::from_ref(&topic), true).await?;
    let env = client.env().clone();
    let options = ProducerOptions {
        acks: flags.acks,
        idempotent: flags.acks == Acks::All,
        compression: flags.compression,
        linger: Duration::from_millis(flags.linger),
        delivery_timeout: Duration::from_secs(flags.connection.timeout.max(1)),
        ..ProducerOptions::default()
    };
    let producer = Producer::new(client, options)?;
    let mut deliveries = Vec::new();
    let sent = send_input(&env, &producer, &topic, flags, &mut deliveries).await;
    // What came before a bad line is sent all the same, so that its number says where to go on.
    producer.flush().await;
    settle(&mut deliveries, flags.verbose).await?;
    sent.map(|()| Exit::Done)
}

async fn send_input(
    env: &OsEnv,
    producer: &Producer<OsEnv>,
    topic: &Str,
    flags: &Produce,
    deliveries: &mut Vec<Delivery>,
) -> Outcome<()> {
    let mut number = 0u64;
    let mut buffer = Vec::new();
    loop {
        let read = env.run_blocking(read_some).await;
        let some = read.map_err(|_| Failure::Input("stopped".to_owned()))??;
        let ended = some.is_empty();
        buffer.extend(some);
        if ended && !buffer.is_empty() {
            // A last line may lack its end.
            buffer.push(b'\n');
        }
        for line in take_lines(&mut buffer) {
            number += 1;
            let record = record(&line, topic, flags);
            let record = record.map_err(|what| Failure::Input(format!("line {number}: {what}")))?;
            deliveries.push(producer.send(record).await?);
        }
        if deliveries.len() >= DELIVERIES_MAX || flags.verbose {
            settle(deliveries, flags.verbose).await?;
        }
        if ended {
            return Ok(());
        }
    }
}

/// Waits for what was sent.
async fn settle(deliveries: &mut Vec<Delivery>, verbose: bool) -> Outcome<()> {
    for delivery in deliveries.drain(..) {
        let delivered = delivery.await?;
        if verbose {
            let (partition, offset) = (delivered.partition, delivered.offset);
            output::complain(&format!("{} partition {partition} offset {offset}", delivered.topic));
        }
    }
    Ok(())
}

fn record(line: &[u8], topic: &Str, flags: &Produce) -> Result<ProducerRecord, String> {
    let mut record = match flags.input {
        Input::Jsonl => {
            let line = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
            let keep = Keep { partition: flags.keep_partition, timestamp: flags.keep_timestamp };
            record_json::from_json(line, topic, keep)?
        }
        Input::Text => text_record(line, topic, flags)?,
    };
    if let Some(key) = &flags.key {
        record.key = Some(Bytes::copy_from_slice(key.as_bytes()));
    }
    record.partition = flags.partition.or(record.partition);
    for (key, value) in &flags.headers {
        let value = Bytes::copy_from_slice(value.as_bytes());
        record.headers.push((Str::from(key), Some(value)));
    }
    Ok(record)
}

fn text_record(line: &[u8], topic: &Str, flags: &Produce) -> Result<ProducerRecord, String> {
    let (key, value) = match flags.key_separator.as_deref().filter(|text| !text.is_empty()) {
        None => (None, line),
        Some(separator) => {
            let at = line.windows(separator.len()).position(|part| part == separator.as_bytes());
            let at = at.ok_or_else(|| format!("no \"{separator}\" between key and value"))?;
            (Some(&line[..at]), &line[at + separator.len()..])
        }
    };
    let value = (!(flags.null && value.is_empty())).then(|| Bytes::copy_from_slice(value));
    Ok(ProducerRecord {
        topic: topic.clone(),
        key: key.map(Bytes::copy_from_slice),
        value,
        ..ProducerRecord::default()
    })
}

/// What is there of the input, at least something unless it has ended: what a human typed goes out
/// at once, and a pipe is read in large pieces.
fn read_some() -> std::io::Result<Vec<u8>> {
    let mut input = std::io::stdin().lock();
    let some = input.fill_buf()?.to_vec();
    input.consume(some.len());
    Ok(some)
}

/// Takes the whole lines off the front, without their line ends.
fn take_lines(buffer: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let Some(end) = buffer.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    let rest = buffer.split_off(end + 1);
    let whole = std::mem::replace(buffer, rest);
    let lines = whole[..end].split(|byte| *byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()).collect()
}

pub(super) fn compression(text: &str) -> Result<Compression, String> {
    let known = Compression::from_name(text);
    known.ok_or_else(|| format!("\"{text}\" is not none, gzip, snappy, lz4 or zstd"))
}

pub(super) fn acks(text: &str) -> Result<Acks, String> {
    match text {
        "0" => Ok(Acks::None),
        "1" => Ok(Acks::Leader),
        "all" | "-1" => Ok(Acks::All),
        other => Err(format!("\"{other}\" is not 0, 1 or all")),
    }
}
