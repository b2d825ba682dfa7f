//! An async Kafka client: producer, consumer, admin.
//!
//! Generic over the world it runs in ([`ottla_env::Env`]), so that the same code serves the command
//! line, tests and the simulator. Topics are named, not numbered; errors say what to do.
//! Modules from the lowest floor up; each uses only those above it in this list.

pub mod error;
pub mod options;
mod backoff;
mod topic_partition;
pub mod connection;
pub mod cluster;
pub mod client;
pub mod partitioner;
pub mod offsets;
pub mod producer;
pub mod assignor;
pub mod consumer;
pub mod admin;

pub use admin::{Admin, NewTopic};
pub use client::{Client, CoordinatorKind, Lane, Target};
pub use connection::Connection;
pub use consumer::{ConsumedRecord, Consumer, ConsumerOptions};
pub use error::{Error, Result};
pub use offsets::{Isolation, OffsetSpec};
pub use options::ClientOptions;
pub use producer::{Acks, Delivered, Delivery, Producer, ProducerOptions, ProducerRecord};
pub use topic_partition::TopicPartition;
