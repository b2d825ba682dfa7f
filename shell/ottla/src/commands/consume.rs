//! `ottla consume`: records of topics to standard output.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ottla_client::{
    Admin, Client, ConsumedRecord, Consumer, ConsumerOptions, Isolation, OffsetSpec, TopicPartition,
};
use ottla_env::Env;
use ottla_env::os::{OsEnv, ShutdownSignals, Signal, shutdown_signal};
use ottla_protocol::Str;

use super::position::{self, Position};
use super::template::Template;
use super::{Connection, Failure, Format, Outcome, record_json};
use crate::exit::Exit;

/// `ottla consume ...`
#[derive(Debug, Args)]
pub(crate) struct Consume {
    /// The topics.
    #[arg(required = true)]
    topics: Vec<String>,
    /// Only these partitions; may be given many times.
    #[arg(short, long, conflicts_with = "group")]
    partition: Vec<i32>,
    /// Where to begin: beginning, end, an offset, -N (N before the end), @time (ms, 2026-11-22T18:00Z
    /// or -1h). In a group it counts only where nothing is committed.
    #[arg(long, value_name = "PLACE", default_value = "beginning", allow_hyphen_values = true)]
    from: Position,
    /// Read as a member of this group and commit what was written.
    #[arg(short, long)]
    group: Option<String>,
    /// End at what is now the end, instead of waiting for more.
    #[arg(short, long)]
    exit: bool,
    /// End after so many records.
    #[arg(short, long, value_name = "N")]
    num: Option<u64>,
    /// How a record is written, in the words of kcat and rpk: '%t/%p@%o %k=%v\n'.
    #[arg(short, long, value_name = "TEMPLATE", conflicts_with = "output", value_parser = Template::parse)]
    format: Option<Template>,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// What is seen of transactions.
    #[arg(long, value_enum, default_value_t)]
    isolation: See,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
enum See {
    /// Only what was committed.
    #[default]
    Committed,
    /// Everything.
    Uncommitted,
}

/// Does it.
pub(crate) fn run(flags: Consume) -> Exit {
    let connection = flags.connection.clone();
    connection.run(|client| async move { consume(client, &flags).await })
}

async fn consume(client: Client<OsEnv>, flags: &Consume) -> Outcome {
    let mut signals = shutdown_signal()?;
    let topics: Vec<Str> = flags.topics.iter().map(Str::from).collect();
    client.topics(&topics, false).await?;
    let isolation = match flags.isolation {
        See::Committed => Isolation::ReadCommitted,
        See::Uncommitted => Isolation::ReadUncommitted,
    };
    let admin = Admin::new(client.clone());
    let partitions = partitions(&client, &topics, &flags.partition)?;
    let now_ms = client.env().wall_ms();
    let find = |place| position::find(&admin, &partitions, place, isolation, now_ms);
    let starts = find(flags.from).await?;
    let ends = if flags.exit { Some(find(Position::End).await?) } else { None };

    let mut consumer = Consumer::new(client.clone(), options(flags, isolation));
    if flags.group.is_some() {
        consumer.subscribe(topics)?;
    } else {
        consumer.assign(partitions.iter().cloned());
        for (partition, offset) in &starts {
            consumer.seek(partition, *offset)?;
        }
    }
    let mut writing = Writing { flags, written: 0, ends };
    let exit = writing.run(&mut consumer, &mut signals).await?;
    consumer.close().await?;
    Ok(exit)
}

fn options(flags: &Consume, isolation: Isolation) -> ConsumerOptions {
    ConsumerOptions {
        group: flags.group.as_ref().map(Str::from),
        reset: Some(reset(flags.from)),
        isolation,
        // What a poll returned is written before the next one commits it.
        auto_commit: flags.group.is_some().then_some(Duration::from_secs(1)),
        ..ConsumerOptions::default()
    }
}

/// Where a group begins that has committed nothing.
pub(super) fn reset(from: Position) -> OffsetSpec {
    match from {
        Position::End => OffsetSpec::Latest,
        Position::Time(ms) => OffsetSpec::Timestamp(ms),
        _ => OffsetSpec::Earliest,
    }
}

/// All partitions of the topics, or those that were asked for.
pub(super) fn partitions(
    client: &Client<OsEnv>,
    topics: &[Str],
    asked: &[i32],
) -> Outcome<Vec<TopicPartition>> {
    let cluster = client.cluster();
    let mut found = Vec::new();
    for name in topics {
        let Some(topic) = cluster.topic(name) else { continue };
        let wanted = topic.partitions.iter().map(|partition| partition.index);
        let wanted: Vec<i32> = if asked.is_empty() { wanted.collect() } else { asked.to_vec() };
        for index in wanted {
            if topic.partition(index).is_none() {
                let count = topic.partitions.len();
                let text =
                    format!("{name} has no partition {index}: it has {count}, counted from 0");
                return Err(Failure::Input(text));
            }
            found.push(TopicPartition::new(name.clone(), index));
        }
    }
    Ok(found)
}

/// Whether every partition that is assigned was read to its end.
pub(super) fn is_at_end(consumer: &Consumer<OsEnv>, ends: &BTreeMap<TopicPartition, i64>) -> bool {
    let mut assigned = consumer.assignment().peekable();
    let nothing_yet = assigned.peek().is_none();
    let reached = |partition: &TopicPartition| {
        let end = ends.get(partition).copied().unwrap_or(0);
        consumer.position(partition).is_some_and(|position| position >= end)
    };
    // A member without partitions has nothing to wait for once it has joined.
    if nothing_yet { consumer.membership().1 >= 0 } else { assigned.all(reached) }
}

/// The loop: poll, write, look whether it is time to end.
struct Writing<'a> {
    flags: &'a Consume,
    written: u64,
    /// Where to end, partition by partition.
    ends: Option<BTreeMap<TopicPartition, i64>>,
}

impl Writing<'_> {
    async fn run(
        &mut self,
        consumer: &mut Consumer<OsEnv>,
        signals: &mut ShutdownSignals,
    ) -> Outcome {
        const POLL: Duration = Duration::from_millis(500);
        while !self.is_done(consumer) {
            let records = tokio::select! {
                biased;
                signal = signals.next() => {
                    return Ok(match signal {
                        Signal::Interrupt => Exit::Interrupted,
                        Signal::Terminate => Exit::Done,
                    });
                }
                records = consumer.poll(POLL) => records?,
            };
            if !self.write(consumer, records)? {
                break;
            }
        }
        Ok(Exit::Done)
    }

    /// Whether everything that was asked for is written.
    fn is_done(&self, consumer: &Consumer<OsEnv>) -> bool {
        let enough = self.flags.num.is_some_and(|limit| self.written >= limit);
        let at_end = self.ends.as_ref().is_some_and(|ends| is_at_end(consumer, ends));
        enough || at_end
    }

    /// Says whether to go on: not when nobody reads what is written.
    fn write(
        &mut self,
        consumer: &mut Consumer<OsEnv>,
        records: Vec<ConsumedRecord>,
    ) -> Outcome<bool> {
        let mut out = Vec::new();
        let mut left_out = BTreeSet::new();
        for record in records {
            let partition = TopicPartition::new(record.topic.clone(), record.partition);
            if self.flags.num.is_some_and(|limit| self.written >= limit) {
                // Not written, so not to be committed.
                if left_out.insert(partition.clone()) {
                    consumer.seek(&partition, record.offset)?;
                }
                continue;
            }
            let end = self.ends.as_ref().and_then(|ends| ends.get(&partition));
            if end.is_some_and(|end| record.offset >= *end) {
                continue;
            }
            self.written += 1;
            self.write_one(&record, &mut out);
        }
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(&out).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn write_one(&self, record: &ConsumedRecord, out: &mut Vec<u8>) {
        if let Some(template) = &self.flags.format {
            template.write(record, self.written, out);
            return;
        }
        match self.flags.output {
            Format::Text => out.extend_from_slice(record.value.as_deref().unwrap_or_default()),
            Format::Json => {
                out.extend_from_slice(format!("{:#}", record_json::to_json(record)).as_bytes());
            }
            Format::Jsonl => {
                out.extend_from_slice(record_json::to_json(record).to_string().as_bytes());
            }
        }
        out.push(b'\n');
    }
}
