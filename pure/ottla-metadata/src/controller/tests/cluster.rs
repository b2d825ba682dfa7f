//! A cluster of several brokers that register, send heartbeats, die and come back.

use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};

use super::*;

impl World {
    /// Brokers 0 to `brokers - 1`, all of them registered, caught up and unfenced.
    pub(in super::super) fn cluster(brokers: i32) -> Self {
        Self::cluster_with(brokers, 0)
    }

    /// The same, with this level of eligible.leader.replicas.version.
    pub(in super::super) fn cluster_with(brokers: i32, eligible: i16) -> Self {
        let mut world = Self::empty();
        world.run(Command::Bootstrap(Vec::new()));
        world.replay(&feature_level(crate::image::ELIGIBLE_LEADER_REPLICAS, eligible));
        for id in 0..brokers {
            world.join(id, 0);
        }
        world
    }

    pub(in super::super) fn replay(&mut self, record: &MetadataRecord) {
        self.controller.replay(record).unwrap();
        self.log.push(record.clone());
    }

    /// Registers life `life` of a broker that ended the one before in order.
    pub(in super::super) fn register(&mut self, id: i32, life: u128) -> Reply {
        let mut request = registration(id);
        request.incarnation_id = Uuid::from_u128(10_000 + 100 * id as u128 + life);
        request.previous_broker_epoch = self.epoch_of(id);
        self.run(Command::RegisterBroker { request, version: 4, unfence: false })
    }

    /// Registers and is unfenced.
    pub(in super::super) fn join(&mut self, id: i32, life: u128) {
        assert!(matches!(self.register(id, life), Reply::Registered { .. }));
        assert!(!self.beat(id).is_fenced);
    }

    pub(in super::super) fn epoch_of(&self, id: i32) -> i64 {
        self.image().brokers.get(id).map_or(-1, |broker| broker.epoch)
    }

    pub(in super::super) fn heartbeat(&self, id: i32) -> BrokerHeartbeatRequest {
        BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: self.epoch_of(id),
            current_metadata_offset: self.controller.next_offset() - 1,
            ..Default::default()
        }
    }

    /// A heartbeat of a broker that is well and has read everything.
    pub(in super::super) fn beat(&mut self, id: i32) -> BrokerHeartbeatResponse {
        let request = self.heartbeat(id);
        self.send(request)
    }

    pub(in super::super) fn send(
        &mut self,
        request: BrokerHeartbeatRequest,
    ) -> BrokerHeartbeatResponse {
        match self.run(Command::BrokerHeartbeat(request)) {
            Reply::BrokerHeartbeat(response) => response,
            other => panic!("{other:?}"),
        }
    }

    pub(in super::super) fn want_shutdown(&mut self, id: i32) -> BrokerHeartbeatResponse {
        let request = BrokerHeartbeatRequest { want_shut_down: true, ..self.heartbeat(id) };
        self.send(request)
    }

    pub(in super::super) fn deadline_ms(&self) -> Option<i64> {
        self.controller.deadline_ms(&self.soft)
    }

    /// Ticks for as long as there is something to do at this moment.
    pub(in super::super) fn settle(&mut self) {
        for _ in 0..1_000 {
            match self.deadline_ms() {
                Some(due) if due <= self.now_ms => {}
                _ => return,
            }
            let (before, due) = (self.log.len(), self.deadline_ms());
            self.run(Command::Tick);
            assert!(
                before < self.log.len() || due != self.deadline_ms(),
                "a tick that was due did nothing and is due again"
            );
        }
        panic!("there is always something to do");
    }

    /// Time passes with heartbeats of some of the brokers.
    pub(in super::super) fn wait(&mut self, ms: i64, alive: &[i32]) {
        let until = self.now_ms + ms;
        while self.now_ms < until {
            self.now_ms = (self.now_ms + 500).min(until);
            for id in alive {
                self.beat(*id);
            }
            self.settle();
        }
    }

    /// The brokers are not heard of until they are fenced.
    pub(in super::super) fn lose(&mut self, lost: &[i32]) {
        let alive: Vec<i32> = self
            .image()
            .brokers
            .iter()
            .filter(|broker| !broker.fenced && !lost.contains(&broker.id))
            .map(|broker| broker.id)
            .collect();
        self.wait(20_000, &alive);
        for id in lost {
            assert!(self.image().brokers.get(*id).unwrap().fenced);
        }
    }

    /// A topic with one partition for each list of replicas.
    pub(in super::super) fn topic_on(&mut self, name: &str, replicas: &[&[i32]]) {
        self.topic_with(name, replicas, &[]);
    }

    pub(in super::super) fn topic_with(
        &mut self,
        name: &str,
        replicas: &[&[i32]],
        configs: &[(&str, &str)],
    ) {
        let assignments = replicas.iter().zip(0..).map(|(ids, index)| CreatableReplicaAssignment {
            partition_index: index,
            broker_ids: ids.to_vec(),
            ..Default::default()
        });
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: Str::copy_from(name),
            value: Some(Str::copy_from(value)),
            ..Default::default()
        });
        let topic = CreatableTopic {
            name: Str::copy_from(name),
            num_partitions: -1,
            replication_factor: -1,
            assignments: assignments.collect(),
            configs: configs.collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        match self.run(Command::CreateTopics(request)) {
            Reply::CreateTopics(response) => assert_eq!(response.topics[0].error_code, 0),
            other => panic!("{other:?}"),
        }
    }

    pub(in super::super) fn id(&self, topic: &str, partition: i32) -> PartitionId {
        PartitionId { topic_id: self.image().topics.id_of(topic).unwrap(), partition }
    }

    pub(in super::super) fn partition(&self, topic: &str, index: i32) -> Partition {
        let topic = self.image().topics.get(topic).unwrap();
        (**topic.partitions.get(&index).unwrap()).clone()
    }

    /// Leader, ISR, leader epoch.
    pub(in super::super) fn led(&self, topic: &str) -> (i32, Vec<i32>, i32) {
        let partition = self.partition(topic, 0);
        (partition.leader, partition.isr.to_vec(), partition.leader_epoch)
    }

    /// What the leader of a partition asks for when this is its ISR.
    pub(in super::super) fn alter_request(
        &self,
        topic: &str,
        index: i32,
        isr: &[i32],
    ) -> AlterPartitionRequest {
        let partition = self.partition(topic, index);
        let members = isr.iter().map(|id| BrokerState {
            broker_id: *id,
            broker_epoch: self.epoch_of(*id),
            ..Default::default()
        });
        let wanted = PartitionData {
            partition_index: index,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            leader_recovery_state: partition.leader_recovery_state,
            new_isr_with_epochs: members.collect(),
            ..Default::default()
        };
        AlterPartitionRequest {
            broker_id: partition.leader,
            broker_epoch: self.epoch_of(partition.leader),
            topics: vec![TopicData {
                topic_id: self.id(topic, index).topic_id,
                partitions: vec![wanted],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    pub(in super::super) fn alter_isr(&mut self, topic: &str, isr: &[i32]) -> ErrorCode {
        let request = self.alter_request(topic, 0, isr);
        self.alter(request, 3)
    }

    /// The error of the whole request, or of its first partition.
    pub(in super::super) fn alter(
        &mut self,
        request: AlterPartitionRequest,
        version: i16,
    ) -> ErrorCode {
        let response = match self.run(Command::AlterPartition { request, version }) {
            Reply::AlterPartition(response) => response,
            other => panic!("{other:?}"),
        };
        let code = match response.error_code {
            0 => response.topics[0].partitions[0].error_code,
            code => code,
        };
        ErrorCode::from_code(code).unwrap()
    }
}

pub(in super::super) fn feature_level(name: &'static str, level: i16) -> MetadataRecord {
    ottla_protocol::messages::FeatureLevelRecord {
        name: name.into(),
        feature_level: level,
        ..Default::default()
    }
    .into()
}
