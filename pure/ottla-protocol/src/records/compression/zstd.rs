//! zstd, streamed, so that the frame's claimed size decides nothing.

use zstd::stream::read::Decoder;

use super::{Compression, read_limited};
use crate::records::batch_error::BatchError;

/// The largest window a frame may ask for: the format's own limit for decoders, and what Kafka's takes.
const WINDOW_LOG_MAX: u32 = 27;

pub(super) fn compress(level: Option<i32>, input: &[u8]) -> Result<Vec<u8>, BatchError> {
    let range = zstd::compression_level_range();
    let level = level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
    let level = level.clamp(*range.start(), *range.end());
    zstd::bulk::compress(input, level).map_err(|_| BatchError::Corrupt(Compression::Zstd))
}

pub(super) fn decompress(input: &[u8], max_output: usize) -> Result<Vec<u8>, BatchError> {
    let corrupt = |_| BatchError::Corrupt(Compression::Zstd);
    let mut decoder = Decoder::with_buffer(input).map_err(corrupt)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(corrupt)?;
    read_limited(Compression::Zstd, decoder, input.len(), max_output)
}
