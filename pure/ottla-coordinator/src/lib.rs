//! Group coordination as a replicated machine: one shard is one partition of `__consumer_offsets`.
//!
//! ```text
//!   request ──► Shard::handle(&self, &mut Soft, now, Command) ──► Decision { records, completions }
//!                     ▲                                               │
//!                     │ hard state, changed by nothing but            │ the driver appends them,
//!                     └──────────── Shard::replay ◄───────────────────┘ replays them, waits for
//!                                                                       them, then answers
//! ```
//!
//! What is replicated (`Shard`) is a function of the records alone. What a rebalance needs between
//! two records (`Soft`: who has joined, who waits for whom, the timers) dies with the process, and
//! clients start it again. Nothing here reads a clock, a random number, a socket or a disk.

pub mod now;

pub mod settings;

pub mod record;

pub mod timers;

pub mod command;

pub mod group;

pub mod shard;

pub use command::{Client, Command, Completion, Decision, Reply, Token};
pub use group::soft::Soft;
pub use now::Now;
pub use record::{CoordinatorRecord, RecordError};
pub use settings::GroupSettings;
pub use shard::Shard;
