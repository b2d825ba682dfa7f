//! The codecs of record batches. Decompression stops at a limit the caller sets, while it runs: a claimed size
//! decides nothing.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::io::Read;

use bytes::Bytes;

use crate::records::batch_error::BatchError;

pub use lz4::repair_header_checksum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Compression {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    pub const ALL: [Compression; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    pub fn from_code(code: u8) -> Result<Compression, BatchError> {
        Self::ALL.get(code as usize).copied().ok_or(BatchError::UnknownCompression(code))
    }

    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Kafka's spelling in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    pub fn from_name(name: &str) -> Option<Compression> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

/// `level` is the codec's own scale; `None` is its default, and codecs without levels ignore it.
pub fn compress(codec: Compression, level: Option<i32>, input: &[u8]) -> Result<Bytes, BatchError> {
    match codec {
        Compression::None => Ok(Bytes::copy_from_slice(input)),
        Compression::Gzip => gzip::compress(level, input).map(Bytes::from),
        Compression::Snappy => snappy::compress(input).map(Bytes::from),
        Compression::Lz4 => lz4::compress(input).map(Bytes::from),
        Compression::Zstd => zstd::compress(level, input).map(Bytes::from),
    }
}

/// At most `max_output` bytes, or [`BatchError::TooLarge`].
pub fn decompress(
    codec: Compression,
    input: &[u8],
    max_output: usize,
) -> Result<Bytes, BatchError> {
    match codec {
        Compression::None if input.len() > max_output => Err(BatchError::TooLarge { max_output }),
        Compression::None => Ok(Bytes::copy_from_slice(input)),
        Compression::Gzip => gzip::decompress(input, max_output).map(Bytes::from),
        Compression::Snappy => snappy::decompress(input, max_output).map(Bytes::from),
        Compression::Lz4 => lz4::decompress(input, max_output).map(Bytes::from),
        Compression::Zstd => zstd::decompress(input, max_output).map(Bytes::from),
    }
}

/// Reads `source` to its end, but not beyond the limit.
fn read_limited(
    codec: Compression,
    mut source: impl Read,
    input_len: usize,
    max_output: usize,
) -> Result<Vec<u8>, BatchError> {
    const STEP: usize = 64 << 10;
    let mut output = Vec::with_capacity(input_len.saturating_mul(3).min(max_output).min(STEP));
    let mut limited = source.by_ref().take(max_output as u64 + 1);
    match limited.read_to_end(&mut output) {
        Ok(_) if output.len() > max_output => Err(BatchError::TooLarge { max_output }),
        Ok(_) => Ok(output),
        Err(_) => Err(BatchError::Corrupt(codec)),
    }
}

#[cfg(test)]
mod tests;
