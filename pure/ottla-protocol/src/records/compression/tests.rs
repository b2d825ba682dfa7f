use proptest::prelude::*;

use super::{Compression, compress, decompress, repair_header_checksum};
use crate::records::batch_error::BatchError;

const LIMIT: usize = 8 << 20;

proptest! {
    #[test]
    fn every_codec_and_back(
        input in prop::collection::vec(0u8..8, 0..100_000),
        codec in prop::sample::select(&Compression::ALL),
    ) {
        let packed = compress(codec, None, &input).expect("compresses");
        prop_assert_eq!(decompress(codec, &packed, LIMIT).expect("decompresses"), input);
    }

    #[test]
    fn damage_never_panics(
        input in prop::collection::vec(any::<u8>(), 0..3000),
        codec in prop::sample::select(&Compression::ALL),
        flip in any::<prop::sample::Index>(),
        mask: u8,
    ) {
        let mut packed = compress(codec, None, &input).expect("compresses").to_vec();
        if !packed.is_empty() {
            let at = flip.index(packed.len());
            packed[at] ^= mask;
        }
        let _ = decompress(codec, &packed, LIMIT);
        let _ = decompress(codec, &input, LIMIT);
    }
}

#[test]
fn a_cut_stream_is_no_whole_one() {
    let input: Vec<u8> = (0..90_000u32).map(|i| (i % 251) as u8).collect();
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let packed = compress(codec, None, &input).expect("compresses");
        let step = (packed.len() / 600).max(1);
        for cut in (1..packed.len()).step_by(step) {
            match decompress(codec, &packed[..cut], LIMIT) {
                Err(_) => {}
                Ok(part) => assert!(
                    codec == Compression::Snappy && input.starts_with(&part),
                    "{} cut at {cut} of {}",
                    codec.name(),
                    packed.len()
                ),
            }
        }
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let zeros = vec![0u8; 32 << 20];
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let bomb = compress(codec, None, &zeros).expect("compresses");
        assert_eq!(
            decompress(codec, &bomb, 1 << 20),
            Err(BatchError::TooLarge { max_output: 1 << 20 }),
            "{}",
            codec.name()
        );
    }
}

#[test]
fn a_claimed_length_is_not_believed() {
    // Four bytes that claim 1 GiB of raw snappy.
    let claim = [0x80, 0x80, 0x80, 0x80, 0x04, 0];
    assert!(decompress(Compression::Snappy, &claim, usize::MAX >> 1).is_err());
}

#[test]
fn raw_snappy_is_read_too() {
    let raw = snap::raw::Encoder::new().compress_vec(b"hello hello hello").expect("compresses");
    let text = decompress(Compression::Snappy, &raw, LIMIT).expect("decompresses");
    assert_eq!(&text[..], b"hello hello hello");
}

#[test]
fn levels_are_clamped_to_what_the_codec_has() {
    for level in [-1, 0, 1, 9, 22, i32::MAX, i32::MIN] {
        for codec in Compression::ALL {
            let packed = compress(codec, Some(level), b"some text").expect("compresses");
            assert_eq!(&decompress(codec, &packed, 100).expect("decompresses")[..], b"some text");
        }
    }
}

#[test]
fn a_broken_header_checksum_is_repaired() {
    let good = compress(Compression::Lz4, None, b"old producers").expect("compresses");
    assert_eq!(repair_header_checksum(&good), good);
    let mut bad = good.to_vec();
    bad[6] ^= 0x55;
    assert!(decompress(Compression::Lz4, &bad, LIMIT).is_err());
    assert_eq!(repair_header_checksum(&bad), good);
}
