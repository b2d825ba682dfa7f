//! snappy in the framing of Java's xerial library, which Kafka's clients write, and raw, which some others do.
//!
//! ```text
//! 0x82 "SNAPPY" 0x00 | version i32 | compatible version i32 | { length i32, raw snappy block }*
//! ```

use snap::raw::{Decoder, Encoder, decompress_len};

use super::Compression;
use crate::records::batch_error::BatchError;

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const HEADER_SIZE: usize = 16;
/// Input bytes of a block, as xerial's stream cuts them.
const BLOCK: usize = 32 << 10;
/// No raw block gets shorter than one byte in this many: three bytes may copy 64.
const RATIO_MAX: usize = 22;

pub(super) fn compress(input: &[u8]) -> Result<Vec<u8>, BatchError> {
    let mut output = Vec::with_capacity(HEADER_SIZE + input.len() / 2 + 64);
    output.extend_from_slice(MAGIC);
    output.extend_from_slice(&1i32.to_be_bytes());
    output.extend_from_slice(&1i32.to_be_bytes());
    let mut encoder = Encoder::new();
    for block in input.chunks(BLOCK) {
        let packed = encoder.compress_vec(block).map_err(|_| corrupt())?;
        output.extend_from_slice(&(packed.len() as i32).to_be_bytes());
        output.extend_from_slice(&packed);
    }
    Ok(output)
}

pub(super) fn decompress(input: &[u8], max_output: usize) -> Result<Vec<u8>, BatchError> {
    let mut output = Vec::new();
    if !input.starts_with(MAGIC) {
        raw(input, max_output, &mut output)?;
        return Ok(output);
    }
    let mut rest = input.get(HEADER_SIZE..).ok_or_else(corrupt)?;
    while !rest.is_empty() {
        if rest.starts_with(MAGIC) {
            // Streams put one after the other each bring their header.
            rest = rest.get(HEADER_SIZE..).ok_or_else(corrupt)?;
            continue;
        }
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(corrupt)?;
        let length = i32::from_be_bytes(*length);
        if length < 0 || length as usize > after.len() {
            return Err(corrupt());
        }
        let (block, after) = after.split_at(length as usize);
        raw(block, max_output, &mut output)?;
        rest = after;
    }
    Ok(output)
}

/// One raw block. Its claimed length is held against the limit and against what such a block can expand to.
fn raw(block: &[u8], max_output: usize, output: &mut Vec<u8>) -> Result<(), BatchError> {
    let length = decompress_len(block).map_err(|_| corrupt())?;
    if length > max_output - output.len() {
        return Err(BatchError::TooLarge { max_output });
    }
    if length > block.len().saturating_mul(RATIO_MAX) {
        return Err(corrupt());
    }
    let start = output.len();
    output.resize(start + length, 0);
    let written = Decoder::new().decompress(block, &mut output[start..]);
    match written {
        Ok(n) if n == length => Ok(()),
        _ => Err(corrupt()),
    }
}

fn corrupt() -> BatchError {
    BatchError::Corrupt(Compression::Snappy)
}
