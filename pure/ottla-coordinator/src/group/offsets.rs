//! Committed offsets: commit, fetch, delete, expire. Each reads the hard state and at most emits records.

pub(crate) mod commit;
pub(crate) mod delete;
pub(crate) mod expire;
pub(crate) mod fetch;
