//! Black-box tests of a data directory.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod basic;
mod crash;
mod damage;
mod model;
mod moves;
mod replica;
mod retention;
mod world;
