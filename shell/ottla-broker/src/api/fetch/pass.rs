//! One pass over everything a reader wants: reads what is visible now, waits for nothing but a disk.

use std::sync::Arc;

use ottla_config::{BrokerConfig, ReplicaSelector};
use ottla_env::{Env, File};
use ottla_plant::{Plant, planted};
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::{ErrorCode, Str};
use ottla_replica::leader::Fetch;

use super::super::fetch_response::{EpochEnd, Fetched, Found};
use super::{FileOf, moved, request, told, unknown};
use crate::log::{FileRun, Offsets, ReadOptions, Sendable, Slices};
use crate::partition::registry::Partition;
use crate::partition::session::{Interest, InterestKey, Turn};
use crate::partition::watchers::Sight;
use crate::rooms::Rooms;

/// Who reads, and how much.
pub(super) struct Reader {
    max_bytes: usize,
    reads_committed: bool,
    /// It can be told who leads what is not led here, as Kafka tells it: with the address.
    wants_leaders: bool,
    who: Who,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    /// A broker with a replica of what it asks for, or so it says.
    Follower { id: i32, broker_epoch: i64 },
    /// A consumer, and the rack to serve it from, if that is asked for. Of old ones nobody knows
    /// whether they can read from a follower.
    Consumer { may_read_followers: bool, rack: Option<Str> },
}

impl Reader {
    pub(super) fn of(request: &FetchRequest, version: i16, config: &BrokerConfig) -> Reader {
        let max_bytes = request.max_bytes.min(config.listener.fetch_max_bytes);
        let who = match request::replica(request, version) {
            (id @ 0.., broker_epoch) => Who::Follower { id, broker_epoch },
            _ => {
                let may_read_followers = version >= request::FROM_FOLLOWERS;
                let by_rack = config.replication.replica_selector == ReplicaSelector::RackAware;
                let rack = Some(&request.rack_id).filter(|rack| by_rack && !rack.is_empty());
                Who::Consumer { may_read_followers, rack: rack.map(Str::detach) }
            }
        };
        Reader {
            max_bytes: usize::try_from(max_bytes).unwrap_or(0),
            reads_committed: request.isolation_level == 1,
            wants_leaders: version >= moved::WITH_NODES,
            who,
        }
    }

    /// What it sees, and is woken for.
    pub(super) fn sight(&self) -> Sight {
        match self.who {
            Who::Follower { .. } => Sight::All,
            Who::Consumer { .. } => Sight::Committed,
        }
    }
}

/// What a pass found.
pub(super) struct Pass<F> {
    /// In the order they were read; of an incremental answer only what changed.
    pub(super) fetched: Vec<Fetched<F>>,
    pub(super) bytes: usize,
    /// Something that a reader must be told without waiting.
    pub(super) is_urgent: bool,
    /// Milliseconds until a replica that is throttled may have more (KIP-73).
    pub(super) closed_for: Option<i64>,
    /// Where the next pass begins, so that a full answer does not starve the rest.
    pub(super) next_start: usize,
}

/// Reads all partitions of a turn, within the limits.
pub(super) async fn read<E: Env>(
    rooms: &Arc<Rooms<E>>,
    reader: &Reader,
    turn: &mut Turn,
) -> Pass<FileOf<E>> {
    let (start, is_incremental) = (turn.start(), turn.is_incremental());
    let interests = turn.interests();
    let count = interests.len();
    let mut pass = Pass {
        fetched: Vec::new(),
        bytes: 0,
        is_urgent: false,
        closed_for: None,
        next_start: start,
    };
    if !is_incremental {
        pass.fetched.reserve(count);
    }
    for step in 0..count {
        let at = (start + step) % count;
        let (key, interest) = interests.get_index(at).expect("the index is below the count");
        let left = reader.max_bytes.saturating_sub(pass.bytes);
        let fetched = read_one(rooms, reader, key, interest, left, pass.bytes == 0).await;
        pass.bytes += fetched.bytes;
        pass.closed_for = pass.closed_for.into_iter().chain(fetched.closed_for).min();
        pass.is_urgent |= fetched.error.is_some()
            || fetched.diverging.is_some()
            || fetched.preferred_replica >= 0;
        if fetched.bytes > 0 {
            pass.next_start = (at + 1) % count;
        }
        if !is_incremental || is_news(&fetched, interest) {
            pass.fetched.push(fetched);
        }
    }
    pass
}

/// Whether a session's client does not know this yet.
fn is_news<F>(fetched: &Fetched<F>, interest: &Interest) -> bool {
    fetched.bytes > 0
        || fetched.error.is_some()
        || fetched.diverging.is_some()
        || fetched.preferred_replica >= 0
        || told(fetched) != interest.told
}

/// The partition a key names.
pub(super) fn find<E: Env>(
    rooms: &Rooms<E>,
    key: &InterestKey,
) -> Result<Arc<Partition<E>>, ErrorCode> {
    let by_id = !key.topic_id.is_zero();
    let topic = if by_id {
        rooms.partitions.topic_by_id(key.topic_id)
    } else {
        rooms.partitions.topic(&key.topic)
    };
    if let Some(partition) = topic.as_ref().and_then(|topic| topic.partition(key.partition)) {
        return Ok(Arc::clone(partition));
    }
    // It may have its replicas elsewhere.
    let image = rooms.metadata.image();
    let known = if by_id { image.topics.by_id(key.topic_id) } else { image.topics.get(&key.topic) };
    let known = known.ok_or(unknown(by_id || key.topic.is_empty()))?;
    match known.partitions.get(&key.partition) {
        Some(_) => Err(ErrorCode::NotLeaderOrFollower),
        None => Err(ErrorCode::UnknownTopicOrPartition),
    }
}

async fn read_one<E: Env>(
    rooms: &Arc<Rooms<E>>,
    reader: &Reader,
    key: &InterestKey,
    interest: &Interest,
    left: usize,
    min_one_batch: bool,
) -> Fetched<FileOf<E>> {
    let mut fetched = Fetched::empty(key);
    let outcome = match look(rooms, reader, key, interest, &mut fetched) {
        Ok(None) => return fetched,
        Err(error) => Err(error),
        Ok(Some(Visible { partition, upper })) => {
            let own = usize::try_from(interest.max_bytes).unwrap_or(0);
            let options = ReadOptions { max_bytes: own.min(left), min_one_batch, upper };
            let run = match partition.log.read_for_sending(interest.fetch_offset, &options) {
                Ok(Sendable::Hot(slices)) => Ok(Run::of(slices)),
                Ok(Sendable::Warm(run)) => Ok(Run::in_file(run)),
                Ok(Sendable::Cold(cold)) => match rooms.env.run_blocking(|| cold.run()).await {
                    Ok(outcome) => outcome.map(Run::of).map_err(|error| error.kafka_code()),
                    Err(_stopped) => Err(ErrorCode::KafkaStorageError),
                },
                Err(error) => Err(error.kafka_code()),
            };
            run.map(|run| (partition, run))
        }
    };
    match outcome {
        Ok((partition, run)) => {
            if run.bytes > 0 && reader.sight() == Sight::All && partition.sends_throttled() {
                rooms.partitions.office().sends(run.bytes);
            }
            fill(&mut fetched, reader, &partition, interest, run);
            fetched
        }
        Err(error) => {
            let mut fetched = Fetched { error: Some(error), ..Fetched::empty(key) };
            if reader.wants_leaders {
                fetched.current_leader = moved::leader_of(rooms, key, error);
            }
            // As Kafka: an empty list where there is no such partition, null beside other errors.
            if matches!(error, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId) {
                fetched.aborted = Some(Vec::new());
            }
            fetched
        }
    }
}

/// What was read of a partition.
struct Run<F> {
    records: Found<F>,
    bytes: usize,
    next_offset: i64,
}

impl<F: File> Run<F> {
    fn of(slices: Slices) -> Run<F> {
        let Slices { chunks, bytes, next_offset } = slices;
        Run { records: Found::Memory(chunks), bytes, next_offset }
    }

    fn in_file(run: FileRun<F>) -> Run<F> {
        let bytes = run.range.len();
        Run { records: Found::File(run.range), bytes, next_offset: run.next_offset }
    }
}

/// A partition with something to read.
struct Visible<E: Env> {
    partition: Arc<Partition<E>>,
    /// The first offset the reader may not see.
    upper: i64,
}

/// The partition and the first offset that is not to be read; nothing where the reader's log
/// diverges, which `fetched` then tells.
fn look<E: Env>(
    rooms: &Rooms<E>,
    reader: &Reader,
    key: &InterestKey,
    interest: &Interest,
    fetched: &mut Fetched<FileOf<E>>,
) -> Result<Option<Visible<E>>, ErrorCode> {
    let partition = find(rooms, key)?;
    // Unlike others, Fetch takes every epoch below zero for none.
    partition.check_leader_epoch(interest.current_leader_epoch.max(-1))?;
    match reader.who {
        Who::Follower { id, broker_epoch } => {
            partition.judge(id, broker_epoch, interest.current_leader_epoch >= 0)?;
            // A former life of that broker, whose disk may be another by now.
            if life_of(rooms, id, broker_epoch) == Life::Former {
                return Err(ErrorCode::NotLeaderOrFollower);
            }
        }
        Who::Consumer { may_read_followers: true, .. } => partition.check_replica()?,
        Who::Consumer { may_read_followers: false, .. } => partition.check_leader()?,
    }
    let mut offsets = partition.log.offsets();
    note_offsets(fetched, offsets);
    if reader.reads_committed {
        fetched.aborted = Some(Vec::new());
    }
    fetched.diverging = divergence(&partition, interest)?;
    if fetched.diverging.is_some() {
        return Ok(None);
    }
    if interest.fetch_offset < offsets.log_start || interest.fetch_offset > offsets.log_end {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    if let Who::Consumer { rack: Some(rack), .. } = &reader.who
        && let Some(nearer) = nearer_replica(rooms, &partition, rack, interest.fetch_offset)
    {
        fetched.preferred_replica = nearer;
        return Ok(None);
    }
    let upper = match reader.who {
        Who::Follower { id, broker_epoch } => {
            partition.fetched(Fetch {
                replica: id,
                broker_epoch,
                is_eligible: life_of(rooms, id, broker_epoch) == Life::InService,
                offset: interest.fetch_offset,
                log_start: interest.log_start_offset,
                log_end: offsets.log_end,
            });
            // What it is told is committed counts what it has just said.
            offsets = partition.log.offsets();
            note_offsets(fetched, offsets);
            fetched.closed_for = throttled_for(rooms, &partition, id);
            if fetched.closed_for.is_some() {
                return Ok(None);
            }
            offsets.log_end
        }
        Who::Consumer { .. } if reader.reads_committed => offsets.last_stable,
        Who::Consumer { .. } => offsets.high_watermark,
    };
    let upper = if planted(Plant::ReadAboveHighWatermark) { offsets.log_end } else { upper };
    if interest.fetch_offset >= upper {
        return Ok(None);
    }
    Ok(Some(Visible { partition, upper }))
}

/// Where the reader's log stops agreeing with this one, if it said which epoch it has read last (KIP-595).
fn divergence<E: Env>(
    partition: &Partition<E>,
    interest: &Interest,
) -> Result<Option<EpochEnd>, ErrorCode> {
    if interest.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let (epoch, end_offset) = partition.log.end_offset_for_epoch(interest.last_fetched_epoch);
    if epoch < 0 || end_offset < 0 {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let diverges = epoch < interest.last_fetched_epoch || end_offset < interest.fetch_offset;
    Ok(diverges.then_some(EpochEnd { epoch, end_offset }))
}

/// Milliseconds until a follower may be sent records, if its partition is throttled and it lags: one
/// in sync is never held back (KIP-73).
fn throttled_for<E: Env>(rooms: &Rooms<E>, partition: &Partition<E>, follower: i32) -> Option<i64> {
    if !partition.sends_throttled() {
        return None;
    }
    let in_sync = partition.with_leader(|leader| leader.isr().committed().contains(&follower));
    if in_sync.unwrap_or(true) {
        return None;
    }
    rooms.partitions.office().sending_closed_for()
}

/// A follower in the consumer's rack that has everything from `offset` on, if this node leads and is
/// not in that rack itself (KIP-392). Of several the one that is furthest.
fn nearer_replica<E: Env>(
    rooms: &Rooms<E>,
    partition: &Partition<E>,
    rack: &Str,
    offset: i64,
) -> Option<i32> {
    let image = rooms.metadata.image();
    let in_rack = |id: i32| {
        let broker = image.brokers.get(id).filter(|broker| broker.is_active());
        broker.is_some_and(|broker| broker.rack.as_ref() == Some(rack))
    };
    if in_rack(rooms.node.node_id) {
        return None;
    }
    partition.with_leader(|leader| {
        let followers = leader.followers().filter(|id| in_rack(*id) && leader.serves(*id, offset));
        followers.max_by_key(|id| leader.position_of(*id))
    })?
}

/// What the cluster knows of the life of a broker that fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It may be in an ISR (KIP-841, KIP-903).
    InService,
    /// Fenced, stopping, or newer than this node has heard of.
    Waiting,
    /// It has registered anew since.
    Former,
}

fn life_of<E: Env>(rooms: &Rooms<E>, id: i32, broker_epoch: i64) -> Life {
    if planted(Plant::StrangerFollows) {
        return Life::InService;
    }
    let image = rooms.metadata.image();
    let Some(broker) = image.brokers.get(id) else { return Life::Waiting };
    match broker_epoch {
        // Versions of Fetch before 15 tell none.
        ..0 if broker.is_active() => Life::InService,
        epoch if epoch == broker.epoch && broker.is_active() => Life::InService,
        0.. if broker_epoch < broker.epoch => Life::Former,
        _ => Life::Waiting,
    }
}

fn note_offsets<F>(fetched: &mut Fetched<F>, offsets: Offsets) {
    fetched.high_watermark = offsets.high_watermark;
    fetched.last_stable_offset = offsets.last_stable;
    fetched.log_start_offset = offsets.log_start;
}

fn fill<E: Env>(
    fetched: &mut Fetched<FileOf<E>>,
    reader: &Reader,
    partition: &Partition<E>,
    interest: &Interest,
    run: Run<FileOf<E>>,
) {
    if reader.reads_committed && run.bytes > 0 {
        let aborted = partition.log.aborted_transactions(interest.fetch_offset, run.next_offset);
        let skipped = aborted.iter().map(|one| (one.producer_id, one.first_offset));
        fetched.aborted = Some(skipped.collect());
    }
    fetched.bytes = run.bytes;
    fetched.records = run.records;
}
