//! The targets by what they read.

pub mod batches;
pub mod codecs;
pub mod config;
pub mod connection;
pub mod disk;
pub mod logs;
pub mod wire;
