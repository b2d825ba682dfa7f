//! Black-box tests of the wire.

mod defaults;
