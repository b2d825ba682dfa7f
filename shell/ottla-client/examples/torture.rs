//! Ottla's own client under a broker that is killed again and again (`cargo xtask torture`): one
//! JSON object a line on standard output, see pure/ottla-judge/src/lines.rs. Goes on until standard
//! input ends, then waits for every outcome.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufWriter, Read, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ottla_client::offsets::Committed;
use ottla_client::{
    Client, ClientOptions, Consumer, ConsumerOptions, Delivery, OffsetSpec, Producer,
    ProducerOptions, ProducerRecord, TopicPartition,
};
use ottla_env::Env;
use ottla_env::os::OsEnv;
use ottla_env::sim::Random;
use ottla_protocol::records::Compression;
use ottla_protocol::{ErrorCode, Str};
use parking_lot::Mutex;

/// Records on their way at most, a producer.
const WAITING_MAX: usize = 3000;
/// Every outcome is known after this.
const OUTCOME_LIMIT: Duration = Duration::from_secs(120);

/// What all drivers of this process share.
struct Load {
    env: OsEnv,
    bootstrap: String,
    group: Str,
    places: Vec<TopicPartition>,
    seed: u64,
    /// Records a second, a producer.
    rate: u64,
    stopping: AtomicBool,
    out: Mutex<BufWriter<Stdout>>,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn main() -> std::io::Result<()> {
    ottla_env::os::run(Some(1), |env| async move {
        let mut places = Vec::new();
        for word in variable("TOPICS").split(',') {
            let (name, count) = word.split_once(':').unwrap_or((word, "1"));
            let (name, count) = (Str::copy_from(name), count.parse().unwrap_or(1));
            places.extend((0..count).map(|index| TopicPartition::new(name.clone(), index)));
        }
        let load = Arc::new(Load {
            env: env.clone(),
            bootstrap: variable("BOOTSTRAP"),
            group: Str::copy_from(variable("GROUPS_READ").split(',').next().unwrap_or("rust")),
            places,
            seed: variable("SEED").parse().unwrap_or(1),
            rate: variable("RATE").parse().unwrap_or(150),
            stopping: AtomicBool::new(false),
            out: Mutex::new(BufWriter::new(std::io::stdout())),
        });
        let mut work = vec![
            env.spawn("plain", produce(load.clone(), "rustplain", false, Compression::None)),
            env.spawn("once", produce(load.clone(), "rustonce", true, Compression::Zstd)),
        ];
        for who in ["rustread0", "rustread1"] {
            work.push(env.spawn("read", consume(load.clone(), who)));
        }
        let flushing = load.clone();
        drop(env.spawn("flush", async move {
            loop {
                flushing.env.sleep(Duration::from_millis(100)).await;
                let _ = flushing.out.lock().flush();
            }
        }));
        let read_to_end = || std::io::stdin().read_to_end(&mut Vec::new());
        let _ = env.run_blocking(read_to_end).await;
        load.stopping.store(true, Ordering::Relaxed);
        for task in work {
            let _ = task.await;
        }
        let _ = load.out.lock().flush();
    })
}

impl Load {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn client(&self, who: &str) -> Client<OsEnv> {
        let options = ClientOptions {
            client_id: who.to_owned(),
            request_timeout: Duration::from_secs(10),
            retry_backoff_max: Duration::from_millis(250),
            ..ClientOptions::new(&self.bootstrap)
        };
        Client::new(self.env.clone(), options)
    }

    fn note(&self, who: &str, event: &str, at: Option<&TopicPartition>, rest: &str) {
        let mut out = self.out.lock();
        // The one clock that all processes share, in nanoseconds.
        #[allow(clippy::disallowed_methods)]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let at = at.map_or(String::new(), |at| {
            format!(",\"topic\":\"{}\",\"p\":{}", at.topic, at.partition)
        });
        let _ = writeln!(out, "{{\"t\":{now},\"who\":\"{who}\",\"ev\":\"{event}\"{at}{rest}}}");
    }
}

async fn produce(load: Arc<Load>, who: &'static str, idempotent: bool, compression: Compression) {
    if idempotent {
        load.note(who, "idempotent", None, "");
    }
    let options = ProducerOptions {
        idempotent,
        compression,
        delivery_timeout: OUTCOME_LIMIT,
        ..ProducerOptions::default()
    };
    let producer = Producer::new(load.client(who), options).expect("valid options");
    let mut random = Random::new(load.seed ^ who.len() as u64);
    let mut waiting: VecDeque<(TopicPartition, String, Delivery)> = VecDeque::new();
    let mut count = 0u64;
    while !load.is_stopping() {
        for _ in 0..1 + random.below(60) {
            let place = load.places[random.below(load.places.len() as u64) as usize].clone();
            let value = format!("{who}:{count}");
            count += 1;
            load.note(who, "send", Some(&place), &format!(",\"v\":\"{value}\""));
            let mut bytes = format!("{value}|").into_bytes();
            filling(&mut random, &mut bytes);
            let record = ProducerRecord {
                partition: Some(place.partition),
                ..ProducerRecord::new(place.topic.clone(), bytes)
            };
            match producer.send(record).await {
                Ok(delivery) => waiting.push_back((place, value, delivery)),
                Err(error) => failed(&load, who, &place, &value, &error),
            }
        }
        let pause = Duration::from_micros(random.below(60_000_000 / load.rate.max(1)));
        let until = load.env.now() + pause;
        // Outcomes come in the order of sending, or nearly so.
        while !waiting.is_empty() && (load.env.now() < until || waiting.len() > WAITING_MAX) {
            let left = until.since(load.env.now()).max(Duration::from_millis(1));
            let (place, value, delivery) = waiting.front_mut().expect("not empty");
            let Ok(outcome) = load.env.timeout(left, delivery).await else { continue };
            told(&load, who, place, value, outcome);
            waiting.pop_front();
        }
        load.env.sleep_until(until).await;
    }
    for (place, value, delivery) in waiting {
        told(&load, who, &place, &value, delivery.await);
    }
    producer.close().await;
}

fn told(
    load: &Load,
    who: &str,
    place: &TopicPartition,
    value: &str,
    outcome: ottla_client::Result<ottla_client::Delivered>,
) {
    match outcome {
        Ok(done) => {
            // A repetition that the broker no longer remembers is acknowledged without its offset.
            let known = (done.offset >= 0).then_some(done.offset);
            let offset = known.map_or(String::new(), |offset| format!(",\"o\":{offset}"));
            load.note(who, "ack", Some(place), &format!(",\"v\":\"{value}\"{offset}"));
        }
        Err(error) => failed(load, who, place, value, &error),
    }
}

fn failed(load: &Load, who: &str, place: &TopicPartition, value: &str, why: &ottla_client::Error) {
    load.note(who, "fail", Some(place), &format!(",\"v\":\"{value}\""));
    if why.code() == Some(ErrorCode::OutOfOrderSequenceNumber) {
        load.note(who, "wrong", None, ",\"text\":\"a sequence out of order\"");
    }
}

/// Some bytes, seldom many; half of the time they cannot be compressed much.
fn filling(random: &mut Random, into: &mut Vec<u8>) {
    let size = match random.below(10) {
        0 => random.below(30_000),
        _ => [0, 10, 100, 300][random.below(4) as usize],
    };
    if random.below(2) == 0 {
        into.extend(std::iter::repeat_n(b'z', size as usize));
    } else {
        into.extend((0..size).map(|_| b'a' + random.below(26) as u8));
    }
}

async fn consume(load: Arc<Load>, who: &'static str) {
    let mut random = Random::new(load.seed ^ (who.as_bytes()[who.len() - 1]) as u64);
    let mut life = 0;
    while !load.is_stopping() {
        life += 1;
        let options = ConsumerOptions {
            group: Some(load.group.clone()),
            reset: Some(OffsetSpec::Earliest),
            auto_commit: None,
            session_timeout: Duration::from_millis(1500),
            heartbeat_interval: Duration::from_millis(200),
            fetch_max_wait: Duration::from_millis(100),
            ..ConsumerOptions::default()
        };
        let mut consumer = Consumer::new(load.client(who), options);
        let topics: std::collections::BTreeSet<Str> =
            load.places.iter().map(|place| place.topic.clone()).collect();
        consumer.subscribe(topics).expect("it has a group");
        membership(&load, &format!("{who}.{life}"), &mut consumer, &mut random).await;
        let _ = load.env.timeout(Duration::from_secs(10), consumer.close()).await;
    }
}

/// One member's life: reads, and commits what it has read.
async fn membership(load: &Load, who: &str, consumer: &mut Consumer<OsEnv>, random: &mut Random) {
    let leave = load.env.now() + Duration::from_millis(5000 + random.below(35_000));
    let mut due = load.env.now();
    let mut read: BTreeMap<TopicPartition, Committed> = BTreeMap::new();
    let mut member = consumer.membership();
    while !load.is_stopping() && load.env.now() < leave {
        let Ok(records) = consumer.poll(Duration::from_millis(100)).await else {
            load.env.sleep(Duration::from_millis(20)).await;
            continue;
        };
        if consumer.membership() != member {
            // Others may have read on from here; whoever reads it again commits it.
            member = consumer.membership();
            read.clear();
            load.note(who, "seek", None, "");
        }
        for record in records {
            let place = TopicPartition::new(record.topic.clone(), record.partition);
            let value = record.value.as_deref().unwrap_or_default();
            let name = value.split(|byte| *byte == b'|').next().unwrap_or_default();
            let (offset, name) = (record.offset, String::from_utf8_lossy(name));
            load.note(who, "read", Some(&place), &format!(",\"o\":{offset},\"v\":\"{name}\""));
            let (offset, leader_epoch) = (record.offset + 1, record.leader_epoch);
            read.insert(place, Committed { offset, leader_epoch, metadata: Str::default() });
        }
        if !read.is_empty() && load.env.now() >= due {
            due = load.env.now() + Duration::from_millis(100 + random.below(900));
            commit(load, who, consumer, std::mem::take(&mut read)).await;
        }
    }
}

async fn commit(
    load: &Load,
    who: &str,
    consumer: &mut Consumer<OsEnv>,
    read: BTreeMap<TopicPartition, Committed>,
) {
    let note = |event: &str| {
        for (place, committed) in &read {
            let rest = format!(",\"group\":\"{}\",\"o\":{}", load.group, committed.offset);
            load.note(who, event, Some(place), &rest);
        }
    };
    note("try_commit");
    let limit = Duration::from_secs(20);
    if let Ok(Ok(())) = load.env.timeout(limit, consumer.commit_offsets(&read)).await {
        note("commit");
    }
}
