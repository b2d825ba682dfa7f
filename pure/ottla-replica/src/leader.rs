//! The leader of one partition in one epoch: how far its followers are, what is committed, and which
//! ISR it asks the controller for.
//!
//! `high_watermark <= durable_end <= log_end`. The high watermark is the least position on stable
//! storage among the maximal ISR; within an epoch it never goes back. It stands still while the ISR is
//! smaller than `min.insync.replicas` (KIP-966), so that no acknowledged record is on fewer.

use ottla_plant::{Plant, planted};
use smallvec::SmallVec;

use crate::isr::{Isr, Member};
use crate::progress::{Progress, UNKNOWN};

mod altered;
mod fetched;
mod isr_change;

pub use altered::{AlterOutcome, Altered};
pub use fetched::{Fetch, FetchVerdict};

/// What the controller says of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionState<'a> {
    pub replicas: &'a [i32],
    pub isr: &'a [i32],
    pub leader_epoch: i32,
    pub partition_epoch: i32,
}

/// Where the leader's own log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnLog {
    pub high_watermark: i64,
    /// Everything below is on this node's stable storage.
    pub durable_end: i64,
    pub log_end: i64,
    /// Where this leader's epoch begins.
    pub epoch_start: i64,
}

/// What may change while it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `replica.lag.time.max.ms`
    pub lag_max_ms: i64,
    /// `min.insync.replicas`
    pub min_insync: usize,
}

/// What happens to a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// More is on this node's stable storage.
    Durable { durable_end: i64, log_end: i64 },
    /// A follower fetched.
    Fetched(Fetch),
    /// The controller noted another state of the same leader epoch.
    Changed(PartitionState<'a>),
    /// The controller answered what [`Action::AlterPartition`] asked.
    Altered(Altered<'a>),
    /// The settings are these now.
    Configured(Settings),
    /// Which brokers may be in an ISR changed; the epochs of those that may.
    Brokers(&'a [Member]),
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// What is below is committed.
    RaiseHighWatermark(i64),
    /// Ask the controller for this ISR.
    AlterPartition(Proposal),
    /// The ISR shrank or grew, which may let waiting producers through or fail them.
    IsrChanged,
}

/// The ISR that a leader wants, and what it knows the partition as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    pub leader_epoch: i32,
    pub partition_epoch: i32,
    pub isr: SmallVec<[Member; 5]>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    node_id: i32,
    broker_epoch: i64,
    leader_epoch: i32,
    /// Everything committed before this epoch lies below.
    epoch_start: i64,
    partition_epoch: i32,
    /// Of everybody but this node, in the order of the assignment.
    followers: SmallVec<[Progress; 2]>,
    isr: Isr,
    /// The controller refused something: nobody is asked for before then.
    quiet_until_ms: i64,
    /// Until then a question whose answer did not come may still be decided.
    undecided_until_ms: i64,
    high_watermark: i64,
    durable_end: i64,
    log_end: i64,
    settings: Settings,
}

impl Leader {
    /// A leader at the beginning of its epoch. Of the followers nothing is known but who is in the ISR.
    pub fn new(
        now_ms: i64,
        me: Member,
        state: &PartitionState<'_>,
        log: &OwnLog,
        settings: Settings,
        out: &mut Vec<Action>,
    ) -> Leader {
        let mut leader = Leader {
            node_id: me.id,
            broker_epoch: me.broker_epoch,
            leader_epoch: state.leader_epoch,
            epoch_start: log.epoch_start,
            partition_epoch: state.partition_epoch,
            followers: SmallVec::new(),
            isr: Isr::new(state.isr),
            quiet_until_ms: i64::MIN,
            undecided_until_ms: i64::MIN,
            high_watermark: log.high_watermark,
            durable_end: log.durable_end,
            log_end: log.log_end,
            settings,
        };
        leader.assign(state.replicas, now_ms);
        leader.commit(now_ms, out);
        leader
    }

    /// The only way in. `now_ms` never goes back.
    pub fn handle(&mut self, now_ms: i64, event: Event<'_>, out: &mut Vec<Action>) {
        match event {
            Event::Durable { durable_end, log_end } => {
                self.log_end = self.log_end.max(log_end);
                self.durable_end = self.durable_end.max(durable_end);
            }
            Event::Fetched(fetch) => self.fetched(now_ms, &fetch, out),
            Event::Changed(state) => self.changed(now_ms, &state, out),
            Event::Altered(altered) => self.altered(now_ms, &altered, out),
            Event::Configured(settings) => self.settings = settings,
            Event::Brokers(active) => self.brokers_changed(active),
            Event::Tick => self.tick(now_ms, out),
        }
        self.commit(now_ms, out);
    }

    /// When a `Tick` is due at the latest.
    pub fn deadline_ms(&self) -> Option<i64> {
        if let Some(pending) = &self.isr.pending {
            return pending.again_ms;
        }
        let lagging = self.in_isr().filter(|follower| follower.end != self.log_end);
        let lag_max_ms = self.settings.lag_max_ms;
        lagging.map(|follower| follower.caught_up_ms.saturating_add(lag_max_ms + 1)).min()
    }

    /// The epoch it leads in.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// The newest state of the partition that is known here.
    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// The in-sync replicas.
    pub fn isr(&self) -> &Isr {
        &self.isr
    }

    /// What is committed, in this epoch and as far as this leader knows.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// Whether it is known what was committed before this epoch: all of it lies below the high
    /// watermark. Before that a reader would see the log go back.
    pub fn knows_what_is_committed(&self) -> bool {
        self.high_watermark >= self.epoch_start
    }

    /// Whether the ISR is large enough for acks=all.
    pub fn has_enough_in_sync(&self) -> bool {
        self.isr.committed.len() >= self.min_insync() || planted(Plant::MinInsyncForgotten)
    }

    /// A topic never waits for more replicas than it has.
    fn min_insync(&self) -> usize {
        self.settings.min_insync.min(self.followers.len() + 1)
    }

    /// Whether a replica is one of the partition's.
    pub fn follows(&self, id: i32) -> bool {
        self.followers.iter().any(|follower| follower.id == id)
    }

    /// Everybody but this node.
    pub fn followers(&self) -> impl Iterator<Item = i32> {
        self.followers.iter().map(|follower| follower.id)
    }

    /// How far a follower is, for those that report it.
    pub fn position_of(&self, id: i32) -> Option<i64> {
        let follower = self.followers.iter().find(|follower| follower.id == id)?;
        (follower.end != UNKNOWN).then_some(follower.end)
    }

    /// A follower that has everything from `offset` on which is committed, with its log start: one a
    /// consumer may be sent to.
    pub fn serves(&self, id: i32, offset: i64) -> bool {
        self.followers.iter().any(|follower| {
            follower.id == id
                && self.isr.committed.contains(&id)
                && follower.end >= offset
                && (follower.log_start..=follower.end).contains(&offset)
        })
    }

    /// The least log start among this leader's (`own`) and the followers that `is_alive`.
    pub fn low_watermark(&self, own: i64, is_alive: impl Fn(i32) -> bool) -> i64 {
        let alive = self.followers.iter().filter(|follower| is_alive(follower.id));
        alive.map(|follower| follower.log_start).chain([own]).min().unwrap_or(own)
    }

    /// Raises the high watermark to what everybody who counts has on stable storage.
    fn commit(&mut self, now_ms: i64, out: &mut Vec<Action>) {
        if !self.has_enough_in_sync() {
            return;
        }
        let (log_end, lag_max_ms) = (self.log_end, self.settings.lag_max_ms);
        let counts = |follower: &&Progress| {
            // Somebody about to join is waited for, or it would never catch up with a busy leader.
            let joins = || {
                follower.is_eligible
                    && follower.end != UNKNOWN
                    && follower.is_caught_up(log_end, now_ms, lag_max_ms)
            };
            self.isr.maximal_contains(follower.id) || joins()
        };
        let others = self.followers.iter().filter(counts).map(|follower| follower.end).min();
        let own =
            if planted(Plant::PartitionCountsUnsynced) { self.log_end } else { self.durable_end };
        let committed = others.unwrap_or(i64::MAX).min(own);
        if committed > self.high_watermark {
            self.high_watermark = committed;
            out.push(Action::RaiseHighWatermark(committed));
        }
        assert!(self.high_watermark <= self.log_end, "high watermark <= log end");
    }

    /// Takes over the assignment; what is known of those who stay is kept.
    fn assign(&mut self, replicas: &[i32], now_ms: i64) {
        let mut known = std::mem::take(&mut self.followers);
        for id in replicas.iter().filter(|id| **id != self.node_id) {
            let follower = match known.iter().position(|follower| follower.id == *id) {
                Some(at) => known.swap_remove(at),
                None => Progress::new(*id, self.isr.committed.contains(id), now_ms),
            };
            self.followers.push(follower);
        }
    }

    fn in_isr(&self) -> impl Iterator<Item = &Progress> {
        self.followers.iter().filter(|follower| self.isr.committed.contains(&follower.id))
    }

    fn brokers_changed(&mut self, active: &[Member]) {
        for follower in &mut self.followers {
            let Some(broker) = active.iter().find(|member| member.id == follower.id) else {
                follower.is_eligible = false;
                continue;
            };
            follower.is_eligible = fits(follower.broker_epoch, broker.broker_epoch);
        }
    }
}

/// Whether the broker epoch that a fetch told is that of the life the cluster knows. A fetch of an old
/// version tells none.
fn fits(told: i64, known: i64) -> bool {
    told == crate::progress::NO_BROKER_EPOCH || told == known
}

#[cfg(test)]
mod tests;
