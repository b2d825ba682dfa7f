//! Black-box tests of the wire.

mod defaults;
mod records;
