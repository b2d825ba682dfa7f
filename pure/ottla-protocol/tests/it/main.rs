//! Black-box tests of the wire.

mod defaults;
mod kafka_records;
mod memory;
mod mutation;
mod records;
mod second_crate;
mod vectors;
