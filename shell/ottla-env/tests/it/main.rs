//! Black-box tests of the environments: one suite of promises, run against each.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::unwrap_used)]

mod conformance;
