//! The broker: network, API handlers, partitions, drivers.
//!
//! Rooms, lowest floor first; each uses only those above it in this list. Read `broker` first.

mod node;

mod phase;

mod log;

mod format;

mod partition;

mod drivers;

mod rooms;

mod api;

mod net;

mod broker;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;

pub use broker::{Broker, Claim, StartError};
pub use drivers::lifecycle::LifecycleError;
pub use format::FormatError;
