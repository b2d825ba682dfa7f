//! Batches against a broker of a few lines that loses requests and answers: every record is in the
//! log once and in order, whatever happens on the way.

use std::collections::VecDeque;
use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::records::{BatchHeader, records};
use proptest::prelude::*;
use tokio::sync::{Semaphore, oneshot};

use super::*;
use crate::producer::{ProducerRecord, Told};

const PRODUCER: (i64, i16) = (7, 0);

/// The log of one partition and the sequences it accepts, as a broker judges them: any is right for the first batch of
/// a producer.
#[derive(Default)]
struct Broker {
    log: Vec<Bytes>,
    next_sequence: i32,
    known: VecDeque<(i32, i64)>,
}

impl Broker {
    /// The base offset, or an error code.
    fn append(&mut self, batch: &Bytes) -> Result<i64, ErrorCode> {
        let header = BatchHeader::parse(batch).unwrap();
        if let Some((_, offset)) = self.known.iter().find(|(s, _)| *s == header.base_sequence) {
            return Ok(*offset);
        }
        let is_known = !self.known.is_empty();
        if is_known && header.base_sequence != self.next_sequence {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        let offset = self.log.len() as i64;
        for record in records(&header, batch, 1 << 20).unwrap() {
            self.log.push(record.unwrap().value.unwrap());
        }
        self.next_sequence = wrap(header.base_sequence, header.records_count as usize);
        self.known.push_back((header.base_sequence, offset));
        if self.known.len() > 5 {
            self.known.pop_front();
        }
        Ok(offset)
    }
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Fine,
    RequestLost,
    AnswerLost,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![3 => Just(Fate::Fine), 1 => Just(Fate::RequestLost), 1 => Just(Fate::AnswerLost)]
}

fn pending(number: usize, memory: &Arc<Semaphore>) -> (Pending, oneshot::Receiver<Result<Told>>) {
    let (tell, told) = oneshot::channel();
    let record = ProducerRecord::new("t", number.to_string());
    let permit = memory.clone().try_acquire_owned().unwrap();
    (Pending { record, timestamp: 0, tell, _memory: permit }, told)
}

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// A sender in one function: requests on their way come back in any order of the choices.
struct Sender {
    accumulator: Accumulator,
    broker: Broker,
    on_the_way: VecDeque<(Batch, Result<i64, ErrorCode>)>,
    now: MonoTime,
}

impl Sender {
    fn step(&mut self, fates: &mut impl Iterator<Item = Fate>, come_back: bool) {
        self.now = self.now + Duration::from_millis(10);
        let due = self.accumulator.due(self.now, |_| Some((1, Uuid::ZERO)));
        assert!(due.expired.is_empty());
        for (_, batch) in due.by_leader.into_values().flatten() {
            let answer = match fates.next().unwrap_or(Fate::Fine) {
                Fate::Fine => self.broker.append(&batch.bytes()),
                Fate::RequestLost => Err(ErrorCode::NetworkException),
                Fate::AnswerLost => {
                    let _ = self.broker.append(&batch.bytes());
                    Err(ErrorCode::NetworkException)
                }
            };
            self.on_the_way.push_back((batch, answer));
        }
        if come_back && let Some((batch, answer)) = self.on_the_way.pop_front() {
            self.take(batch, answer);
        }
    }

    fn take(&mut self, batch: Batch, answer: Result<i64, ErrorCode>) {
        match answer {
            Ok(offset) => {
                self.accumulator.end(&partition(), &batch, true);
                batch.delivered(&partition(), offset, -1, MonoTime::default());
            }
            Err(code) => {
                let overtaken = code == ErrorCode::OutOfOrderSequenceNumber;
                assert!(!overtaken || self.accumulator.is_behind_another(&partition(), &batch));
                self.accumulator.again(&partition(), batch, self.now);
            }
        }
    }
}

proptest! {
    #[test]
    fn every_record_once_and_in_order(
        fates in prop::collection::vec(fate(), 0..40),
        steps in prop::collection::vec((0..4usize, any::<bool>()), 1..60),
    ) {
        let options = ProducerOptions { batch_bytes: 60, ..ProducerOptions::default() };
        let memory = Arc::new(Semaphore::new(10_000));
        let mut accumulator = Accumulator::new(&options);
        accumulator.producer = Some(PRODUCER);
        let mut sender = Sender {
            accumulator,
            broker: Broker::default(),
            on_the_way: VecDeque::new(),
            now: MonoTime::default(),
        };
        let (mut fates, mut told) = (fates.into_iter(), Vec::new());
        for (count, come_back) in steps {
            for _ in 0..count {
                let (pending, receiver) = pending(told.len(), &memory);
                sender.accumulator.add(pending, 26, Some(0), 1, sender.now, || 0).unwrap();
                told.push(receiver);
            }
            sender.step(&mut fates, come_back);
        }
        sender.accumulator.flushing = 1;
        for _ in 0..2000 {
            sender.step(&mut fates, true);
        }
        prop_assert_eq!(sender.accumulator.unfinished, 0);
        prop_assert_eq!(sender.accumulator.in_flight, 0);
        prop_assert!(!sender.accumulator.renew);
        let expected: Vec<Bytes> = (0..told.len()).map(|n| Bytes::from(n.to_string())).collect();
        prop_assert_eq!(sender.broker.log, expected);
        for (number, mut receiver) in told.into_iter().enumerate() {
            prop_assert_eq!(receiver.try_recv().unwrap().unwrap().0.offset, number as i64);
        }
        prop_assert_eq!(memory.available_permits(), 10_000);
    }
}

#[test]
fn a_batch_whose_time_is_up_is_handed_back() {
    let options =
        ProducerOptions { delivery_timeout: Duration::from_secs(1), ..ProducerOptions::default() };
    let memory = Arc::new(Semaphore::new(10));
    let mut accumulator = Accumulator::new(&options);
    let (pending, _told) = pending(0, &memory);
    accumulator.add(pending, 26, Some(0), 1, MonoTime::default(), || 0).unwrap();
    let due = accumulator.due(MonoTime::default() + Duration::from_secs(2), |_| None);
    assert_eq!((due.expired.len(), accumulator.unfinished, accumulator.renew), (1, 0, false));
}

fn take_due(accumulator: &mut Accumulator) -> Vec<Batch> {
    let due =
        accumulator.due(MonoTime::default() + Duration::from_secs(1), |_| Some((1, Uuid::ZERO)));
    due.by_leader.into_values().flatten().map(|(_, batch)| batch).collect()
}

/// A broker that does not know a producer id takes any sequence as its first.
#[test]
fn nothing_overtakes_the_first_batch_of_a_producer_id() {
    let options = ProducerOptions { batch_bytes: 1, ..ProducerOptions::default() };
    let memory = Arc::new(Semaphore::new(10));
    let mut accumulator = Accumulator::new(&options);
    for id in [PRODUCER, (PRODUCER.0 + 1, 0)] {
        accumulator.renewed(id);
        for number in 0..3 {
            let (pending, _told) = pending(number, &memory);
            accumulator.add(pending, 26, Some(0), 1, MonoTime::default(), || 0).unwrap();
        }
        let first = take_due(&mut accumulator).pop().unwrap();
        assert_eq!((first.sequence, take_due(&mut accumulator).len()), (Some(0), 0));
        accumulator.end(&partition(), &first, true);
        let rest = [(); 2].map(|()| take_due(&mut accumulator).pop().unwrap());
        assert_eq!(rest.each_ref().map(|batch| batch.sequence), [Some(1), Some(2)]);
        rest.iter().for_each(|batch| accumulator.end(&partition(), batch, true));
    }
}

/// Goal: when a batch's time is up and the producer gets another id, what was sent after that batch is in
/// the log once. Method: two batches on their way, of which both or none reach the log and whose answers
/// are lost; the first is given up, the second goes again.
#[test]
fn another_id_doubles_nothing() {
    for reaches_the_log in [true, false] {
        let options = ProducerOptions {
            batch_bytes: 1,
            delivery_timeout: Duration::from_secs(10),
            ..ProducerOptions::default()
        };
        let memory = Arc::new(Semaphore::new(10));
        let mut accumulator = Accumulator::new(&options);
        accumulator.producer = Some(PRODUCER);
        // The broker's memory of each id.
        let (mut former, mut present) = (Broker::default(), Broker::default());
        let at = |seconds| MonoTime::default() + Duration::from_secs(seconds);
        let take = |accumulator: &mut Accumulator, seconds| {
            let due = accumulator.due(at(seconds), |_| Some((1, Uuid::ZERO)));
            (due.by_leader.into_values().flatten().map(|(_, batch)| batch).next(), due.expired)
        };
        let mut told = Vec::new();
        for (number, seconds) in [(0, 0), (1, 1), (2, 5)] {
            let (pending, receiver) = pending(number, &memory);
            accumulator.add(pending, 26, Some(0), 1, at(seconds), || 0).unwrap();
            told.push(receiver);
        }
        let first = take(&mut accumulator, 5).0.unwrap();
        former.append(&first.bytes()).unwrap();
        accumulator.end(&partition(), &first, true);
        for batch in [(); 2].map(|()| take(&mut accumulator, 5).0.unwrap()) {
            if reaches_the_log {
                former.append(&batch.bytes()).unwrap();
            }
            accumulator.again(&partition(), batch, at(5));
        }
        let (again, expired) = take(&mut accumulator, 12);
        assert!(expired.len() == 1 && accumulator.renew);
        accumulator.again(&partition(), again.unwrap(), at(12));
        assert!(take(&mut accumulator, 12).0.is_none(), "first another id");
        accumulator.renewed((PRODUCER.0 + 1, 0));
        let again = take(&mut accumulator, 12).0.unwrap();
        match former.append(&again.bytes()) {
            Ok(offset) => assert_eq!((offset, reaches_the_log), (2, true)),
            Err(code) => {
                assert_eq!((code, reaches_the_log), (ErrorCode::OutOfOrderSequenceNumber, false));
                assert!(accumulator.is_of_former_id(&again));
                accumulator.anew(&partition(), again);
                let anew = take(&mut accumulator, 12).0.unwrap();
                assert_eq!(present.append(&anew.bytes()), Ok(0));
                accumulator.end(&partition(), &anew, true);
                assert!(!accumulator.renew);
            }
        }
        let logged: Vec<Bytes> = former.log.into_iter().chain(present.log).collect();
        let last = logged.iter().filter(|value| **value == "2").count();
        assert_eq!(last, 1);
    }
}

/// Goal: a topic made anew under the name gets one batch at first: its broker does not know this producer and would
/// take whichever comes first.
#[test]
fn a_topic_made_anew_gets_one_batch_at_first() {
    let options = ProducerOptions { batch_bytes: 1, ..ProducerOptions::default() };
    let memory = Arc::new(Semaphore::new(10));
    let mut accumulator = Accumulator::new(&options);
    accumulator.producer = Some(PRODUCER);
    let now = MonoTime::default();
    let mut told = Vec::new();
    for number in 0..6 {
        let (pending, receiver) = pending(number, &memory);
        accumulator.add(pending, 26, Some(0), 1, now, || 0).unwrap();
        told.push(receiver);
    }
    let take = |accumulator: &mut Accumulator, id: u8| {
        let id = Uuid::from_random([id; 16]);
        let due = accumulator.due(now, |_| Some((1, id)));
        due.by_leader.into_values().flatten().map(|(_, batch)| batch).next()
    };
    let first = take(&mut accumulator, 1).unwrap();
    assert!(take(&mut accumulator, 1).is_none());
    accumulator.end(&partition(), &first, true);
    let second = take(&mut accumulator, 1).unwrap();
    let third = take(&mut accumulator, 1).unwrap();
    [second, third].iter().for_each(|batch| accumulator.end(&partition(), batch, true));
    let fourth = take(&mut accumulator, 2).unwrap();
    assert!(take(&mut accumulator, 2).is_none(), "it is not known there yet");
    accumulator.end(&partition(), &fourth, true);
    assert!(take(&mut accumulator, 2).is_some());
    assert!(take(&mut accumulator, 2).is_some());
}

#[test]
fn sequences_wrap() {
    assert_eq!(wrap(i32::MAX, 1), 0);
    assert_eq!(wrap(i32::MAX - 1, 3), 1);
}
