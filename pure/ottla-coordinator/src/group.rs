//! Groups and their offsets. `hard` is what the records say; `soft` is what a rebalance knows besides.

pub mod classic;
pub mod committed;
pub mod hard;
pub mod metadata;
pub(crate) mod offsets;
pub mod records;
pub mod soft;
pub mod step;

pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod list;
