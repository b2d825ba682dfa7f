//! Black-box tests: a shard driven by commands alone.

mod deletes;
mod joins;
mod leaves;
mod offsets;
mod records;
mod schedules;
mod statics;
mod syncs;
mod world;
