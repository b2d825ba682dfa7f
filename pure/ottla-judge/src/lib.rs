//! A history of what clients did and were told, and the promises held against it.
//!
//! The judge knows nothing of where a history comes from: the simulator writes it event by event,
//! a test of real processes as JSON lines in any number of files. It takes O(n log n) time.
//!
//! Modules from the lowest floor up; each uses only those above it.

pub mod event;

pub mod names;

pub mod history;

pub mod lines;

mod case;

pub mod verdict;

pub mod watch;

mod checkers;

mod judgement;

pub use event::{Event, Place, What};
pub use history::History;
pub use judgement::{judge, promises};
pub use verdict::{Verdict, Violation};
