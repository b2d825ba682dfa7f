//! The cluster that the controller believes in, and what happens to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_env::sim::Random;
use ottla_metadata::MetadataRecord;
use ottla_metadata::controller::{Command, Controller, Reply, Soft};
use ottla_metadata::image::{ELIGIBLE_LEADER_REPLICAS, MetadataImage, Partition, SUPPORTED};
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use ottla_protocol::messages::broker_registration_request::Feature;
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionRequest, BrokerHeartbeatRequest,
    BrokerRegistrationChangeRecord, BrokerRegistrationRequest, CreateTopicsRequest,
    ElectLeadersRequest, FeatureLevelRecord,
};
use ottla_protocol::{Str, Uuid};

use super::promises::Promises;

/// Topics at most.
const TOPICS_MAX: usize = 8;
/// A step that is due again and again would never end.
const TICKS_MAX: usize = 10_000;

pub(super) struct World {
    random: Random,
    controller: Controller,
    soft: Soft,
    pub(super) promises: Promises,
    pub(super) now_ms: i64,
    pub(super) records: usize,
    pub(super) trace_hash: u64,
    brokers: i32,
    lives: u128,
    topics: usize,
    /// The log directory of each broker.
    disks: BTreeMap<i32, Uuid>,
    /// The epoch of the life before, for those that came back.
    former_epochs: BTreeMap<i32, i64>,
}

impl World {
    pub(super) fn new(random: Random, brokers: i32, eligible: bool) -> Self {
        let disks = (0..brokers).map(|id| (id, Uuid::from_u128(500 + id as u128))).collect();
        let mut world = Self {
            random,
            controller: Controller::default(),
            soft: new_soft(1),
            promises: Promises::default(),
            now_ms: 0,
            records: 0,
            trace_hash: 0xcbf2_9ce4_8422_2325,
            brokers,
            lives: 1,
            topics: 0,
            disks,
            former_epochs: BTreeMap::new(),
        };
        world.run(Command::Bootstrap(Vec::new()));
        let level = FeatureLevelRecord {
            name: ELIGIBLE_LEADER_REPLICAS.into(),
            feature_level: i16::from(eligible),
            ..Default::default()
        };
        world.write(&level.into());
        for id in 0..brokers {
            world.restart(id, true);
            world.beat(id, false);
        }
        world.create(&[0, 1, 2]);
        world
    }

    fn image(&self) -> MetadataImage {
        self.controller.image().clone()
    }

    /// One thing that happens.
    pub(super) fn happen(&mut self) {
        let id = self.random.index(self.brokers as usize) as i32;
        match self.random.below(100) {
            0..20 => self.beat(id, false),
            20..40 => self.wait(),
            40..45 => self.beat(id, true),
            45..57 => {
                if self.random.chance(20) {
                    self.disks.insert(id, Uuid::from_u128(900_000 + self.lives));
                    self.restart(id, false);
                } else {
                    let is_clean = self.random.chance(60);
                    self.restart(id, is_clean);
                }
            }
            57..78 => self.alter_isr(),
            78..85 => self.reassign(),
            85..89 => self.elect(),
            89..93 => {
                let replicas = self.some_brokers();
                self.create(&replicas);
            }
            93..96 => drop(self.run(Command::Tick)),
            96..98 => self.lose_a_decision(),
            _ => self.half_fence(id),
        }
    }

    fn wait(&mut self) {
        self.now_ms += self.random.between(1, 12_000) as i64;
        for id in 0..self.brokers {
            if self.random.chance(70) {
                self.beat(id, false);
            }
        }
    }

    fn beat(&mut self, id: i32, want_shut_down: bool) {
        let Some(epoch) = self.epoch_of(id) else { return };
        let request = BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: epoch,
            current_metadata_offset: self.controller.next_offset() - 1,
            want_shut_down,
            ..Default::default()
        };
        self.run(Command::BrokerHeartbeat(request));
    }

    fn epoch_of(&self, id: i32) -> Option<i64> {
        self.controller.image().brokers.get(id).map(|broker| broker.epoch)
    }

    fn restart(&mut self, id: i32, is_clean: bool) {
        self.lives += 1;
        let features = SUPPORTED.iter().map(|known| Feature {
            name: known.name.into(),
            min_supported_version: known.min,
            max_supported_version: known.max,
            ..Default::default()
        });
        let former = self.epoch_of(id);
        let request = BrokerRegistrationRequest {
            broker_id: id,
            incarnation_id: Uuid::from_u128(100_000 + self.lives),
            features: features.collect(),
            log_dirs: vec![self.disks[&id]],
            previous_broker_epoch: former.filter(|_| is_clean).unwrap_or(-1),
            ..Default::default()
        };
        let command = Command::RegisterBroker { request, version: 4, unfence: false };
        if !matches!(self.run(command), Reply::Registered { .. }) {
            return;
        }
        self.former_epochs.extend(former.map(|epoch| (id, epoch)));
        self.check_new_life(id, is_clean);
    }

    /// What its former life was in sync for, the new one is not; nor is it eligible if that life may
    /// have lost what it acknowledged (KIP-966).
    fn check_new_life(&mut self, id: i32, is_clean: bool) {
        let image = self.image();
        let has_eligible = image.features.has_eligible_leader_replicas();
        for at in image.topics.in_sync_of(id) {
            let partition = image.topics.partition(at.topic_id, at.partition);
            if partition.is_some_and(|partition| partition.isr.len() > 1 || has_eligible) {
                self.promises.broken("new-life", format!("{id} is in sync: {partition:?}"));
            }
        }
        if !is_clean && image.topics.eligible_of(id).next().is_some() {
            self.promises.broken("new-life", format!("{id} is eligible after an unclean stop"));
        }
    }

    fn pick(&mut self) -> Option<(Str, Uuid, i32, Arc<Partition>)> {
        let image = self.image();
        let all: Vec<_> = image
            .topics
            .iter()
            .flat_map(|topic| {
                let of = move |(index, partition): (&i32, &Arc<Partition>)| {
                    (topic.name.clone(), topic.id, *index, Arc::clone(partition))
                };
                topic.partitions.iter().map(of)
            })
            .collect();
        (!all.is_empty()).then(|| all[self.random.index(all.len())].clone())
    }

    /// The leader asks for any ISR, in the life of the members that it heard of.
    fn alter_isr(&mut self) {
        let Some((_, topic_id, index, partition)) = self.pick() else { return };
        let Some(broker_epoch) = self.epoch_of(partition.leader) else { return };
        let mut members = Vec::new();
        for id in &partition.replicas {
            if *id == partition.leader || self.random.chance(60) {
                let former = self.former_epochs.get(id).copied();
                let former = former.filter(|_| self.random.chance(10));
                let broker_epoch = former.or(self.epoch_of(*id)).unwrap_or(0);
                members.push(BrokerState { broker_id: *id, broker_epoch, ..Default::default() });
            }
        }
        let stale = members.iter().find(|member| {
            self.epoch_of(member.broker_id).is_some_and(|epoch| epoch != member.broker_epoch)
        });
        let stale = stale.map(|member| member.broker_id);
        let wanted = PartitionData {
            partition_index: index,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            new_isr_with_epochs: members,
            ..Default::default()
        };
        let topics = vec![TopicData { topic_id, partitions: vec![wanted], ..Default::default() }];
        let broker_id = partition.leader;
        let request =
            AlterPartitionRequest { broker_id, broker_epoch, topics, ..Default::default() };
        let Reply::AlterPartition(response) =
            self.run(Command::AlterPartition { request, version: 3 })
        else {
            return;
        };
        let accepted =
            response.topics.iter().any(|t| t.partitions.iter().any(|p| p.error_code == 0));
        if let Some(id) = stale.filter(|_| accepted) {
            self.promises.broken("former-life", format!("{id} is in sync by its former life"));
        }
    }

    fn reassign(&mut self) {
        let Some((name, _, partition_index, _)) = self.pick() else { return };
        let replicas = if self.random.chance(75) { Some(self.some_brokers()) } else { None };
        let partition = ReassignablePartition { partition_index, replicas, ..Default::default() };
        let topic = ReassignableTopic { name, partitions: vec![partition], ..Default::default() };
        let request =
            AlterPartitionReassignmentsRequest { topics: vec![topic], ..Default::default() };
        self.run(Command::AlterPartitionReassignments(request));
    }

    fn elect(&mut self) {
        let election_type = i8::from(self.random.chance(30));
        let request =
            ElectLeadersRequest { election_type, topic_partitions: None, ..Default::default() };
        self.run(Command::ElectLeaders(request));
    }

    fn some_brokers(&mut self) -> Vec<i32> {
        let mut left: Vec<i32> = (0..self.brokers).collect();
        let count = self.random.between(1, 3) as usize;
        (0..count).map(|_| left.remove(self.random.index(left.len()))).collect()
    }

    fn create(&mut self, replicas: &[i32]) {
        if self.topics >= TOPICS_MAX {
            return;
        }
        self.topics += 1;
        let unclean = if self.random.chance(30) { "true" } else { "false" };
        let settings = [("unclean.leader.election.enable", unclean), ("min.insync.replicas", "2")];
        let configs = settings.map(|(name, value)| CreatableTopicConfig {
            name: name.into(),
            value: Some(value.into()),
            ..Default::default()
        });
        let assignment = CreatableReplicaAssignment {
            partition_index: 0,
            broker_ids: replicas.to_vec(),
            ..Default::default()
        };
        let topic = CreatableTopic {
            name: Str::from(format!("t{}", self.topics)),
            num_partitions: -1,
            replication_factor: -1,
            assignments: vec![assignment],
            configs: configs.into(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        self.run(Command::CreateTopics(request));
    }

    /// What is decided does not get into the log.
    fn lose_a_decision(&mut self) {
        let _lost = self.controller.handle(&mut self.soft, self.now_ms, Command::Tick);
    }

    /// A controller dies after it wrote a fence and before what follows from it; another takes over.
    fn half_fence(&mut self, id: i32) {
        if let Some(broker) = self.controller.image().brokers.get(id).filter(|b| !b.fenced) {
            let record = BrokerRegistrationChangeRecord {
                broker_id: id,
                broker_epoch: broker.epoch,
                fenced: 1,
                ..Default::default()
            };
            self.write(&record.into());
        }
        self.lives += 1;
        self.soft = new_soft(self.lives as u64);
    }

    /// Ticks until nothing is due.
    pub(super) fn settle(&mut self) {
        for _ in 0..TICKS_MAX {
            match self.controller.deadline_ms(&self.soft) {
                Some(due) if due <= self.now_ms => drop(self.run(Command::Tick)),
                _ => return,
            }
        }
        self.promises.broken("failover", "there is always something to do".to_owned());
    }

    pub(super) fn check_rest(&mut self) {
        let image = self.image();
        self.promises.rest(&image);
    }

    fn run(&mut self, command: Command) -> Reply {
        let decision = self.controller.handle(&mut self.soft, self.now_ms, command);
        for record in &decision.records {
            self.write(record);
        }
        decision.reply
    }

    fn write(&mut self, record: &MetadataRecord) {
        let before = self.image();
        if let Err(error) = self.controller.replay(record) {
            self.promises.broken("replay", format!("{error}: {record:?}"));
            return;
        }
        self.records += 1;
        for byte in record.encode().unwrap_or_default() {
            self.trace_hash = (self.trace_hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let after = self.image();
        self.promises.check(&before, record, &after);
    }
}

fn new_soft(seed: u64) -> Soft {
    Soft::new(7, Arc::new(BrokerConfig::defaults()), [seed, 2, 3, 4])
}
