//! One replica of one partition as a machine: an event and the time go in, actions come out. It never
//! waits, and never reads a clock, a disk or a socket.
//!
//! ```text
//!   a follower's fetch, the log moved,         an answer of the leader,
//!   the controller answered, the time          the leader's bounds, the time
//!                 │                                        │
//!                 ▼                                        ▼
//!   Leader::handle(now, event, &mut actions)   Follower::handle(now, log, event, &mut actions)
//!                 │                                        │
//!   raise the high watermark,                  append, truncate, restart, raise the high
//!   ask for another ISR                        watermark and the log start, ask for bounds
//! ```
//!
//! The two are different types, so that a leader has no word for cutting its own log. Which of them a
//! replica is the controller says; a change of leader ends the machine and makes a new one.
//!
//! Stricter than Apache Kafka in one thing: a replica counts for the high watermark up to what is on its
//! stable storage, so a committed record is on stable storage of every member of the ISR.

// Lowest floor first; a module uses only those above it.
mod progress;

mod throttle;

pub mod isr;

pub mod leader;

pub mod follower;

pub use follower::{FetchPoint, Follower, LogBounds};
pub use isr::{Isr, Member};
pub use leader::{Leader, PartitionState};
pub use throttle::Throttle;
