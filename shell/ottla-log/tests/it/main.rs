//! Black-box tests of a data directory.

mod basic;
mod crash;
mod world;
