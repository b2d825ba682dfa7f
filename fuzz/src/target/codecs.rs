//! The codecs: unpacking what nobody packed, within a limit; packing and unpacking loses nothing.

use ottla_protocol::records::{Compression, compress, decompress};

use crate::Target;

/// What may be unpacked: enough for every path, little enough for many runs a second.
pub(crate) const OUTPUT_MAX: usize = 1 << 18;
/// The output while it grows, and the codec's own window and tables.
const CODEC: usize = 3 * OUTPUT_MAX + (2 << 20);

pub const GZIP: Target =
    Target { name: "gzip", constant: CODEC, run: gzip, seeds: || seeds(Compression::Gzip) };
pub const SNAPPY: Target =
    Target { name: "snappy", constant: CODEC, run: snappy, seeds: || seeds(Compression::Snappy) };
pub const LZ4: Target =
    Target { name: "lz4", constant: CODEC, run: lz4, seeds: || seeds(Compression::Lz4) };
pub const ZSTD: Target =
    Target { name: "zstd", constant: CODEC, run: zstd, seeds: || seeds(Compression::Zstd) };

fn gzip(data: &[u8]) {
    codec(Compression::Gzip, data);
}
fn snappy(data: &[u8]) {
    codec(Compression::Snappy, data);
}
fn lz4(data: &[u8]) {
    codec(Compression::Lz4, data);
}
fn zstd(data: &[u8]) {
    codec(Compression::Zstd, data);
}

/// Unpacks `data` as it is; some inputs are packed and unpacked instead.
fn codec(codec: Compression, data: &[u8]) {
    if let Ok(output) = decompress(codec, data, OUTPUT_MAX) {
        assert!(output.len() <= OUTPUT_MAX);
    }
    if data.first().is_some_and(|first| first % 16 == 0) {
        let packed = compress(codec, None, data).expect("packing into memory");
        let output = decompress(codec, &packed, data.len()).expect("its own output");
        assert_eq!(output, data);
    }
}

fn seeds(codec: Compression) -> Vec<Vec<u8>> {
    [&b""[..], b"a", &[7; 300], b"one two one two one two three"]
        .iter()
        .filter_map(|text| compress(codec, None, text).ok())
        .map(|packed| packed.to_vec())
        .collect()
}
