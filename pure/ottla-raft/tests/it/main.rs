//! Whole quorums in one thread: real machines, a disk that forgets what was not synced, a network that loses, delays,
//! doubles and cuts; and what Raft promises, checked after every step.

#![allow(clippy::unwrap_used)] // A test that meets the unexpected has to fail.
mod dice;
mod disk;
mod model;
mod promises;
mod quorum;
mod schedules;
mod upgrade;
mod voters;
mod world;
