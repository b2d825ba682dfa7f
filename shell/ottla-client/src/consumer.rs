//! Reads records: partitions by hand or shared out by a group; positions, commits, isolation.
//!
//! Driven by [`Consumer::poll`]: nothing is decided between polls but heartbeats. Fetches run ahead
//! in the background, at most one per broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::{Env, MonoTime};
use ottla_protocol::Str;
use ottla_protocol::records::TimestampType;
use tokio::sync::{Notify, mpsc};

use crate::assignor::Assignor;
use crate::client::{Client, Lane};
use crate::error::{Error, Result};
use crate::offsets::{self, Committed, Committer, Isolation, OffsetSpec};
use crate::topic_partition::TopicPartition;

mod decode;
mod fetch;
mod heartbeat;
mod membership;
mod place;
mod reading;

use membership::Membership;
use place::Place;

/// The settings of a [`Consumer`].
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// Where offsets are committed; needed to subscribe.
    pub group: Option<Str>,
    /// Makes this a static member: it keeps its partitions through a short absence.
    pub group_instance_id: Option<Str>,
    /// Where to begin without a committed offset, or when it was deleted; `None` is an error then.
    pub reset: Option<OffsetSpec>,
    pub isolation: Isolation,
    /// Commits what earlier polls returned, every so often and on leaving.
    pub auto_commit: Option<Duration>,
    pub session_timeout: Duration,
    pub heartbeat_interval: Duration,
    /// How long others wait for this member in a rebalance, and the longest time between polls.
    pub rebalance_timeout: Duration,
    /// In order of preference.
    pub assignors: Vec<Assignor>,
    pub fetch_min_bytes: i32,
    pub fetch_max_bytes: i32,
    pub partition_max_bytes: i32,
    pub fetch_max_wait: Duration,
    /// What one poll returns at most.
    pub poll_records_max: usize,
    pub rack: Str,
}

impl Default for ConsumerOptions {
    fn default() -> ConsumerOptions {
        ConsumerOptions {
            group: None,
            group_instance_id: None,
            reset: Some(OffsetSpec::Latest),
            isolation: Isolation::ReadUncommitted,
            auto_commit: Some(Duration::from_secs(5)),
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(300),
            assignors: vec![Assignor::Range, Assignor::CooperativeSticky],
            fetch_min_bytes: 1,
            fetch_max_bytes: 50 << 20,
            partition_max_bytes: 1 << 20,
            fetch_max_wait: Duration::from_millis(500),
            poll_records_max: 500,
            rack: Str::default(),
        }
    }
}

/// A record that was read. Key and value share the memory of what was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumedRecord {
    pub topic: Str,
    pub partition: i32,
    pub offset: i64,
    pub timestamp: i64,
    pub timestamp_type: TimestampType,
    pub leader_epoch: i32,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(Str, Option<Bytes>)>,
}

/// Reads records from one cluster.
pub struct Consumer<E: Env> {
    client: Client<E>,
    options: ConsumerOptions,
    fetch_lane: Lane,
    assigned: BTreeMap<TopicPartition, Place>,
    membership: Option<Membership<E>>,
    /// Brokers with a fetch on its way.
    busy: BTreeSet<i32>,
    answers: mpsc::UnboundedReceiver<fetch::Answer>,
    answer_to: mpsc::UnboundedSender<fetch::Answer>,
    /// The heartbeat has news.
    wake: Arc<Notify>,
    next_commit: MonoTime,
    /// Where the last poll stopped, so that no partition starves the others.
    turn: Option<TopicPartition>,
}

impl<E: Env> Consumer<E> {
    /// A consumer of nothing yet.
    pub fn new(client: Client<E>, options: ConsumerOptions) -> Consumer<E> {
        let (answer_to, answers) = mpsc::unbounded_channel();
        Consumer {
            fetch_lane: client.new_lane(),
            next_commit: client.env().now() + options.auto_commit.unwrap_or_default(),
            client,
            options,
            assigned: BTreeMap::new(),
            membership: None,
            busy: BTreeSet::new(),
            answers,
            answer_to,
            wake: Arc::new(Notify::new()),
            turn: None,
        }
    }

    /// Reads these partitions, by hand; they begin at the group's offsets or where `reset` says.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        let wanted: BTreeSet<TopicPartition> = partitions.into_iter().collect();
        self.membership = None;
        self.set_assigned(&wanted);
    }

    /// Reads these topics together with the other members of the group.
    ///
    /// # Errors
    /// Without a group.
    pub fn subscribe(&mut self, topics: impl IntoIterator<Item = Str>) -> Result<()> {
        let Some(group) = self.options.group.clone() else {
            return Err(Error::Invalid("a subscription needs a group".to_owned()));
        };
        let topics: BTreeSet<Str> = topics.into_iter().collect();
        let topics = topics.into_iter().collect();
        let (client, wake) = (self.client.clone(), self.wake.clone());
        self.membership = Some(Membership::new(client, &self.options, group, topics, wake));
        Ok(())
    }

    /// What is read now.
    pub fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.assigned.keys()
    }

    /// The member id, and the generation in which the group last assigned it something; empty and -1 outside
    /// one.
    pub fn membership(&self) -> (Str, i32) {
        let since = self.membership.as_ref().map_or(-1, Membership::owned_since);
        (self.committer().member_id, since)
    }

    /// The offset that the next record of a partition will have at least; `None` while it is open.
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.assigned.get(partition)?.position
    }

    /// The end of a partition as of the last fetch: the last stable offset for who reads committed.
    pub fn end_offset(&self, partition: &TopicPartition) -> Option<i64> {
        let place = self.assigned.get(partition)?;
        let end = match self.options.isolation {
            Isolation::ReadCommitted => place.last_stable_offset,
            Isolation::ReadUncommitted => place.high_watermark,
        };
        (end >= 0).then_some(end)
    }

    /// Goes on from an offset.
    ///
    /// # Errors
    /// If the partition is not assigned.
    pub fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<()> {
        self.place(partition)?.seek(offset);
        Ok(())
    }

    /// Goes on from the earliest, latest or a time's offset, found in the next poll.
    ///
    /// # Errors
    /// If the partition is not assigned.
    pub fn seek_to(&mut self, partition: &TopicPartition, spec: OffsetSpec) -> Result<()> {
        self.place(partition)?.reset(spec);
        Ok(())
    }

    /// Reads a partition no further until [`Consumer::resume`].
    ///
    /// # Errors
    /// If the partition is not assigned.
    pub fn pause(&mut self, partition: &TopicPartition) -> Result<()> {
        self.place(partition)?.paused = true;
        Ok(())
    }

    /// Reads a paused partition again.
    ///
    /// # Errors
    /// If the partition is not assigned.
    pub fn resume(&mut self, partition: &TopicPartition) -> Result<()> {
        self.place(partition)?.paused = false;
        Ok(())
    }

    /// Commits the positions: all that polls have returned.
    ///
    /// # Errors
    /// The coordinator's answer. ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID and REBALANCE_IN_PROGRESS say
    /// that others may read these partitions by now: poll again.
    pub async fn commit(&mut self) -> Result<()> {
        let offsets = self.uncommitted();
        self.commit_offsets(&offsets).await?;
        for (partition, committed) in offsets {
            if let Some(place) = self.assigned.get_mut(&partition) {
                place.committed = Some(committed.offset);
            }
        }
        Ok(())
    }

    /// Commits these offsets (of the next record to read, each).
    ///
    /// # Errors
    /// As [`Consumer::commit`].
    pub async fn commit_offsets(
        &mut self,
        offsets: &BTreeMap<TopicPartition, Committed>,
    ) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let group = self.group()?;
        let committer = self.committer();
        let lane = self.membership.as_ref().map_or(Lane::default(), Membership::lane);
        let mut backoff = self.client.backoff();
        loop {
            match offsets::commit(&self.client, &group, lane, &committer, offsets).await {
                Ok(()) => return Ok(()),
                // Retriable by its table, but only after a poll.
                Err(error)
                    if error.code() == Some(ottla_protocol::ErrorCode::RebalanceInProgress) =>
                {
                    return Err(error);
                }
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    /// What the group has committed in these partitions.
    ///
    /// # Errors
    /// The coordinator's answer.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Committed>> {
        offsets::committed(&self.client, &self.group()?, Some(partitions)).await
    }

    /// Commits if it does so by itself, and leaves the group.
    ///
    /// # Errors
    /// If the commit failed; the group was left all the same.
    pub async fn close(mut self) -> Result<()> {
        let committed = if self.options.auto_commit.is_some() && self.options.group.is_some() {
            self.commit().await
        } else {
            Ok(())
        };
        if let Some(membership) = &mut self.membership {
            membership.leave().await;
            self.client.close_lane(membership.lane());
        }
        self.client.close_lane(self.fetch_lane);
        committed
    }

    fn group(&self) -> Result<Str> {
        let missing =
            || Error::Invalid("without a group there are no committed offsets".to_owned());
        self.options.group.clone().ok_or_else(missing)
    }

    fn committer(&self) -> Committer {
        self.membership.as_ref().map_or_else(Committer::default, |m| m.committer().clone())
    }

    fn place(&mut self, partition: &TopicPartition) -> Result<&mut Place> {
        let not_assigned = || Error::Invalid(format!("{partition} is not assigned"));
        self.assigned.get_mut(partition).ok_or_else(not_assigned)
    }

    /// Positions that moved since they were last committed.
    fn uncommitted(&self) -> BTreeMap<TopicPartition, Committed> {
        let moved = self.assigned.iter().filter_map(|(partition, place)| {
            let offset = place.position.filter(|offset| place.committed != Some(*offset))?;
            let metadata = Str::default();
            Some((
                partition.clone(),
                Committed { offset, leader_epoch: place.leader_epoch, metadata },
            ))
        });
        moved.collect()
    }

    /// Keeps what stays with its position, drops what goes, begins what comes.
    fn set_assigned(&mut self, wanted: &BTreeSet<TopicPartition>) {
        self.assigned.retain(|partition, _| wanted.contains(partition));
        for partition in wanted {
            self.assigned.entry(partition.clone()).or_insert_with(Place::new);
        }
    }
}

impl<E: Env> Drop for Consumer<E> {
    fn drop(&mut self) {
        self.client.close_lane(self.fetch_lane);
    }
}
