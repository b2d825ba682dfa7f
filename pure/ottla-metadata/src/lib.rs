//! The truth of the cluster: the image brokers read and the controller who may change it.
//!
//! - [`MetadataRecord`]: one record of `__cluster_metadata`, framed as Kafka frames it.
//! - [`image::MetadataImage`]: what all records so far add up to. Immutable where it is shared,
//!   cheap to clone, changed only by applying records.
//! - [`snapshot::records`]: an image as the records of a snapshot.
//! - [`balance::propose`]: which replicas should move.
//! - [`controller::Controller`]: the replicated machine. A command goes in, records and a reply
//!   come out; only `replay` changes what is replicated.
//!
//! The same noun stands on both sides: `image/topics.rs` is what brokers read of topics,
//! `controller/topics.rs` is who may change them.

// Lowest floor first; a module uses only those above it.
mod shared_map;

pub mod record;

pub mod topic_name;

pub mod image;

pub mod snapshot;

pub mod balance;

pub mod controller;

pub use record::{MetadataRecord, RecordError};
pub use shared_map::SharedMap;
