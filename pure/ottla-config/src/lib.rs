//! Every configuration key, declared once; and what is made of a key's layers of values. Reads no
//! file and no environment: text comes in as an argument, values and located errors go out.
//!
//! - [`keys`]: the rows, one per key. The slice drives parsing, DescribeConfigs, AlterConfigs,
//!   CreateTopics, `ottla config explain` and `docs/reference/configs.md`.
//! - [`parse`]: `.properties`, TOML, environment variables and `key=value` words become [`Setting`]s.
//! - [`Layers`]: what was said where: flags > environment > file > default, and the dynamic layers.
//! - [`BrokerConfig`], [`TopicConfig`], [`GroupConfig`]: typed snapshots, built from the layers.
//!   A field is the key with dots as underscores, without its group's name where it begins with it:
//!   `num.partitions` is `config.topic.num_partitions`, `log.dirs` is `config.log.dirs`,
//!   `group.max.size` is `config.group.max_size`.
//! - [`resolve`]: a key's value, source and synonyms as DescribeConfigs wants them.
//! - [`alter`]: whether a change of configuration is acceptable, in Kafka's words.

pub mod list;

mod invalid;

mod check;
mod definition;
mod edit_distance;
mod setting;
mod value;

mod address;
mod replication;

mod reader;

#[macro_use]
mod declare;

pub mod keys;

mod layers;
mod listener;
pub mod resolve;

pub mod parse;

mod group_limits;
mod snapshot;

pub mod alter;
pub mod explain;
pub mod reference;

pub use address::{HostPort, Voter};
pub use check::Check;
pub use definition::{
    ConfigSource, ConfigType, Effect, Importance, KeyDef, Scope, Synonym, UpdateMode,
};
pub use invalid::Invalid;
pub use keys::group::GroupCoordinatorConfig;
pub use keys::group_level::GroupConfig;
pub use keys::listener::ListenerConfig;
pub use keys::log::LogConfig;
pub use keys::node::NodeConfig;
pub use keys::ottla::OttlaConfig;
pub use keys::quorum::QuorumConfig;
pub use keys::replication::ReplicationConfig;
pub use keys::security::SecurityConfig;
pub use keys::topic::TopicDefaults;
pub use keys::topic_level::TopicConfig;
pub use layers::Layers;
pub use listener::{Advertised, Listener, SecurityProtocol};
pub use replication::{ReplicaSelector, ThrottledReplicas};
pub use setting::{Origin, Setting};
pub use snapshot::{BrokerConfig, ConfigError, Remark, data_dir, remarks};
pub use value::{
    ClassName, CleanupPolicy, CompressionType, ConfigValue, FlushMode, Password, TimestampType,
};
