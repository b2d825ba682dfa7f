//! Groups and their offsets. `hard` is what the records say; `soft` is what a rebalance knows besides.

pub mod metadata;

pub mod committed;

pub mod records;

pub mod hard;

pub(crate) mod step;

pub mod classic;

pub mod soft;

pub(crate) mod offsets;

pub(crate) mod delete;

pub(crate) mod describe;

pub(crate) mod list;
