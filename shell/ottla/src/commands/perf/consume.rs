//! `ottla perf consume`: reads a topic as fast as possible.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use ottla_client::{
    Admin, Client, ConsumedRecord, Consumer, ConsumerOptions, Isolation, TopicPartition,
};
use ottla_env::os::{OsEnv, shutdown_signal};
use ottla_env::{Env, MonoTime};
use ottla_protocol::Str;

use super::meter::{Ending, Meter, watch};
use crate::commands::consume::{is_at_end, partitions, reset};
use crate::commands::position::{self, Position};
use crate::commands::{Connection, Failure, Format, Outcome};
use crate::exit::Exit;
use crate::output;

/// `ottla perf consume ...`
#[derive(Debug, Args)]
pub(crate) struct PerfConsume {
    /// The topic.
    topic: String,
    /// End after so many records.
    #[arg(short = 'n', long, value_name = "N", alias = "messages", conflicts_with = "seconds")]
    records: Option<u64>,
    /// End after so many seconds. Without this and --records, what is the end of the topic at the
    /// start is the end.
    #[arg(short, long, value_name = "S", value_parser = super::seconds)]
    seconds: Option<Duration>,
    /// Read as a member of this group and commit what was read. The time to join is not counted.
    #[arg(short, long)]
    group: Option<String>,
    /// Where to begin: beginning, end, an offset, -N (N before the end), @time. In a group it counts
    /// only where nothing is committed.
    #[arg(long, value_name = "PLACE", default_value = "beginning", allow_hyphen_values = true)]
    from: Position,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

/// Does it.
pub(super) fn run(flags: PerfConsume) -> Exit {
    let connection = flags.connection.clone();
    connection.run(|client| async move { consume(client, &flags).await })
}

async fn consume(client: Client<OsEnv>, flags: &PerfConsume) -> Outcome {
    let endless = flags.records.is_none() && flags.seconds.is_none();
    if endless && flags.from == Position::End {
        let text = "from the end there is no end to reach: say --records N or --seconds S";
        return Err(Failure::Input(text.to_owned()));
    }
    let mut signals = shutdown_signal()?;
    let topics = [Str::from(&flags.topic)];
    client.topics(&topics, false).await?;
    let env = client.env().clone();
    let admin = Admin::new(client.clone());
    let partitions = partitions(&client, &topics, &[])?;
    let isolation = Isolation::ReadUncommitted;
    let find = |place| position::find(&admin, &partitions, place, isolation, env.wall_ms());
    let starts = find(flags.from).await?;
    let ends = if endless { Some(find(Position::End).await?) } else { None };
    let mut consumer = Consumer::new(client.clone(), options(flags, isolation));
    if flags.group.is_some() {
        consumer.subscribe(topics)?;
    } else {
        consumer.assign(partitions.iter().cloned());
        for (partition, offset) in &starts {
            consumer.seek(partition, *offset)?;
        }
    }
    // Joins, finds where to begin and sends the first fetches: the time counts from here.
    let first = consumer.poll(Duration::ZERO).await?;
    let begin = env.now();
    let meter = Meter::new(begin);
    let mut reading = Reading { env: &env, flags, meter: &meter, ends, begin };
    let work = reading.run(&mut consumer, first);
    let stopped = match watch(&env, &meter, &mut signals, None, work).await {
        Ending::Done(stopped) => stopped?,
        Ending::TimeUp => None,
        Ending::Stopped(exit) => Some(exit),
    };
    let exit = super::tell(&meter, flags.output, stopped);
    consumer.close().await?;
    Ok(exit)
}

fn options(flags: &PerfConsume, isolation: Isolation) -> ConsumerOptions {
    ConsumerOptions {
        group: flags.group.as_ref().map(Str::from),
        reset: Some(reset(flags.from)),
        isolation,
        auto_commit: flags.group.is_some().then_some(Duration::from_secs(1)),
        ..ConsumerOptions::default()
    }
}

/// The loop: poll, count, look whether it is time to end.
struct Reading<'a> {
    env: &'a OsEnv,
    flags: &'a PerfConsume,
    meter: &'a Meter,
    /// Where to end, partition by partition.
    ends: Option<BTreeMap<TopicPartition, i64>>,
    begin: MonoTime,
}

impl Reading<'_> {
    /// Says with what it stopped, if not because it was done.
    async fn run(
        &mut self,
        consumer: &mut Consumer<OsEnv>,
        first: Vec<ConsumedRecord>,
    ) -> Outcome<Option<Exit>> {
        const POLL: Duration = Duration::from_millis(500);
        let patience = Duration::from_secs(self.flags.connection.timeout);
        let until = self.flags.seconds.map(|seconds| self.begin + seconds);
        let mut last = self.begin;
        let mut records = first;
        loop {
            let now = self.env.now();
            if !records.is_empty() {
                last = now;
                self.count(&records, now);
            }
            let enough = self.flags.records.is_some_and(|limit| self.meter.records() >= limit);
            let at_end = self.ends.as_ref().is_some_and(|ends| is_at_end(consumer, ends));
            if enough || at_end || until.is_some_and(|until| now >= until) {
                return Ok(None);
            }
            if until.is_none() && now.since(last) >= patience {
                let seconds = patience.as_secs();
                output::complain(&format!("error: no record came for {seconds} s (--timeout)"));
                return Ok(Some(Exit::TimedOut));
            }
            let longest = until.map_or(POLL, |until| POLL.min(until - now));
            records = consumer.poll(longest).await?;
        }
    }

    /// Counts what was asked for, not what came with it.
    fn count(&self, records: &[ConsumedRecord], now: MonoTime) {
        let left = self.flags.records.map_or(u64::MAX, |limit| limit - self.meter.records());
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let wanted = |record: &&ConsumedRecord| {
            self.ends.as_ref().is_none_or(|ends| {
                let partition = TopicPartition::new(record.topic.clone(), record.partition);
                ends.get(&partition).is_none_or(|end| record.offset < *end)
            })
        };
        let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, |b| b.len() as u64);
        let counted = records.iter().filter(wanted).take(left);
        let (mut count, mut bytes) = (0, 0);
        for record in counted {
            count += 1;
            bytes += length(&record.key) + length(&record.value);
        }
        self.meter.done(count, bytes, now);
    }
}
