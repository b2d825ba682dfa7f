//! Batches of idempotent producers that were refused and are to come again, so that what was sent behind
//! them is told the same and no gap in its sequence.
//!
//! A producer has up to five requests on their way. If the first is refused because too few replicas are in
//! sync, or because this node does not lead yet, and that changes in the same moment, the second finds a log
//! without the first: OUT_OF_ORDER_SEQUENCE_NUMBER, which says that records are lost. librdkafka then begins
//! another producer epoch and sends everything again whose outcome it does not know, in every partition: what
//! was written there before is doubled. And a log that does not know the producer would take the second, and
//! refuse the first when it comes again. Here the second is refused as the first was; both come again in order.
//!
//! Bounded: the [`KEPT_MAX`] newest, each for [`KEPT_FOR`] since it came the last time, longer than a client waits
//! before it tries again; what merely follows it does not prolong that. Nobody pays for it once all are over.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_env::MonoTime;
use ottla_protocol::records::BatchHeader;
use ottla_protocol::{ErrorCode, Str, Uuid};
use parking_lot::Mutex;

/// How many are remembered, of all partitions.
const KEPT_MAX: usize = 1024;
/// How long each is.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// No topic has a longer name.
const NAME_MAX: usize = 249;

/// A producer in a partition, as its requests name that: by id, or by name before version 13.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    topic_id: Uuid,
    topic: Str,
    partition: i32,
    producer_id: i64,
}

/// What was refused of a producer, from `sequence` to below `end`.
#[derive(Debug, Clone, Copy)]
struct Refused {
    epoch: i16,
    sequence: i32,
    end: i32,
    code: ErrorCode,
    at: MonoTime,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Refusals {
    /// Spares all others the lock.
    any: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_place: BTreeMap<Place, Refused>,
    /// When the newest was refused: all are over with it.
    newest: MonoTime,
}

impl Place {
    /// Nothing for a batch that bears no sequence, or that no topic could take.
    pub(crate) fn of(
        topic_id: Uuid,
        topic: &Str,
        partition: i32,
        batch: &BatchHeader,
    ) -> Option<Place> {
        let is_sequenced = batch.has_producer_id() && batch.base_sequence >= 0;
        (is_sequenced && topic.len() <= NAME_MAX).then(|| Place {
            topic_id,
            topic: if topic_id.is_zero() { topic.clone() } else { Str::default() },
            partition,
            producer_id: batch.producer_id,
        })
    }
}

impl Refusals {
    /// Whether there is anything to look for.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// A batch was refused and is not in the log.
    pub(crate) fn note(&self, place: Place, batch: &BatchHeader, code: ErrorCode, now: MonoTime) {
        let end = after(batch);
        let mut known = self.known.lock();
        let Known { by_place: known, newest } = &mut *known;
        match known.get_mut(&place) {
            Some(refused) if refused.epoch == batch.producer_epoch => {
                if is_before(refused.end, end) {
                    refused.end = end;
                }
                if is_before(refused.sequence, batch.base_sequence) {
                    return;
                }
                refused.sequence = batch.base_sequence;
                (refused.code, refused.at) = (code, now);
            }
            _ => {
                if known.len() >= KEPT_MAX {
                    known.retain(|_, refused| now.since(refused.at) < KEPT_FOR);
                }
                if known.len() >= KEPT_MAX
                    && let Some(oldest) =
                        known.iter().min_by_key(|(_, r)| r.at).map(|(p, _)| p.clone())
                {
                    known.remove(&oldest);
                }
                let (epoch, sequence) = (batch.producer_epoch, batch.base_sequence);
                known.insert(place, Refused { epoch, sequence, end, code, at: now });
            }
        }
        *newest = now;
        self.any.store(true, Ordering::Relaxed);
    }

    /// What a batch is told because another before it was refused and is not in the log yet, whose last
    /// sequence of the producer and its epoch is `last`.
    pub(crate) fn holds_up(
        &self,
        place: &Place,
        batch: &BatchHeader,
        last: Option<i32>,
        now: MonoTime,
    ) -> Option<ErrorCode> {
        let mut known = self.known.lock();
        if now.since(known.newest) >= KEPT_FOR {
            known.by_place.clear();
            self.any.store(false, Ordering::Relaxed);
        }
        let refused = known.by_place.get(place)?;
        let is_over = batch.producer_epoch != refused.epoch
            || now.since(refused.at) >= KEPT_FOR
            // It came in by another way, through another leader perhaps.
            || last.is_some_and(|last| !is_before(last, refused.sequence));
        if is_over {
            self.forget(&mut known, place);
            return None;
        }
        is_before(refused.sequence, batch.base_sequence).then_some(refused.code)
    }

    /// A batch is in the log: the next that was refused is awaited.
    pub(crate) fn appended(&self, place: &Place, batch: &BatchHeader) {
        let mut known = self.known.lock();
        let Some(refused) = known.by_place.get_mut(place) else { return };
        let next = after(batch);
        if is_before(next, refused.end) {
            refused.sequence = next;
        } else {
            self.forget(&mut known, place);
        }
    }

    fn forget(&self, known: &mut Known, place: &Place) {
        known.by_place.remove(place);
        if known.by_place.is_empty() {
            self.any.store(false, Ordering::Relaxed);
        }
    }
}

/// Whether a batch that was refused so comes again as it is.
pub(crate) fn comes_again(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotEnoughReplicas
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
    )
}

/// The sequence that follows a batch.
fn after(batch: &BatchHeader) -> i32 {
    batch.last_sequence().wrapping_add(1) & i32::MAX
}

/// In the circle of 31 bits.
fn is_before(one: i32, other: i32) -> bool {
    let ahead = other.wrapping_sub(one) & i32::MAX;
    ahead != 0 && ahead < i32::MAX / 2
}

#[cfg(test)]
mod tests {
    use ottla_protocol::records::{BatchBuilder, BatchOptions};

    use super::*;

    const CODE: ErrorCode = ErrorCode::NotEnoughReplicas;

    fn batch(epoch: i16, sequence: i32, records: usize) -> BatchHeader {
        let (producer_id, producer_epoch, base_sequence) = (7, epoch, sequence);
        let options =
            BatchOptions { producer_id, producer_epoch, base_sequence, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        (0..records).for_each(|_| builder.push(0, None, Some(b"v"), &[]));
        BatchHeader::parse(&builder.build()).unwrap()
    }

    fn place() -> Place {
        Place::of(Uuid::default(), &Str::from("t"), 0, &batch(0, 0, 1)).unwrap()
    }

    fn at(seconds: u64) -> MonoTime {
        MonoTime::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn what_follows_a_refused_batch_waits_until_that_has_come_again() {
        let refusals = Refusals::default();
        assert!(!refusals.any());
        refusals.note(place(), &batch(0, 5, 5), CODE, at(0));
        let told =
            |sequence, last| refusals.holds_up(&place(), &batch(0, sequence, 5), last, at(1));
        assert_eq!(told(10, Some(4)), Some(CODE));
        // A log that does not know the producer would take it.
        assert_eq!(told(15, None), Some(CODE));
        refusals.note(place(), &batch(0, 15, 5), CODE, at(1));
        assert_eq!(told(5, Some(4)), None);
        refusals.appended(&place(), &batch(0, 5, 5));
        assert_eq!(told(15, Some(9)), Some(CODE));
        assert_eq!(told(10, Some(9)), None);
        refusals.appended(&place(), &batch(0, 10, 5));
        refusals.appended(&place(), &batch(0, 15, 5));
        assert!(!refusals.any());
    }

    #[test]
    fn a_refusal_that_is_over_holds_nothing_up() {
        for (epoch, last, seconds) in [(1, Some(4), 1), (0, Some(9), 1), (0, Some(4), 31)] {
            let refusals = Refusals::default();
            refusals.note(place(), &batch(0, 5, 5), CODE, at(0));
            let behind = batch(epoch, 10, 5);
            assert_eq!(refusals.holds_up(&place(), &behind, last, at(seconds)), None);
            assert!(!refusals.any());
        }
    }

    /// A producer that has given the first up and goes on is told of its gap in the end, however often it asks;
    /// and what nobody asks for again costs the others nothing.
    #[test]
    fn what_follows_prolongs_nothing() {
        let refusals = Refusals::default();
        refusals.note(place(), &batch(0, 5, 5), CODE, at(0));
        let behind = batch(0, 10, 5);
        for second in 1..30 {
            assert_eq!(refusals.holds_up(&place(), &behind, Some(4), at(second)), Some(CODE));
            refusals.note(place(), &behind, CODE, at(second));
        }
        let other = Place { partition: 1, ..place() };
        assert_eq!(refusals.holds_up(&other, &behind, Some(4), at(31)), None);
        assert!(!refusals.any());
    }

    #[test]
    fn sequences_begin_again_at_zero() {
        let refusals = Refusals::default();
        refusals.note(place(), &batch(0, i32::MAX, 1), CODE, at(0));
        let told =
            |sequence, last| refusals.holds_up(&place(), &batch(0, sequence, 1), last, at(1));
        assert_eq!(told(0, Some(i32::MAX - 1)), Some(CODE));
        assert_eq!(told(i32::MAX, Some(i32::MAX - 1)), None);
    }

    #[test]
    fn only_so_many_are_kept() {
        let refusals = Refusals::default();
        let place =
            |partition| Place::of(Uuid::default(), &Str::from("t"), partition, &batch(0, 0, 1));
        for partition in 0..2 * KEPT_MAX as i32 {
            let place = place(partition).unwrap();
            refusals.note(place, &batch(0, 5, 5), CODE, at(partition as u64 % 10));
        }
        assert_eq!(refusals.known.lock().by_place.len(), KEPT_MAX);
    }
}
