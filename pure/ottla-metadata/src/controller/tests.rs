//! The machine is driven as its driver does: handle, replay what was decided, look at the reply.

use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_protocol::messages::BeginTransactionRecord;
use ottla_protocol::messages::broker_registration_request::{Feature, Listener};
use ottla_protocol::{Str, Uuid};

use super::*;
use crate::image::{Partition, PartitionId, SUPPORTED};

mod alter_configs;
mod alter_partition;
mod assign_dirs;
mod cluster;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod elect_leaders;
mod failover;
mod kafkas_decisions;
mod lessons;
mod lifecycle;
mod partition_change;
mod placement;
mod random_cluster;
mod random_commands;
mod reassign;
mod registration;
mod sessions;
mod tick;
mod unregister;
mod update_features;

/// A controller with its log and its clock.
pub(super) struct World {
    pub(super) controller: Controller,
    pub(super) soft: Soft,
    pub(super) log: Vec<MetadataRecord>,
    pub(super) now_ms: i64,
}

impl World {
    /// A cluster of no brokers.
    pub(super) fn empty() -> Self {
        let config = Arc::new(BrokerConfig::defaults());
        Self {
            controller: Controller::default(),
            soft: Soft::new(0, config, [7, 7, 7, 7]),
            log: Vec::new(),
            now_ms: 0,
        }
    }

    /// A bootstrapped cluster of the brokers 0 to `brokers - 1`.
    pub(super) fn of(brokers: i32) -> Self {
        let mut world = Self::empty();
        world.run(Command::Bootstrap(Vec::new()));
        for id in 0..brokers {
            world.run(registering(id));
        }
        world
    }

    pub(super) fn run(&mut self, command: Command) -> Reply {
        let decision = self.controller.handle(&mut self.soft, self.now_ms, command);
        let Decision { records, reply } = decision;
        assert!(records.len() <= RECORDS_MAX + RECORDS_MAX / 2, "a batch is bounded");
        for record in records {
            let bytes = record.encode().expect("a decided record can be written");
            let read = MetadataRecord::decode(bytes).expect("a written record can be read");
            assert_eq!(read, record, "nothing is lost on the way to the log");
            self.controller.replay(&record).expect("a decided record fits");
            self.log.push(record);
        }
        reply
    }

    pub(super) fn image(&self) -> &MetadataImage {
        self.controller.image()
    }

    pub(super) fn topic(&mut self, name: &'static str, partitions: i32) {
        let wanted = NewTopic { num_partitions: partitions, ..NewTopic::auto(name.into()) };
        assert_eq!(
            self.run(Command::EnsureTopics(vec![wanted])),
            Reply::EnsureTopics(vec![Ok(())])
        );
    }
}

/// As a node does that is the whole quorum.
pub(super) fn registering(broker_id: i32) -> Command {
    Command::RegisterBroker { request: registration(broker_id), version: 4, unfence: true }
}

pub(super) fn registration(broker_id: i32) -> BrokerRegistrationRequest {
    let features = SUPPORTED.iter().map(|known| Feature {
        name: known.name.into(),
        min_supported_version: known.min,
        max_supported_version: known.max,
        ..Default::default()
    });
    BrokerRegistrationRequest {
        broker_id,
        incarnation_id: Uuid::from_u128(1000 + broker_id as u128),
        listeners: vec![Listener {
            name: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
            security_protocol: 0,
            ..Default::default()
        }],
        features: features.collect(),
        log_dirs: vec![Uuid::from_u128(500 + broker_id as u128)],
        ..Default::default()
    }
}

pub(super) fn text(message: &str) -> Option<Str> {
    Some(Str::copy_from(message))
}
