//! KRaft (KIP-595, 630, 853, 996) as a machine: an event and the time go in, actions come out. It never waits, and
//! never reads a clock, a disk or a socket.
//!
//! ```text
//!              request, response, durable, proposal, the time
//!                               │
//!                               ▼
//!   driver ────────────► Raft::handle(now, event, &mut actions)
//!     ▲                         │
//!     └──── persist, append, truncate, send, reply, committed …  (carried out in this order)
//! ```
//!
//! The machine knows of its log only what [`log_view::LogView`] holds: where it starts and ends, which epoch
//! begins where, how far it is on stable storage. The bytes are the driver's.
//!
//! Stricter than Apache Kafka in one thing: a leader counts itself for the high watermark only up to what is on its
//! own stable storage, so a committed record is on stable storage of a majority.

// Lowest floor first; a module uses only those above it.
pub mod settings;

pub mod offset;

pub mod replica;

pub mod election;

pub mod voters;

pub mod log_view;

pub mod message;

pub mod action;

mod random;

mod peers;

mod role;

pub mod raft;

pub use action::{Action, Event, FetchReply, ReadFrom, Token};
pub use election::ElectionState;
pub use log_view::LogView;
pub use offset::OffsetAndEpoch;
pub use raft::{Raft, Start};
pub use replica::{Endpoint, NodeId, ReplicaKey};
pub use role::{Progress, Replicas, RoleName};
pub use settings::Settings;
pub use voters::{Voter, VoterSet};
