//! What the fuzz targets share: how the first bytes choose a message, and what must hold of one that was read.

use bytes::Bytes;
use ottla_protocol::records::{Compression, compress, decompress};
use ottla_protocol::{Message, decode_exact, encode_to_bytes};

/// Enough for every path, little enough for many runs a second.
pub const OUTPUT_MAX: usize = 1 << 20;

/// Reads one message; if that works, it must be writable and then read as what it was.
pub fn message<M: Message>(version: i16, body: &[u8]) {
    let Ok(value) = decode_exact::<M>(Bytes::copy_from_slice(body), version) else { return };
    let written = encode_to_bytes(&value, version).expect("what was read can be written");
    let again: M = decode_exact(written.clone(), version).expect("what was written can be read");
    assert_eq!(encode_to_bytes(&again, version), Ok(written));
}

/// The version that a byte chooses among those of `M`.
pub fn version<M: Message>(byte: u8) -> i16 {
    let count = (M::VERSIONS.end() - M::VERSIONS.start() + 1) as u8;
    M::VERSIONS.start() + i16::from(byte % count)
}

/// Unpacks `data` as it is, then packs and unpacks it: the limit holds and nothing is lost.
pub fn codec(codec: Compression, data: &[u8]) {
    if let Ok(output) = decompress(codec, data, OUTPUT_MAX) {
        assert!(output.len() <= OUTPUT_MAX);
    }
    let packed = compress(codec, None, data).expect("packing into memory");
    let output = decompress(codec, &packed, data.len()).expect("its own output");
    assert_eq!(output, data);
}
