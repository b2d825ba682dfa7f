//! A poll, step by step: group, commits, positions, answers, records, new fetches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ottla_env::{Env, MonoTime};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::{ErrorCode, Str};

use super::decode::Fetched;
use super::membership::Step;
use super::{ConsumedRecord, Consumer, fetch};
use crate::assignor::Assignor;
use crate::error::{Error, Result};
use crate::offsets::{self, Isolation, OffsetSpec};
use crate::topic_partition::TopicPartition;

impl<E: Env> Consumer<E> {
    /// The next records, or none when `timeout` has passed. Joining the group and finding positions
    /// may take longer than that.
    ///
    /// # Errors
    /// What does not get better by itself. Polling again is always allowed.
    pub async fn poll(&mut self, timeout: Duration) -> Result<Vec<ConsumedRecord>> {
        let deadline = self.client.env().now() + timeout;
        loop {
            self.keep_membership().await?;
            self.commit_if_due().await;
            self.find_positions().await?;
            while let Ok(answer) = self.answers.try_recv() {
                self.take_answer(answer)?;
            }
            let records = self.take_records();
            self.start_fetches().await;
            let records = records?;
            if !records.is_empty() || self.client.env().now() >= deadline {
                return Ok(records);
            }
            let until = self.wait_until(deadline);
            tokio::select! {
                biased;
                answer = self.answers.recv() => {
                    if let Some(answer) = answer {
                        self.take_answer(answer)?;
                    }
                }
                () = self.wake.notified() => {}
                () = self.client.env().sleep_until(until) => {}
            }
        }
    }

    async fn keep_membership(&mut self) -> Result<()> {
        let Some(membership) = &mut self.membership else { return Ok(()) };
        let Step::Join { keep } = membership.step()? else { return Ok(()) };
        let cooperative = self.options.assignors.iter().all(|a| Assignor::is_cooperative(*a));
        if !keep {
            membership.forget();
            self.assigned.clear();
        } else if !cooperative {
            // Others may get these partitions in this very round.
            self.commit_before_revoking().await;
            self.assigned.clear();
            if let Some(membership) = &mut self.membership {
                membership.release();
            }
        }
        loop {
            let Some(membership) = &mut self.membership else { return Ok(()) };
            let joined = membership.join(&self.options).await?;
            if self.assigned.keys().any(|partition| !joined.assigned.contains(partition)) {
                self.commit_before_revoking().await;
            }
            self.set_assigned(&joined.assigned);
            if !joined.again {
                return Ok(());
            }
        }
    }

    async fn commit_before_revoking(&mut self) {
        if self.options.auto_commit.is_some() && !self.assigned.is_empty() {
            self.commit_and_tell().await;
        }
    }

    async fn commit_if_due(&mut self) {
        let Some(interval) = self.options.auto_commit else { return };
        let now = self.client.env().now();
        if self.options.group.is_some() && now >= self.next_commit {
            self.next_commit = now + interval;
            self.commit_and_tell().await;
        }
    }

    /// A commit that fails is made up for by a later one, or its records are read again.
    async fn commit_and_tell(&mut self) {
        if let Err(error) = self.commit().await {
            tracing::warn!(%error, "offsets were not committed");
        }
    }

    /// Finds where to begin: the group's offsets first, then what the settings say.
    async fn find_positions(&mut self) -> Result<()> {
        let open = |(_, place): &(&TopicPartition, &super::Place)| place.position.is_none();
        let mut missing: Vec<TopicPartition> =
            self.assigned.iter().filter(open).map(|(partition, _)| partition.clone()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if let Some(group) = &self.options.group {
            let by_group: Vec<TopicPartition> = missing
                .iter()
                .filter(|partition| self.assigned[partition].spec.is_none())
                .cloned()
                .collect();
            if !by_group.is_empty() {
                let found = offsets::committed(&self.client, group, Some(&by_group)).await?;
                for (partition, committed) in found {
                    if let Some(place) = self.assigned.get_mut(&partition) {
                        place.seek(committed.offset);
                        place.committed = Some(committed.offset);
                    }
                }
            }
            missing.retain(|partition| self.assigned[partition].position.is_none());
        }
        let mut wanted = Vec::with_capacity(missing.len());
        for partition in missing {
            let spec = self.assigned[&partition].spec.or(self.options.reset);
            wanted.push((partition.clone(), spec.ok_or_else(|| no_position(&partition))?));
        }
        self.seek_found(&wanted).await
    }

    async fn seek_found(&mut self, wanted: &[(TopicPartition, OffsetSpec)]) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let isolation = self.options.isolation;
        let found = offsets::list(&self.client, wanted, isolation).await?;
        for (partition, found) in found {
            let Some(place) = self.assigned.get_mut(&partition) else { continue };
            // No record that late: the end, which the next round finds.
            if found.offset < 0 {
                place.reset(OffsetSpec::Latest)
            } else {
                place.seek(found.offset)
            }
        }
        Ok(())
    }

    fn take_answer(&mut self, answer: fetch::Answer) -> Result<()> {
        self.busy.remove(&answer.leader);
        for partition in answer.asked.keys() {
            if let Some(place) = self.assigned.get_mut(partition) {
                place.in_flight = false;
            }
        }
        let checked = answer.outcome.and_then(|response| {
            Error::check(response.error_code, || "fetch".to_owned(), None).map(|()| response)
        });
        let response = match checked {
            Ok(response) => response,
            Err(error) if error.is_retriable() => {
                answer.asked.keys().for_each(|partition| self.try_later(partition));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for topic in response.responses {
            for data in topic.partitions {
                let partition = TopicPartition::new(topic.topic.clone(), data.partition_index);
                if let Some(asked) = answer.asked.get(&partition) {
                    self.take_partition(&partition, *asked, data)?;
                }
            }
        }
        Ok(())
    }

    fn take_partition(
        &mut self,
        partition: &TopicPartition,
        asked: i64,
        data: PartitionData,
    ) -> Result<()> {
        let Some(place) = self.assigned.get_mut(partition) else { return Ok(()) };
        // A seek came between; the answer is to a question no longer asked.
        if place.position != Some(asked) {
            return Ok(());
        }
        let error = Error::answer(data.error_code, format!("fetch {partition}"), None);
        match ErrorCode::from_code_or_unknown(data.error_code) {
            ErrorCode::None => {}
            ErrorCode::OffsetOutOfRange => match self.options.reset {
                Some(spec) => {
                    tracing::warn!(%partition, offset = asked, "offset is out of range, resetting");
                    place.reset(spec);
                    return Ok(());
                }
                None => return Err(error),
            },
            _ if error.is_retriable() => {
                self.try_later(partition);
                return Ok(());
            }
            _ => return Err(error),
        }
        place.high_watermark = data.high_watermark;
        place.last_stable_offset = data.last_stable_offset;
        let bytes = data.records.unwrap_or_default();
        if !bytes.is_empty() {
            let aborted = match self.options.isolation {
                Isolation::ReadCommitted => data.aborted_transactions.unwrap_or_default(),
                Isolation::ReadUncommitted => Vec::new(),
            };
            let aborted = aborted.iter().map(|a| (a.first_offset, a.producer_id)).collect();
            let topic = partition.topic.clone();
            place.fetched = Some(Fetched::new(topic, partition.partition, &bytes, asked, aborted));
        }
        Ok(())
    }

    /// The leader moved or is not well: ask again who leads, a little later.
    fn try_later(&mut self, partition: &TopicPartition) {
        let at = self.client.env().now() + self.client.options().retry_backoff;
        self.client.forget(&partition.topic);
        if let Some(place) = self.assigned.get_mut(partition) {
            place.not_before = at;
        }
    }

    /// Records out of what was fetched, beginning after the partition where the last poll stopped.
    fn take_records(&mut self) -> Result<Vec<ConsumedRecord>> {
        let mut records = Vec::new();
        let keys: Vec<TopicPartition> = self.assigned.keys().cloned().collect();
        let first = self.turn.as_ref().map_or(0, |turn| keys.partition_point(|key| key <= turn));
        for at in 0..keys.len() {
            let key = &keys[(first + at) % keys.len()];
            let limit = self.options.poll_records_max;
            let Some(place) = self.assigned.get_mut(key) else { continue };
            let Some(fetched) = place.fetched.as_mut().filter(|_| !place.paused) else { continue };
            while records.len() < limit {
                let next = match fetched.next_record() {
                    Ok(next) => next,
                    // What was read before the damage is handed out first.
                    Err(_) if !records.is_empty() => return Ok(records),
                    Err(error) => {
                        let at = fetched.position;
                        place.fetched = None;
                        return Err(damaged(key, at, &error));
                    }
                };
                place.position = Some(fetched.position);
                let Some(record) = next else {
                    place.fetched = None;
                    break;
                };
                place.leader_epoch = record.leader_epoch;
                records.push(record);
            }
            if records.len() >= limit {
                self.turn = Some(key.clone());
                break;
            }
        }
        Ok(records)
    }

    /// Asks each leader that is not being asked for what is wanted of it.
    async fn start_fetches(&mut self) {
        let now = self.client.env().now();
        let mut wanted: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for (partition, place) in &self.assigned {
            wanted.extend(place.wants(now).map(|offset| (partition.clone(), offset)));
        }
        if wanted.is_empty() {
            return;
        }
        let topics: BTreeSet<Str> = wanted.keys().map(|p| p.topic.clone()).collect();
        let topics: Vec<Str> = topics.into_iter().collect();
        let cluster = match self.client.fresh(&topics) {
            Some(cluster) => cluster,
            // Once; the next round asks again.
            None => match self.client.ask_metadata(Some(&topics), false).await {
                Ok(cluster) => cluster,
                Err(_) => return wanted.keys().for_each(|partition| self.try_later(partition)),
            },
        };
        let mut by_leader: BTreeMap<i32, BTreeMap<TopicPartition, i64>> = BTreeMap::new();
        for (partition, offset) in wanted {
            match cluster.leader(&partition.topic, partition.partition) {
                Some((leader, _)) => {
                    by_leader.entry(leader).or_default().insert(partition, offset);
                }
                None => self.try_later(&partition),
            }
        }
        for (leader, asked) in by_leader {
            if !self.busy.insert(leader) {
                continue;
            }
            for partition in asked.keys() {
                if let Some(place) = self.assigned.get_mut(partition) {
                    place.in_flight = true;
                }
            }
            let answers = self.answer_to.clone();
            fetch::spawn(&self.client, self.fetch_lane, &self.options, leader, asked, answers);
        }
    }

    /// When to look again though nothing happened.
    fn wait_until(&self, deadline: MonoTime) -> MonoTime {
        let now = self.client.env().now();
        let later = self.assigned.values().map(|place| place.not_before).filter(|at| *at > now);
        let commit = self.options.auto_commit.map(|_| self.next_commit).filter(|at| *at > now);
        later.chain(commit).fold(deadline, MonoTime::min)
    }
}

fn no_position(partition: &TopicPartition) -> Error {
    Error::Invalid(format!(
        "the group has no committed offset for {partition}, and no reset is set: choose earliest or latest"
    ))
}

fn damaged(partition: &TopicPartition, offset: i64, error: &dyn std::fmt::Display) -> Error {
    Error::Protocol {
        address: format!("the leader of {partition}"),
        reason: format!("the batch at offset {offset} cannot be read: {error}"),
    }
}
