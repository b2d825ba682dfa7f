//! Goal: old message sets become batches that hold the same records, whatever packed them.

use bytes::Bytes;
use proptest::prelude::*;

use super::{is_legacy, messages, to_batch};
use crate::records::batch_error::BatchError;
use crate::records::batches::batches;
use crate::records::builder::BatchOptions;
use crate::records::compression::{Compression, compress};
use crate::records::crc::crc32;
use crate::records::record::records;

type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

fn message(magic: u8, attributes: u8, offset: i64, timestamp: i64, pair: &Pair) -> Vec<u8> {
    let mut body = vec![magic, attributes];
    if magic == 1 {
        body.extend_from_slice(&timestamp.to_be_bytes());
    }
    for part in [&pair.0, &pair.1] {
        let length = part.as_ref().map_or(-1, |part| part.len() as i32);
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(part.as_deref().unwrap_or_default());
    }
    let mut out = offset.to_be_bytes().to_vec();
    out.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
    out.extend_from_slice(&crc32(&body).to_be_bytes());
    out.extend_from_slice(&body);
    out
}

fn set(magic: u8, pairs: &[Pair]) -> Vec<u8> {
    let each = pairs.iter().enumerate();
    each.flat_map(|(i, pair)| message(magic, 0, i as i64, 1000 + i as i64, pair)).collect()
}

fn packed(magic: u8, codec: Compression, pairs: &[Pair]) -> Vec<u8> {
    let inner = compress(codec, None, &set(magic, pairs)).expect("compresses");
    let last = pairs.len() as i64 - 1;
    message(magic, codec.code(), last, 5000, &(None, Some(inner.to_vec())))
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    let part = || prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
    prop::collection::vec((part(), part()), 1..20)
}

proptest! {
    #[test]
    fn a_set_becomes_one_batch(
        pairs in pairs(),
        magic in 0u8..2,
        codec in prop::sample::select(&[
            Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4,
        ]),
    ) {
        let bytes = match codec {
            Compression::None => set(magic, &pairs),
            codec => packed(magic, codec, &pairs),
        };
        prop_assert!(is_legacy(&bytes));
        let options = BatchOptions { base_offset: 700, ..BatchOptions::default() };
        let batch = to_batch(&Bytes::from(bytes), options, 1 << 20).expect("converts").expect("some");
        let (header, batch) = batches(&batch).next().expect("one").expect("whole");
        prop_assert_eq!(header.compression(), Ok(codec));
        prop_assert_eq!(header.records_count as usize, pairs.len());
        for (i, record) in records(&header, &batch, 1 << 20).expect("opens").enumerate() {
            let record = record.expect("a record");
            prop_assert_eq!(record.offset, 700 + i as i64);
            prop_assert_eq!(record.timestamp, if magic == 1 { 1000 + i as i64 } else { -1 });
            prop_assert_eq!(record.key.map(|key| key.to_vec()), pairs[i].0.clone());
            prop_assert_eq!(record.value.map(|value| value.to_vec()), pairs[i].1.clone());
        }
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..300) {
        let _ = messages(&Bytes::from(noise), 1 << 16);
        let good = packed(1, Compression::Gzip, &[(None, Some(vec![1, 2, 3])), (None, None)]);
        let cut = cut.min(good.len());
        let read = messages(&Bytes::from(good[..cut].to_vec()), 1 << 16);
        prop_assert_eq!(read.is_ok(), cut == 0 || cut == good.len());
    }
}

#[test]
fn offsets_inside_magic_1_count_back_from_the_outer_one() {
    let inner = compress(Compression::Gzip, None, &set(1, &[(None, None), (None, None)]));
    let inner = inner.expect("compresses").to_vec();
    let outer = message(1, 1 | 8, 41, 9000, &(None, Some(inner)));
    let found = messages(&Bytes::from(outer), 1 << 16).expect("reads");
    assert_eq!(found.iter().map(|m| m.offset).collect::<Vec<_>>(), [40, 41]);
    assert!(found.iter().all(|m| m.timestamp == 9000), "the broker's time goes for all");
}

#[test]
fn what_nobody_may_send_is_refused() {
    let pairs = [(None, Some(vec![0; 50_000]))];
    let bomb = Bytes::from(packed(1, Compression::Gzip, &pairs));
    assert_eq!(messages(&bomb, 10_000), Err(BatchError::TooLarge { max_output: 10_000 }));
    let nested = packed(1, Compression::Gzip, &pairs);
    let nested = compress(Compression::Gzip, None, &nested).expect("compresses").to_vec();
    let nested = message(1, 1, 0, 0, &(None, Some(nested)));
    assert!(messages(&Bytes::from(nested), 1 << 20).is_err());
    let empty = message(0, 1, 0, 0, &(None, None));
    assert!(messages(&Bytes::from(empty), 1 << 20).is_err());
    let mut flipped = message(0, 0, 0, 0, &(None, Some(vec![1])));
    *flipped.last_mut().expect("bytes") ^= 1;
    assert!(matches!(messages(&Bytes::from(flipped), 9), Err(BatchError::CrcMismatch { .. })));
}
