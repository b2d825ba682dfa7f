//! The broker from outside: real frames over sockets, on the operating system and in simulation.

#![allow(clippy::unwrap_used)]

#[macro_use]
mod world;

mod bad_input;
mod cluster;
mod deletes;
mod directories;
mod fetch;
mod groups;
mod lessons;
mod limits;
mod metadata;
mod produce;
mod quorum;
mod replication;
mod start;
