//! The crate from outside.

#![allow(clippy::unwrap_used)]

mod kafkas_log;
