//! Black-box tests of the binary: real processes, real sockets on loopback, free ports.

#![allow(clippy::unwrap_used)]

mod config;
mod node;
mod server;
