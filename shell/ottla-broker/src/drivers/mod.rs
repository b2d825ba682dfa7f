//! Drivers: they feed the pure machines with commands and do what the machines decide. They never
//! decide themselves. Lowest floor first.

pub(crate) mod raft;

pub(crate) mod fetchers;

pub(crate) mod replica;

pub(crate) mod isr;

pub(crate) mod metadata;

pub(crate) mod moves;

pub(crate) mod controller;

pub(crate) mod channel;

pub(crate) mod directories;

pub(crate) mod lifecycle;

pub(crate) mod producer_ids;

pub(crate) mod coordinator;
