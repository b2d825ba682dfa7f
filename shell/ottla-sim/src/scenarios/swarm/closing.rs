//! After the trouble: writes are taken, replicas are in sync, metadata is the same everywhere, the
//! group is at rest; then everything is read back.
//!
//! Sources: DESIGN §3 (liveness phase), KIP-101, KIP-279, KIP-966 (replicas agree), `lessons` 9, 10, 21 of
//! another broker's late bugs (an ISR that never grew, a missed failover, an observer left behind).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_client::{
    Admin, Consumer, ConsumerOptions, Isolation, OffsetSpec, Producer, ProducerOptions,
    ProducerRecord, TopicPartition,
};
use ottla_env::MonoTime;
use ottla_env::sim::SimEnv;
use ottla_judge::What;
use ottla_judge::watch::{Files, OnePlace, SameFiles};
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};
use ottla_protocol::{Str, Uuid};

use super::diary::name_of;
use super::settled::Places;
use super::work::{self, GROUP, SHORT, place, upgrader};
use super::{CALM_LIMIT, Story, files, replicas};
use crate::wire::Connection;

/// Between two looks at what is not yet right.
const LOOK: Duration = Duration::from_millis(250);
/// The final reading of one partition.
const READ_LIMIT: Duration = Duration::from_secs(60);
const METADATA_NEWEST: i16 = 12;

/// What a node says of a partition: id, index, leader, epoch, ISR, replicas.
type Told = (Uuid, i32, i32, i32, Vec<i32>, Vec<i32>);

impl Story<'_> {
    pub(super) async fn close(&mut self, calm_since: MonoTime) -> Result<(), String> {
        let env = self.clients[0].clone();
        self.until_upgraded(&env, calm_since).await?;
        let partitions = self.until_in_order(&env, calm_since).await?;
        self.probe(&env, &partitions).await?;
        let admin = Admin::new(work::connect(&env, &self.setup.bootstrap));
        self.until_group_rests(&admin, calm_since).await?;
        self.note_offsets(&admin).await?;
        let mut starts = BTreeMap::new();
        for partition in &partitions {
            let start = self.read_back(&env, &admin, partition).await?;
            starts.insert(partition.to_string(), start);
        }
        let places = self.until_moved(&env, &admin, calm_since).await?;
        if self.cluster.len() == 1 && places.is_empty() {
            return Ok(());
        }
        self.compare_files(&admin, &starts, &places).await
    }

    /// A node takes clients only when it knows what was acknowledged before it started: nobody is
    /// told that a topic is not there which is.
    pub(super) async fn who_serves_knows(&self) -> Result<(), String> {
        // One that went down since, or cannot be reached yet, says nothing.
        let Ok(told) = self.metadata_of_all(&self.clients[0]).await else { return Ok(()) };
        let unknown = missing(&told, &self.setup.names());
        unknown.map_or(Ok(()), |text| Err(format!("served too early: {text}")))
    }

    pub(super) fn left(&self, since: MonoTime) -> Duration {
        CALM_LIMIT.saturating_sub(self.sim.now().since(since))
    }

    /// Every node knows of the level that was agreed on, and can be brought to the newest.
    async fn until_upgraded(&mut self, env: &SimEnv, calm_since: MonoTime) -> Result<(), String> {
        let agreed = self.setup.level.load(Ordering::Relaxed);
        let newest = upgrader::newest();
        loop {
            let mut levels = Vec::new();
            for address in self.cluster.addresses() {
                levels
                    .push(upgrader::level(env, *address).await.map_err(|error| error.to_string()));
            }
            // The broker that answers knows it before it does; the others hear of it soon.
            if let Some(least) = levels.iter().flatten().min().filter(|least| **least < agreed)
                && self.left(calm_since).is_zero()
            {
                return Err(format!("level {agreed} was agreed on, a node says {least}"));
            }
            if levels.iter().all(|level| level == &Ok(newest)) {
                return Ok(());
            }
            if self.left(calm_since).is_zero() {
                return Err(format!("liveness: not at level {newest}: {levels:?}"));
            }
            let _ = upgrader::upgrade(env, self.cluster.addresses()[0], newest).await;
            self.sim.sleep(LOOK).await;
        }
    }

    /// Every node knows the same topics, and every replica is in sync. Returns the partitions.
    async fn until_in_order(
        &mut self,
        env: &SimEnv,
        calm_since: MonoTime,
    ) -> Result<Vec<TopicPartition>, String> {
        loop {
            let wrong = match self.metadata_of_all(env).await {
                Ok(told) => match missing(&told, &self.setup.names()).or_else(|| disorder(&told)) {
                    None => return Ok(partitions(&told)),
                    Some(text) => text,
                },
                Err(text) => text,
            };
            if self.left(calm_since).is_zero() {
                return Err(format!("liveness: {wrong}"));
            }
            self.sim.sleep(LOOK).await;
        }
    }

    /// What each node says of all topics.
    async fn metadata_of_all(
        &self,
        env: &SimEnv,
    ) -> Result<Vec<BTreeMap<(Str, i32), Told>>, String> {
        let mut all = Vec::new();
        for (at, address) in self.cluster.addresses().iter().enumerate() {
            let name = self.cluster.name(at);
            let asked = async {
                let mut connection = Connection::open(env, *address).await?;
                let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
                connection.call(&request, METADATA_NEWEST).await
            };
            let response = asked.await.map_err(|error| format!("metadata of {name}: {error}"))?;
            all.push(told(response));
        }
        Ok(all)
    }

    /// A record to every partition is acknowledged.
    async fn probe(&self, env: &SimEnv, partitions: &[TopicPartition]) -> Result<(), String> {
        let client = work::connect(env, &self.setup.bootstrap);
        let options = ProducerOptions {
            delivery_timeout: Duration::from_secs(30),
            ..ProducerOptions::default()
        };
        let producer = Producer::new(client, options).map_err(|error| error.to_string())?;
        let known = self.metadata_of_all(env).await.unwrap_or_default();
        let mut sent = Vec::new();
        for (number, partition) in partitions.iter().enumerate() {
            let TopicPartition { topic, partition } = partition;
            let v = format!("probe:{number}");
            let what = What::Send { at: place(topic, *partition), v: &*v };
            self.setup.diary.note(self.sim.now(), "probe", what);
            let record = ProducerRecord {
                partition: Some(*partition),
                ..ProducerRecord::new(topic.clone(), v.clone())
            };
            let failed = |error| format!("liveness: probe to {topic}-{partition}: {error}");
            sent.push((producer.send(record).await.map_err(failed)?, topic, *partition, v));
        }
        for (delivery, topic, partition, v) in sent {
            let failed = |error| {
                let key = (topic.clone(), partition);
                let told: Vec<_> = known.iter().map(|told| told.get(&key)).collect();
                format!("liveness: probe to {topic}-{partition}: {error}; nodes say {told:?}")
            };
            let delivered = delivery.await.map_err(failed)?;
            let what = What::Ack { at: place(topic, partition), o: delivered.offset, v: &*v };
            self.setup.diary.note(self.sim.now(), "probe", what);
        }
        producer.close().await;
        Ok(())
    }

    async fn until_group_rests(
        &self,
        admin: &Admin<SimEnv>,
        calm_since: MonoTime,
    ) -> Result<(), String> {
        loop {
            let state = match admin.describe_group(&Str::from(GROUP)).await {
                Ok(group) => group.state.to_string(),
                Err(ottla_client::Error::Answer {
                    code: ottla_protocol::ErrorCode::GroupIdNotFound,
                    ..
                }) => "Dead".to_owned(),
                Err(error) => error.to_string(),
            };
            if ["Empty", "Stable", "Dead"].contains(&&*state) {
                return Ok(());
            }
            if self.left(calm_since).is_zero() {
                return Err(format!("liveness: the group does not rest: {state}"));
            }
            self.sim.sleep(LOOK).await;
        }
    }

    async fn note_offsets(&self, admin: &Admin<SimEnv>) -> Result<(), String> {
        let since = self.sim.now().0;
        let offsets = admin.group_offsets(&Str::from(GROUP)).await;
        let offsets = offsets.map_err(|error| format!("the group's offsets: {error}"))?;
        for index in 0..self.setup.choice.partitions {
            let key = TopicPartition::new(work::STEADY, index);
            let o = offsets.get(&key).map_or(-1, |committed| committed.offset);
            let at = place(work::STEADY, index);
            let what = What::Committed { group: GROUP, at, o, since };
            self.setup.diary.note(self.sim.now(), "closing", what);
        }
        Ok(())
    }

    async fn read_back(
        &self,
        env: &SimEnv,
        admin: &Admin<SimEnv>,
        partition: &TopicPartition,
    ) -> Result<i64, String> {
        let bound = async |spec| {
            let asked = [(partition.clone(), spec)];
            let found = admin.list_offsets(&asked, Isolation::ReadUncommitted).await;
            let found = found.map_err(|error| format!("offsets of {partition}: {error}"))?;
            Ok::<i64, String>(found.get(partition).map_or(-1, |found| found.offset))
        };
        let end = bound(OffsetSpec::Latest).await?;
        let mut start = bound(OffsetSpec::Earliest).await?;
        let options =
            ConsumerOptions { reset: Some(OffsetSpec::Earliest), ..ConsumerOptions::default() };
        let mut consumer = Consumer::new(work::connect(env, &self.setup.bootstrap), options);
        consumer.assign([partition.clone()]);
        let at = place(&partition.topic, partition.partition);
        let began = self.sim.now();
        let mut next = start;
        let mut is_first = true;
        while next < end && self.sim.now().since(began) < READ_LIMIT {
            let Ok(records) = consumer.poll(Duration::from_secs(1)).await else { continue };
            for record in records {
                if std::mem::take(&mut is_first) && &*partition.topic == SHORT {
                    // Retention goes on meanwhile.
                    start = start.max(record.offset);
                }
                let value = record.value.unwrap_or_default();
                let what = What::Final { at, o: record.offset, v: name_of(&value) };
                self.setup.diary.note(self.sim.now(), "closing", what);
                next = record.offset + 1;
            }
        }
        let _ = consumer.close().await;
        if let Some(text) = self.compare_replicas(env, partition, (start, next)).await? {
            self.setup.diary.wrong(self.sim.now(), "closing", &text);
        }
        let what = What::End { at, start, end };
        self.setup.diary.note(self.sim.now(), "closing", what);
        Ok(start)
    }
}

impl Story<'_> {
    /// Stops all nodes and holds their files against each other, from where each log starts.
    async fn compare_files(
        &mut self,
        admin: &Admin<SimEnv>,
        starts: &BTreeMap<String, i64>,
        places: &Places,
    ) -> Result<(), String> {
        let quorum = admin.describe_quorum().await;
        let quorum = quorum.map_err(|error| format!("liveness: the quorum: {error}"))?;
        let all_stopped = self.cluster.stop_all().await;
        let mut by_partition = BTreeMap::<String, BTreeMap<i32, Files>>::new();
        for (id, index) in (1..).zip(0..self.cluster.len()) {
            for directory in self.cluster.directories(index) {
                let read = files::read(&self.cluster.disk(index), Path::new(directory));
                let read = read.map_err(|text| format!("files of node {id}: {text}"))?;
                for (partition, files) in read {
                    let by_node = by_partition.entry(partition.clone()).or_default();
                    if by_node.insert(id, files).is_some() {
                        let wrong =
                            OnePlace::holds(&partition, id, self.cluster.directories(index));
                        let text = wrong.map_or_else(String::new, |wrong| wrong.text);
                        self.setup.diary.wrong(self.sim.now(), "closing", &text);
                    }
                }
            }
        }
        if let Some(text) = self.misplaced(places, quorum.high_watermark)? {
            self.setup.diary.wrong(self.sim.now(), "closing", &text);
        }
        let filled = |files: &Files| !files.batches.is_empty();
        let is_there = |by_node: &BTreeMap<i32, Files>| by_node.values().any(filled);
        if !by_partition.get("steady-0").is_some_and(is_there) {
            return Err("no files were found where records were read".to_owned());
        }
        for (partition, by_node) in by_partition {
            // What the quorum had not committed may be another's in the end.
            let is_metadata = partition.starts_with("__cluster_metadata");
            let below = if is_metadata { quorum.high_watermark } else { i64::MAX };
            let start = starts.get(&partition).copied().unwrap_or(0);
            if let Some(wrong) = SameFiles::all(&partition, &by_node, start..below) {
                let text = format!("{} (all stopped in order: {all_stopped})", wrong.text);
                self.setup.diary.wrong(self.sim.now(), "closing", &text);
            }
        }
        Ok(())
    }

    /// What replicas of a partition differ in.
    async fn compare_replicas(
        &self,
        env: &SimEnv,
        partition: &TopicPartition,
        range: (i64, i64),
    ) -> Result<Option<String>, String> {
        if self.cluster.len() == 1 {
            return Ok(None);
        }
        let admin = Admin::new(work::connect(env, &self.setup.bootstrap));
        let topic = admin.describe_topic(&partition.topic).await;
        let topic = topic.map_err(|error| error.to_string())?;
        let replicas = topic.partition(partition.partition).map_or(&[][..], |p| &p.replicas);
        let address = |node: &i32| {
            let at = usize::try_from(*node - 1).ok()?;
            Some((*node, *self.cluster.addresses().get(at)?))
        };
        let nodes: Vec<_> = replicas.iter().filter_map(address).collect();
        replicas::compare(env, &nodes, partition, range).await
    }
}

fn told(response: MetadataResponse) -> BTreeMap<(Str, i32), Told> {
    let mut found = BTreeMap::new();
    for topic in response.topics {
        let name = topic.name.unwrap_or_default();
        for partition in topic.partitions {
            let (mut isr, mut replicas) = (partition.isr_nodes, partition.replica_nodes);
            isr.sort_unstable();
            replicas.sort_unstable();
            let (leader, epoch) = (partition.leader_id, partition.leader_epoch);
            let told = (topic.topic_id, partition.partition_index, leader, epoch, isr, replicas);
            found.insert((name.clone(), partition.partition_index), told);
        }
    }
    found
}

/// A topic that somebody does not know.
fn missing(told: &[BTreeMap<(Str, i32), Told>], names: &[&str]) -> Option<String> {
    let unknown = |(node, known): (usize, &BTreeMap<(Str, i32), Told>)| {
        let has = |name: &&&str| !known.keys().any(|(topic, _)| &**topic == **name);
        let name = names.iter().find(has)?;
        Some(format!("n{node} does not know {name}; it knows {:?}", known.keys()))
    };
    (1..).zip(told).find_map(unknown)
}

/// What is not yet as it should be.
fn disorder(told: &[BTreeMap<(Str, i32), Told>]) -> Option<String> {
    let first = told.first()?;
    for (node, other) in (1..).zip(told) {
        for (key, (.., leader, _, isr, replicas)) in other {
            let (topic, index) = key;
            if *leader < 0 {
                return Some(format!("{topic}-{index} has no leader, says n{node}"));
            }
            if isr != replicas {
                let text =
                    format!("{topic}-{index}: {isr:?} of {replicas:?} in sync, says n{node}");
                return Some(text);
            }
            if first.get(key) != other.get(key) {
                return Some(format!("n1 and n{node} differ about {topic}-{index}"));
            }
        }
        if first.len() != other.len() {
            return Some(format!("n1 knows {} partitions, n{node} {}", first.len(), other.len()));
        }
    }
    None
}

/// Of topics that clients write.
fn partitions(told: &[BTreeMap<(Str, i32), Told>]) -> Vec<TopicPartition> {
    let keys = told.first().into_iter().flat_map(BTreeMap::keys);
    let ours = keys.filter(|(topic, _)| !topic.starts_with("__"));
    ours.map(|(topic, index)| TopicPartition::new(topic.clone(), *index)).collect()
}
