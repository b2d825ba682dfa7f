//! gzip, as Java's streams write and read it: several members in a row are one stream.

use std::io::Write;

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Compression, read_limited};
use crate::records::batch_error::BatchError;

pub(super) fn compress(level: Option<i32>, input: &[u8]) -> Result<Vec<u8>, BatchError> {
    let level = match level {
        Some(level @ 0..=9) => flate2::Compression::new(level as u32),
        _ => flate2::Compression::default(),
    };
    let mut encoder = GzEncoder::new(Vec::with_capacity(input.len() / 2 + 32), level);
    let written = encoder.write_all(input).and_then(|()| encoder.finish());
    written.map_err(|_| BatchError::Corrupt(Compression::Gzip))
}

pub(super) fn decompress(input: &[u8], max_output: usize) -> Result<Vec<u8>, BatchError> {
    read_limited(Compression::Gzip, MultiGzDecoder::new(input), input.len(), max_output)
}
