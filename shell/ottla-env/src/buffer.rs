//! Page-aligned memory: what O_DIRECT asks for. It knows nothing of files.

mod aligned;
mod shared;

#[cfg(test)]
mod tests;

pub use aligned::{ALIGNMENT, AlignedBuffer};
pub use shared::{BufferFull, BufferWriter, HOLE_BYTES, Hole, SharedBuffer};
