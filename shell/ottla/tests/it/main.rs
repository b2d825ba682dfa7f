//! Black-box tests of the binary: real processes, real sockets on loopback, free ports.

// A black box is looked at from outside: with the operating system's own clock and sockets.
#![allow(clippy::unwrap_used, clippy::disallowed_types, clippy::disallowed_methods)]

mod cluster;
mod commands;
mod config;
mod data_dir;
mod node;
mod perf;
mod server;
