//! The network: listeners, connections, frames and the limits on all of them. What a request means
//! is decided in `api`.

pub(crate) mod budget;
pub(crate) mod gate;
pub(crate) mod pool;

pub(crate) mod intake;
mod outgoing;
mod socket;

mod connection;

pub(crate) mod listener;
