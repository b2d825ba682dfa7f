//! Takes a leader's answer in: appends all of it, cuts what diverges, and waits until it is durable.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::FetchResponse;
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::{ErrorCode, Str, Uuid};
use ottla_replica::follower::EpochEnd;

use super::Fetchers;
use super::line::Line;
use super::members::{Due, Plan};
use crate::log::{AppendError, LogError, Mark};
use crate::partition::follow::{Cut, Found, Taken, found_error};
use crate::partition::office::PartitionKey;
use crate::partition::registry::Partition;

/// First version that names topics by id.
const BY_ID: i16 = 13;

/// Carries out an answer to everything in `plan`. When it returns, whatever was appended is durable.
pub(super) async fn absorb<E: Env>(
    fetchers: &Arc<Fetchers<E>>,
    leader: i32,
    line: &mut Line<E>,
    plan: &Plan<E>,
    response: FetchResponse,
    version: i16,
) {
    if response.error_code != 0 {
        let error = ErrorCode::from_code_or_unknown(response.error_code);
        tracing::debug!(leader, %error, "the leader does not know the fetch session");
        return;
    }
    let mut mark = Mark::default();
    let mut appended = Vec::new();
    for topic in response.responses {
        for answer in topic.partitions {
            let index = answer.partition_index;
            let Some(due) = find(plan, version, topic.topic_id, &topic.topic, index) else {
                continue;
            };
            let found = found(answer);
            if let Found::Records { records, .. } = &found
                && due.partition.fetches_throttled()
            {
                fetchers.office.fetches(records.len());
            }
            let Some(taken) = take_in(fetchers, due, &found).await else { continue };
            let place = due.partition.log.place();
            if let Some(position) = taken.lsn {
                mark.raise(place, position);
                appended.push(due);
            }
            mark.raise(place, cut_or_ask(fetchers, leader, line, due, &taken).await);
        }
    }
    fetchers.data_dirs.commit().await;
    // If a log failed nothing of it is durable, and nothing more is fetched for it.
    let all = fetchers.data_dirs.wait_durable(&mark).await.is_ok();
    let now_ms = fetchers.office.now_ms();
    for due in appended {
        if all || !due.partition.log.is_offline() {
            due.partition.done(due.point.leader_epoch, now_ms);
        }
    }
}

fn find<'a, E: Env>(
    plan: &'a Plan<E>,
    version: i16,
    topic_id: Uuid,
    name: &Str,
    index: i32,
) -> Option<&'a Due<E>> {
    if version >= BY_ID {
        let key: PartitionKey = (topic_id, index);
        return plan.due.get(&key);
    }
    let named = |due: &&Due<E>| due.partition.index() == index && due.partition.topic() == name;
    plan.due.values().find(named)
}

fn found(answer: PartitionData) -> Found {
    if answer.error_code != 0 {
        return found_error(ErrorCode::from_code_or_unknown(answer.error_code));
    }
    let diverging = answer.diverging_epoch;
    if diverging.epoch >= 0 {
        let (epoch, end_offset) = (diverging.epoch, diverging.end_offset);
        return Found::Diverging(EpochEnd { epoch, end_offset });
    }
    Found::Records {
        records: answer.records.unwrap_or_default(),
        high_watermark: answer.high_watermark,
        log_start: answer.log_start_offset,
    }
}

/// Appends; waits for room in the log where there is none.
async fn take_in<E: Env>(fetchers: &Fetchers<E>, due: &Due<E>, found: &Found) -> Option<Taken> {
    loop {
        match due.partition.take_in(due.point, found, fetchers.office.now_ms()) {
            Ok(taken) => return Some(taken),
            Err(AppendError::Busy) => {
                fetchers.data_dirs.commit().await;
                fetchers.data_dirs.room().await;
            }
            // Its topic was deleted meanwhile.
            Err(AppendError::Deleted) => return None,
            Err(error) => {
                let partition = due.partition.log.id();
                tracing::warn!(%partition, %error, "what the leader sent cannot be appended");
                return None;
            }
        }
    }
}

/// The slow part of an answer. Answers the position to wait for.
async fn cut_or_ask<E: Env>(
    fetchers: &Fetchers<E>,
    leader: i32,
    line: &mut Line<E>,
    due: &Due<E>,
    taken: &Taken,
) -> u64 {
    let (partition, epoch) = (&due.partition, due.point.leader_epoch);
    let mut cut_now = taken.cut;
    if taken.asks_for_bounds {
        match line.bounds(fetchers, leader, partition, epoch).await {
            Ok((log_start, log_end)) => {
                let now_ms = fetchers.office.now_ms();
                cut_now = partition.take_bounds(epoch, log_start, log_end, now_ms);
            }
            Err(error) => {
                tracing::warn!(partition = %partition.log.id(), %error, "cannot learn where the \
                    leader's log begins and ends; trying again");
                partition.unreachable(epoch, fetchers.office.now_ms());
            }
        }
    }
    let Some(cut_now) = cut_now else { return 0 };
    cut(fetchers, partition, epoch, cut_now).await.unwrap_or(0)
}

async fn cut<E: Env>(
    fetchers: &Fetchers<E>,
    partition: &Arc<Partition<E>>,
    epoch: i32,
    cut: Cut,
) -> Option<u64> {
    loop {
        let work = Arc::clone(partition);
        let done = fetchers.env.run_blocking(move || work.cut(epoch, cut)).await;
        let now_ms = fetchers.office.now_ms();
        match done {
            Ok(Ok(lsn)) => {
                // A log start moves beside an append that is not durable yet.
                if !matches!(cut, Cut::LogStart(_)) {
                    partition.done(epoch, now_ms);
                }
                return Some(lsn);
            }
            Ok(Err(LogError::Busy)) => fetchers.data_dirs.room().await,
            Ok(Err(error)) => {
                let partition_id = partition.log.id();
                tracing::warn!(partition = %partition_id, %error, "the log cannot be cut");
                partition.unreachable(epoch, now_ms);
                return None;
            }
            Err(_stopped) => return None,
        }
    }
}
