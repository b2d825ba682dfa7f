//! Partitions as the broker sees them: found by name or id, watched by those who wait for records.
//! What is in them is `ottla-log`'s matter.

pub(crate) mod watchers;

pub(crate) mod commits;

pub(crate) mod office;

mod replica;

pub(crate) mod hosted;

pub(crate) mod follow;

mod moving;

pub(crate) mod refused;

pub(crate) mod registry;

pub(crate) mod session;
