//! What time brings: silent brokers are fenced, what a full batch left is finished, leadership goes
//! back to preferred replicas, and an idle log gets a sign of life. One thing a tick, so that each
//! sees what the one before it did.

use ottla_protocol::messages::NoOpRecord;

use super::leaders::{Leaders, RulesByTopic};
use super::partition_change::{Election, PartitionChange};
use super::updates::{self, Movement};
use super::{Decision, Reply, Soft, fencing};
use crate::image::{MetadataImage, PartitionId};
use crate::record::MetadataRecord;

/// Most elections in one step of balancing; Kafka's limit.
pub(super) const ELECTIONS_MAX: usize = 1_000;

/// When the things that are done from time to time were done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clocks {
    pub(super) preferred_ms: i64,
    pub(super) unclean_ms: i64,
    /// Records were written last.
    pub(super) written_ms: i64,
}

/// How often; `None` for never.
struct Intervals {
    preferred_ms: Option<i64>,
    unclean_ms: Option<i64>,
    idle_ms: Option<i64>,
}

impl Intervals {
    fn of(image: &MetadataImage, soft: &Soft) -> Self {
        let config = &soft.config.replication;
        let preferred = config.leader_imbalance_check_interval_seconds.saturating_mul(1000);
        let balances = config.auto_leader_rebalance_enable && image.topics.has_not_preferred();
        let has_leaderless = image.topics.without_leader().next().is_some();
        let idle = i64::from(soft.config.quorum.metadata_max_idle_interval_ms);
        // A sign of life is for those who listen.
        let is_heard = image.brokers.iter().any(|broker| broker.id != soft.node_id);
        Self {
            preferred_ms: balances.then_some(preferred),
            unclean_ms: has_leaderless.then_some(config.unclean_leader_election_interval_ms),
            idle_ms: (idle > 0 && is_heard).then_some(idle),
        }
    }
}

/// When there will be something to do. A time that has passed means now.
pub(super) fn deadline_ms(image: &MetadataImage, soft: &Soft) -> Option<i64> {
    let Some(clocks) = soft.clocks.filter(|_| !soft.levels.is_due()) else { return Some(0) };
    let intervals = Intervals::of(image, soft);
    let due = |since: i64, interval: Option<i64>| interval.map(|i| since.saturating_add(i));
    let deadlines = [
        soft.sessions.deadline_ms(&image.brokers, soft.session_timeout_ms()),
        due(clocks.preferred_ms, intervals.preferred_ms),
        due(clocks.unclean_ms, intervals.unclean_ms),
        due(clocks.written_ms, intervals.idle_ms),
    ];
    deadlines.into_iter().flatten().min()
}

pub(super) fn tick(image: &MetadataImage, soft: &mut Soft, now_ms: i64) -> Decision {
    let mut records = Vec::new();
    let steps = [fence_one, finish_departed, finish_leaderless, prefer, elect_uncleanly, sign];
    for step in steps {
        step(image, soft, now_ms, &mut records);
        if !records.is_empty() {
            break;
        }
    }
    Decision { records, reply: Reply::Done }
}

/// One broker at a time: the others may be heard of before it is their turn.
fn fence_one(
    image: &MetadataImage,
    soft: &mut Soft,
    now_ms: i64,
    records: &mut Vec<MetadataRecord>,
) {
    let timeout_ms = soft.session_timeout_ms();
    let expired = soft.sessions.expired(&image.brokers, now_ms, timeout_ms);
    if let Some(broker) = expired.and_then(|id| image.brokers.get(id)) {
        fencing::fence(image, soft, broker, records);
    }
}

/// Brokers that are not active leave what they are still in.
fn finish_departed(
    image: &MetadataImage,
    soft: &mut Soft,
    _now_ms: i64,
    records: &mut Vec<MetadataRecord>,
) {
    while let Some(id) = soft.levels.departed() {
        if image.brokers.get(id).is_some_and(|broker| !broker.is_active()) {
            let in_sync = image.topics.in_sync_of(id);
            let movement = Movement::leaves(id);
            let _progress = updates::of_partitions(image, soft, movement, in_sync, records);
            if !records.is_empty() {
                return;
            }
        }
        soft.levels.forget(id);
    }
}

/// What nobody leads gets a leader where one is up.
fn finish_leaderless(
    image: &MetadataImage,
    soft: &mut Soft,
    _now_ms: i64,
    records: &mut Vec<MetadataRecord>,
) {
    if !soft.levels.leaderless {
        return;
    }
    let ids = image.topics.without_leader();
    let _progress = updates::of_partitions(image, soft, Movement::default(), ids, records);
    soft.levels.leaderless = !records.is_empty();
}

/// Preferred replicas lead again (`auto.leader.rebalance.enable`).
fn prefer(image: &MetadataImage, soft: &mut Soft, now_ms: i64, records: &mut Vec<MetadataRecord>) {
    let interval = Intervals::of(image, soft).preferred_ms;
    if !is_due(soft.clocks.map(|clocks| clocks.preferred_ms), interval, now_ms) {
        return;
    }
    let ids = image.topics.not_preferred();
    elect(image, soft, Election::Preferred, ids, records);
    if let Some(clocks) = soft.clocks.as_mut().filter(|_| records.len() < ELECTIONS_MAX) {
        clocks.preferred_ms = now_ms;
    }
}

/// Topics that would rather lose records than wait (`unclean.leader.election.enable`).
fn elect_uncleanly(
    image: &MetadataImage,
    soft: &mut Soft,
    now_ms: i64,
    records: &mut Vec<MetadataRecord>,
) {
    let interval = Intervals::of(image, soft).unclean_ms;
    if !is_due(soft.clocks.map(|clocks| clocks.unclean_ms), interval, now_ms) {
        return;
    }
    let ids = image.topics.without_leader();
    elect(image, soft, Election::Unclean, ids, records);
    if let Some(clocks) = soft.clocks.as_mut().filter(|_| records.len() < ELECTIONS_MAX) {
        clocks.unclean_ms = now_ms;
    }
}

fn is_due(since: Option<i64>, interval: Option<i64>, now_ms: i64) -> bool {
    since.zip(interval).is_some_and(|(since, interval)| since.saturating_add(interval) <= now_ms)
}

fn elect(
    image: &MetadataImage,
    soft: &Soft,
    election: Election,
    ids: impl Iterator<Item = PartitionId>,
    records: &mut Vec<MetadataRecord>,
) {
    let leaders = Leaders::of(image);
    let mut rules = RulesByTopic::new(image, soft);
    for id in ids {
        if records.len() >= ELECTIONS_MAX {
            return;
        }
        let Some((topic, partition)) = updates::find(image, id) else { continue };
        let rules = rules.of(topic);
        if election == Election::Unclean && !rules.unclean_elections {
            continue;
        }
        let change = PartitionChange::new(partition, id, rules).election(election).build(&leaders);
        records.extend(change.map(MetadataRecord::from));
    }
}

/// So that whoever follows the log can tell an idle cluster from a dead one.
fn sign(image: &MetadataImage, soft: &mut Soft, now_ms: i64, records: &mut Vec<MetadataRecord>) {
    let interval = Intervals::of(image, soft).idle_ms;
    if is_due(soft.clocks.map(|clocks| clocks.written_ms), interval, now_ms) {
        records.push(NoOpRecord::default().into());
    }
}
