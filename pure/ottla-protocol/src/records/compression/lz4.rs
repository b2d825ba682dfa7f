//! lz4 in its standard frame: independent blocks of 64 KiB without checksums, as Kafka writes them and the one
//! kind Kafka reads.

use std::io::Write;

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::{Compression, read_limited};
use crate::records::batch_error::BatchError;

pub(super) fn compress(input: &[u8]) -> Result<Vec<u8>, BatchError> {
    let frame = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let output = Vec::with_capacity(input.len() / 2 + 64);
    let mut encoder = FrameEncoder::with_frame_info(frame, output);
    let corrupt = BatchError::Corrupt(Compression::Lz4);
    encoder.write_all(input).map_err(|_| corrupt.clone())?;
    encoder.finish().map_err(|_| corrupt)
}

pub(super) fn decompress(input: &[u8], max_output: usize) -> Result<Vec<u8>, BatchError> {
    if !has_end(input) {
        return Err(BatchError::Corrupt(Compression::Lz4));
    }
    read_limited(Compression::Lz4, FrameDecoder::new(input), input.len(), max_output)
}

/// Whether the frame runs to its end mark: the decoder takes a frame that stops between two blocks for whole.
fn has_end(input: &[u8]) -> bool {
    let Some(start) = header_size(input) else { return false };
    let flags = input[4];
    let block_checksum = if flags & 0x10 != 0 { 4 } else { 0 };
    let mut rest = input.get(start..).unwrap_or_default();
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        // The highest bit says "stored as it is".
        let size = (u32::from_le_bytes(*size) & 0x7fff_ffff) as usize;
        if size == 0 {
            return true;
        }
        match after.get(size + block_checksum..) {
            Some(next) => rest = next,
            None => return false,
        }
    }
    false
}

/// Producers of magic 0 hashed the frame's magic number into the header's checksum. This gives the frame the
/// checksum the standard asks for; other bytes are returned as they are.
pub fn repair_header_checksum(frame: &[u8]) -> Vec<u8> {
    let mut repaired = frame.to_vec();
    if let Some(size) = header_size(frame).filter(|size| *size <= frame.len()) {
        repaired[size - 1] = (xxh32_short(&frame[4..size - 1]) >> 8) as u8;
    }
    repaired
}

/// Bytes before the first block: magic, flags, block descriptor, optional content size and dictionary, checksum.
fn header_size(frame: &[u8]) -> Option<usize> {
    let flags = *frame.get(4)?;
    let magic = frame.starts_with(&0x184D_2204u32.to_le_bytes());
    let content_size = if flags & 0x08 != 0 { 8 } else { 0 };
    let dictionary = if flags & 0x01 != 0 { 4 } else { 0 };
    magic.then_some(4 + 2 + content_size + dictionary + 1)
}

/// xxHash32 with seed 0, of fewer than 16 bytes: all a frame header ever has.
fn xxh32_short(bytes: &[u8]) -> u32 {
    const P1: u32 = 0x9E37_79B1;
    const P2: u32 = 0x85EB_CA77;
    const P3: u32 = 0xC2B2_AE3D;
    const P4: u32 = 0x27D4_EB2F;
    const P5: u32 = 0x1656_67B1;
    let mut hash = P5.wrapping_add(bytes.len() as u32);
    let (lanes, tail) = bytes.as_chunks::<4>();
    for lane in lanes {
        hash = hash.wrapping_add(u32::from_le_bytes(*lane).wrapping_mul(P3));
        hash = hash.rotate_left(17).wrapping_mul(P4);
    }
    for byte in tail {
        hash = hash.wrapping_add(u32::from(*byte).wrapping_mul(P5));
        hash = hash.rotate_left(11).wrapping_mul(P1);
    }
    hash = (hash ^ (hash >> 15)).wrapping_mul(P2);
    hash = (hash ^ (hash >> 13)).wrapping_mul(P3);
    hash ^ (hash >> 16)
}
