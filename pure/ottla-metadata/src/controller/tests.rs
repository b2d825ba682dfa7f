//! The machine is driven as its driver does: handle, replay what was decided, look at the reply.

use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_protocol::messages::BeginTransactionRecord;
use ottla_protocol::{Str, Uuid};

use super::*;
use crate::image::Endpoint;

mod alter_configs;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod lifecycle;
mod random_commands;

/// A controller with its log.
pub(super) struct World {
    pub(super) controller: Controller,
    pub(super) soft: Soft,
    pub(super) log: Vec<MetadataRecord>,
}

impl World {
    /// A cluster of no brokers.
    pub(super) fn empty() -> Self {
        let config = Arc::new(BrokerConfig::defaults());
        Self {
            controller: Controller::default(),
            soft: Soft::new(0, config, [7, 7, 7, 7]),
            log: Vec::new(),
        }
    }

    /// A bootstrapped cluster of the brokers 0 to `brokers - 1`.
    pub(super) fn of(brokers: i32) -> Self {
        let mut world = Self::empty();
        world.run(Command::Bootstrap);
        for id in 0..brokers {
            world.run(Command::RegisterBroker(registration(id)));
        }
        world
    }

    pub(super) fn run(&mut self, command: Command) -> Reply {
        let Decision { records, reply } = self.controller.handle(&mut self.soft, 0, command);
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

pub(super) fn registration(broker_id: i32) -> Registration {
    Registration {
        broker_id,
        incarnation_id: Uuid::from_u128(1000 + broker_id as u128),
        endpoints: vec![Endpoint {
            name: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
            security_protocol: 0,
        }],
        rack: None,
        log_dirs: vec![Uuid::from_u128(50 + broker_id as u128)],
    }
}

pub(super) fn text(message: &str) -> Option<Str> {
    Some(Str::copy_from(message))
}
