//! Black-box tests: a shard driven by commands alone.
#![allow(clippy::unwrap_used)] // A test that meets the unexpected has to fail.

mod deletes;
mod joins;
mod leaves;
mod lessons;
mod offsets;
mod records;
mod schedules;
mod statics;
mod syncs;
mod world;
