//! A data directory: write-ahead log, checkpoint, segments, indexes, recovery.
//!
//! Modules from the lowest floor up; each uses only those above it in this list. The leaf modules
//! (to `kafka_dir`) are pure but for reads through `ottla-env`.

pub mod error;
pub mod config;
pub mod validate;
pub mod epochs;
pub mod producers;
pub mod index;
pub mod segment;
pub mod retention;
pub mod kafka_dir;
