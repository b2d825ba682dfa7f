//! Black-box tests of the wire.

mod defaults;
mod records;
mod second_crate;
mod vectors;
