//! Producers: idempotent, or such that may double and, with fewer acknowledgements, lose.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_client::{Acks, Delivery, Producer, ProducerOptions, ProducerRecord};
use ottla_env::Env;
use ottla_env::sim::{Random, SimEnv};
use ottla_judge::What;
use ottla_protocol::records::Compression;

use super::super::choice::Work;
use super::{
    CALL_LIMIT, FLEETING, GROWING, RETRY, SENDS_MAX, SHORT, STEADY, Setup, TRIMMED, connect, pause,
    place,
};

/// Records sent at once at most.
const BURST_MAX: u64 = 12;
/// Records not awaited at most.
const AHEAD_MAX: usize = 40;

/// A record on its way.
struct Sent {
    delivery: Delivery,
    topic: &'static str,
    partition: i32,
    value: String,
    /// The life of `FLEETING` it was sent in.
    life: u64,
}

struct Session<E: Env> {
    env: E,
    setup: Arc<Setup>,
    random: Random,
    who: String,
    acks: Acks,
    sent: VecDeque<Sent>,
    next: u64,
}

/// Produces until the run stops; after a failure as another producer.
pub(super) async fn run(
    env: SimEnv,
    setup: Arc<Setup>,
    mut random: Random,
    name: String,
    idempotent: bool,
) {
    let mut left = SENDS_MAX;
    for number in 0.. {
        if setup.is_stopping() {
            return;
        }
        let acks = match random.below(4) {
            0 if !idempotent => Acks::Leader,
            1 if !idempotent => Acks::None,
            _ => Acks::All,
        };
        let session = Session {
            env: env.clone(),
            setup: setup.clone(),
            random: Random::new(random.next_u64()),
            who: format!("{name}.{number}"),
            acks,
            sent: VecDeque::new(),
            next: 0,
        };
        session.run(idempotent, &mut left).await;
        env.sleep(RETRY).await;
    }
}

impl<E: Env> Session<E> {
    async fn run(mut self, idempotent: bool, left: &mut u64) {
        let client = connect(&self.env, &self.setup.bootstrap);
        let mut codecs = [Compression::None; 8];
        codecs[6..].copy_from_slice(&[Compression::Lz4, Compression::Snappy]);
        let options = ProducerOptions {
            acks: self.acks,
            idempotent,
            linger: Duration::from_millis(self.random.below(20)),
            batch_bytes: 1 << self.random.between(8, 17),
            compression: codecs[self.random.index(codecs.len())],
            delivery_timeout: CALL_LIMIT,
            in_flight_max: self.random.between(1, 5) as usize,
            ..ProducerOptions::default()
        };
        let Ok(producer) = Producer::new(client, options) else { return };
        if idempotent {
            self.setup.diary.note(self.env.now(), &self.who, What::Idempotent);
        }
        let mut well = true;
        while well && !self.setup.is_stopping() {
            if *left > 0 {
                for _ in 0..self.random.between(1, BURST_MAX).min(*left) {
                    *left -= 1;
                    well &= self.send(&producer).await;
                }
            }
            while well && (self.sent.len() > AHEAD_MAX || self.random.chance(30)) {
                well &= self.hear().await;
            }
            // Now and then a client ends in the middle of everything.
            if self.random.chance(1) {
                break;
            }
            let pace_ms = self.setup.choice.pace_ms;
            pause(&self.env, &mut self.random, pace_ms).await;
        }
        while !self.sent.is_empty() {
            self.hear().await;
        }
        producer.close().await;
    }

    async fn send(&mut self, producer: &Producer<E>) -> bool {
        let life = self.setup.lives.load(Ordering::Relaxed);
        let Some((topic, partition)) = self.target(life) else { return true };
        let name = format!("{}:{}", self.who, self.next);
        self.next += 1;
        let padding = "x".repeat(self.random.index(self.setup.choice.padding));
        let value = format!("{name} {padding}");
        let what = What::Send { at: place(topic, partition), v: name.as_str() };
        self.setup.diary.note(self.env.now(), &self.who, what);
        let record =
            ProducerRecord { partition: Some(partition), ..ProducerRecord::new(topic, value) };
        match producer.send(record).await {
            Ok(delivery) => {
                self.sent.push_back(Sent { delivery, topic, partition, value: name, life });
                true
            }
            Err(_) => {
                let what = What::Fail { at: place(topic, partition), v: name.as_str() };
                self.setup.diary.note(self.env.now(), &self.who, what);
                false
            }
        }
    }

    /// Hears of the oldest record's fate; says whether it is well.
    async fn hear(&mut self) -> bool {
        let Some(sent) = self.sent.pop_front() else { return true };
        let Sent { delivery, topic, partition, value, life } = sent;
        let at = place(topic, partition);
        let told = delivery.timed().await;
        // Of a topic that was deleted since it is not known which of the two has the record.
        let same = topic != FLEETING || life == self.setup.lives.load(Ordering::Relaxed);
        // One copy is a promise only where there is no other that may take over.
        let promised =
            self.acks == Acks::All || self.acks == Acks::Leader && self.setup.choice.nodes == 1;
        let v = value.as_str();
        match told {
            Ok((delivered, heard_at)) if same && promised => {
                let what = What::Ack { at, o: delivered.offset, v };
                self.setup.diary.note(heard_at, &self.who, what);
                true
            }
            Ok(_) => true,
            Err(_) => {
                self.setup.diary.note(self.env.now(), &self.who, What::Fail { at, v });
                false
            }
        }
    }

    /// Where the next record goes.
    fn target(&mut self, life: u64) -> Option<(&'static str, i32)> {
        let choice = &self.setup.choice;
        Some(match self.random.below(8) {
            0 if choice.has(Work::Trim) => (TRIMMED, 0),
            1 if choice.has(Work::Retention) => (SHORT, 0),
            2 if choice.has(Work::Fleeting) => {
                if life % 2 == 1 {
                    return None;
                }
                (FLEETING, 0)
            }
            3 if choice.has(Work::Growth) => {
                let grown = self.setup.grown.load(Ordering::Relaxed);
                (GROWING, self.random.below(grown as u64) as i32)
            }
            _ => (STEADY, self.random.below(choice.partitions as u64) as i32),
        })
    }
}
